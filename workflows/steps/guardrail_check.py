"""guardrail_check: conditions that must hold and a schema that a value must satisfy. Pure.

A violation fails the step (`guardrail_failed`, the violations as its output), unless `mode` is report.
"""

from __future__ import annotations

from dataclasses import dataclass

from contract.json_values import JSON, dump
from workflows.expressions import Expression, Reference, Scope, read_values
from workflows.failures import StepFailed
from workflows.programs import Evaluation, PureProgram
from workflows.reading import Members
from workflows.schemas import Schema
from workflows.templating import Template
from workflows.tools import ToolRegistry

MESSAGE_LENGTH = 1_000
_TOLD = 5


@dataclass(frozen=True, slots=True)
class _Check:
    name: str
    condition: Expression
    message: Template | None

    def violation(self, scope: Scope) -> JSON:
        """The violation as {check, message, field}, None if the check holds."""
        if self.condition.holds(scope):
            return None
        return {"check": self.name, "message": self._told(scope), "field": None}

    def reads(self) -> tuple[Reference, ...]:
        return self.condition.references + (() if self.message is None else self.message.all_references())

    def _told(self, scope: Scope) -> str:
        told = self.message.resolve(scope) if self.message is not None else f"`{self.condition.text}` does not hold"
        return (told if isinstance(told, str) else dump(told))[:MESSAGE_LENGTH]


class GuardrailCheck(PureProgram):
    def __init__(self, checks: list[_Check], schema: Schema | None, value: Template | None, reports: bool) -> None:
        self._checks = checks
        self._schema = schema
        self._value = value
        self._reports = reports
        self._reads = [reference for check in checks for reference in check.reads()]
        self._reads += () if value is None else value.all_references()

    def run(self, scope: Scope) -> Evaluation:
        found = [check.violation(scope) for check in self._checks]
        violations = [violation for violation in found if violation is not None] + self._schema_violations(scope)
        output = {"passed": not violations, "violations": violations}
        if violations and not self._reports:
            told = "; ".join(violation["message"] for violation in violations[:_TOLD])
            more = "" if len(violations) <= _TOLD else f"; and {len(violations) - _TOLD} more"
            raise StepFailed("guardrail_failed", f"{told}{more}", details={"violations": violations}, output=output)
        return Evaluation(read_values(self._reads, scope), output)

    def _schema_violations(self, scope: Scope) -> list[JSON]:
        if self._schema is None or self._value is None:
            return []
        return [
            {"check": "schema", "message": f"{problem.field or 'the value'}: {problem.message}", "field": problem.field}
            for problem in self._schema.violations(self._value.resolve(scope))
        ]


def compile_config(config: Members, _tools: ToolRegistry) -> GuardrailCheck | None:
    known = len(config.notes.problems)
    checks = [
        _check(members, i) for i, members in enumerate(config.objects("checks", required=not config.has("schema")))
    ]
    schema = config.schema("schema")
    value = config.template("value", required=config.has("schema"))
    if value is not None and not config.has("schema"):
        config.report("value", "invalid", "`value` goes with `schema`")
    mode = config.one_of("mode", ("fail", "report"), "fail")
    config.refuse_others()
    found = [check for check in checks if check is not None]
    return GuardrailCheck(found, schema, value, mode == "report") if len(config.notes.problems) == known else None


def _check(members: Members, index: int) -> _Check | None:
    name = members.text("name")
    condition = members.condition("assert", required=True)
    members.text("message", most=MESSAGE_LENGTH)
    message = members.template("message", kind=str) if members.has("message") else None
    members.refuse_others()
    return None if condition is None else _Check(name or f"checks[{index}]", condition, message)
