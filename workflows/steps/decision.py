"""decision: rules of which the first whose `when` holds gives the outcome, else the default. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from contract.json_values import JSON
from workflows.expressions import Expression, Reference, Scope, read_values
from workflows.programs import Evaluation, PureProgram
from workflows.reading import Members
from workflows.templating import Template
from workflows.tools import ToolRegistry


@dataclass(frozen=True, slots=True)
class _Rule:
    """`index` and `when` are None for the default."""

    index: int | None
    when: Expression | None
    outcome: Template
    output: Template | None

    def condition_reads(self) -> tuple[Reference, ...]:
        return () if self.when is None else self.when.references

    def result_reads(self) -> tuple[Reference, ...]:
        return self.outcome.all_references() + (() if self.output is None else self.output.all_references())

    def result(self, scope: Scope) -> JSON:
        output = {} if self.output is None else self.output.resolve(scope)
        return {**output, "outcome": self.outcome.resolve(scope), "rule": self.index}


class Decision(PureProgram):
    """What it reads is what the rules up to the one that fired read."""

    def __init__(self, rules: list[_Rule]) -> None:
        self._rules = rules

    def run(self, scope: Scope) -> Evaluation:
        tried: list[Reference] = []
        for rule in self._rules:
            tried += rule.condition_reads()
            if rule.when is None or rule.when.holds(scope):
                return Evaluation(read_values([*tried, *rule.result_reads()], scope), rule.result(scope))
        raise AssertionError("the default is the last rule, and has no condition")


def compile_config(config: Members, _tools: ToolRegistry) -> Decision | None:
    rules = [_rule(members, i) for i, members in enumerate(config.objects("rules", required=True))]
    default = config.object("default", required=True)
    if default is not None:
        rules.append(_rule(default, None))
    config.refuse_others()
    found = [rule for rule in rules if rule is not None]
    return Decision(found) if default is not None and len(found) == len(rules) > 1 else None


def _rule(members: Members, index: int | None) -> _Rule | None:
    when = None if index is None else members.condition("when", required=True)
    outcome = members.template("outcome", required=True, kind=str)
    output = members.template("output", kind=dict)
    members.refuse_others()
    if outcome is None or (index is not None and when is None):
        return None
    return _Rule(index, when, outcome, output)
