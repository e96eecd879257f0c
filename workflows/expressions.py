"""Expressions of a workflow: CEL over `input`, `steps` and the other roots, compiled once, evaluated to JSON.

Only the members that an expression names are bound. The language itself stands in workflows/cel.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from contract.json_values import JSON, MAX_INTEGER, InvalidJson, check, dump
from workflows.cel.functions import rfc3339, seconds
from workflows.cel.names import Reference, Variable
from workflows.cel.program import CompileFailed, EvaluationFailed, Program
from workflows.failures import StepFailed
from workflows.secret_references import ROOT as SECRETS
from workflows.secret_references import plainly_named, stand_in

__all__ = [
    "ERROR_ROOTS",
    "KEY_ROOTS",
    "OUTCOME_ROOTS",
    "PART_ROOTS",
    "SECRET_ROOTS",
    "STEP_ROOTS",
    "TEMPLATE_ROOTS",
    "Expression",
    "ExpressionError",
    "ExpressionInvalid",
    "Reference",
    "Scope",
    "compile_expression",
    "read_values",
]

Scope = Mapping[str, Any]
"""Root name -> JSON; `steps` -> {name: {"output": ..., "status": ...}}. A root that is absent reads as empty."""

STEP_ROOTS = frozenset({"application", "execution", "input", "parameters", "steps"})
PART_ROOTS = STEP_ROOTS | {"index", "item"}
SECRET_ROOTS = frozenset({SECRETS})
"""Named beside the others in the configs of steps that call out."""
KEY_ROOTS = frozenset({"input", "parameters"})
ERROR_ROOTS = frozenset({"error"})
TEMPLATE_ROOTS = frozenset({"application"})
OUTCOME_ROOTS = frozenset({"output"})

MAX_BOUND = 16 * 1024 * 1024
"""Bytes of bound JSON times the places that name it: what a value built from it may take."""
FEW_OCCURRENCES = 16
_ABSENT = object()
_LATER = {
    SECRETS: "secrets are only known in the config of an http, a webhook or an llm_inference step",
    "item": "`item` is only known in a map or a loop",
    "index": "`index` is only known in a map or a loop",
}


class ExpressionInvalid(Exception):
    """The text cannot be used as an expression; `problems` says all that is wrong with it."""

    def __init__(self, text: str, problems: Iterable[str]) -> None:
        self.problems = [f"{problem}, in `{_shortened(text)}`" for problem in problems]
        super().__init__("; ".join(self.problems))


class ExpressionError(StepFailed):
    """An expression has no value for what it was given; the message holds the expression."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__("expression_error", f"{reason}, in `{_shortened(text)}`")


class Expression:
    """A compiled expression. `references`: the members it reads, in the order of their first place.

    One that names a secret has no program: what it evaluates to stands in for the secret's value.
    """

    __slots__ = ("_program", "references", "text")

    def __init__(self, text: str, program: Program | None, references: Iterable[Reference]) -> None:
        self.text = text
        self.references = tuple(dict.fromkeys(references))
        self._program = program

    def evaluate(self, scope: Scope) -> JSON:
        """The value as JSON. Raises ExpressionError."""
        if self._program is None:
            return stand_in(str(self.references[0].path[0]))
        bindings: dict[str, Any] = {}
        for variable in self._program.variables:
            _bind(variable, scope, bindings)
        if self._program.occurrences > FEW_OCCURRENCES:
            self._require_bounded(bindings, self._program.occurrences)
        try:
            return _stored(self._program.evaluate(bindings))
        except (EvaluationFailed, InvalidJson) as error:
            raise ExpressionError(self.text, str(error)) from error

    def holds(self, scope: Scope) -> bool:
        """The value of a condition. Raises ExpressionError, also if it is no boolean."""
        value = self.evaluate(scope)
        if not isinstance(value, bool):
            raise ExpressionError(self.text, "a condition yields true or false, this yields something else")
        return value

    def _require_bounded(self, bindings: dict[str, JSON], occurrences: int) -> None:
        if len(dump(bindings)) * occurrences > MAX_BOUND:
            raise ExpressionError(self.text, "the expression names too much data too often")


def compile_expression(text: str, roots: frozenset[str] = STEP_ROOTS) -> Expression:
    """The expression of a text that may name `roots`. Raises ExpressionInvalid."""
    secret = plainly_named(text) if SECRETS in roots else None
    if secret is not None:
        return Expression(text, None, [Reference(SECRETS, (secret,))])
    problems, program = _compiled(text, roots)
    if program is None:
        raise ExpressionInvalid(text, problems)
    return Expression(text, program, (variable.reference for variable in program.variables))


def read_values(references: Iterable[Reference], scope: Scope) -> dict[str, JSON]:
    """What the references read, by their text; a member that is not there is left out."""
    found = ((reference.text, _member(scope, reference.root, reference.path)) for reference in references)
    return {text: value for text, value in found if value is not _ABSENT}


@lru_cache(maxsize=4096)
def _compiled(text: str, roots: frozenset[str]) -> tuple[list[str], Program | None]:
    try:
        program = Program(text, roots, _LATER)
    except CompileFailed as failure:
        return failure.problems, None
    problems = [problem for variable in program.variables for problem in _rule(variable.reference)]
    return problems, None if problems else program


def _rule(reference: Reference) -> Iterable[str]:
    path = reference.path
    if reference.root == SECRETS:
        yield "a secret stands alone between the braces, as `${{ secrets.NAME }}`; text may stand around them"
    elif reference.root == "execution" and path != ("id",):
        yield "`execution` is read only as `execution.id`"
    elif reference.root == "error" and path and path[0] not in ("kind", "message", "details"):
        yield f"an error has `.kind`, `.message` and `.details`; `{reference.text}` names none of them"
    elif reference.root == "steps":
        if not path or not isinstance(path[0], str):
            yield 'a step is read only by its name, as `steps.score.output` or `steps["noop-2"].output`'
        elif len(path) < 2 or path[1] not in ("output", "status"):
            yield f"a step has `.output` and `.status`; `{reference.text}` names neither"


def _bind(variable: Variable, scope: Scope, bindings: dict[str, Any]) -> None:
    """Bind the variable, unless there is nothing to bind it to."""
    root, path = variable.reference.root, variable.reference.path
    if not variable.tests:
        value = _member(scope, root, path)
        if value is not _ABSENT:
            bindings[variable.name] = value
        return
    holder = _member(scope, root, path[:-1])
    if isinstance(holder, Mapping):
        bindings[variable.name] = path[-1] in holder


def _member(scope: Scope, root: str, path: tuple[str | int, ...]) -> JSON:
    """The member at a path, _ABSENT if there is none."""
    value: Any = scope.get(root, {})
    for part in path:
        within = part in value if isinstance(value, Mapping) else isinstance(value, list) and _is_index(part, value)
        if not within:
            return _ABSENT
        value = value[part]
    return value


def _is_index(part: str | int, items: list[JSON]) -> bool:
    return isinstance(part, int) and part < len(items)


def _stored(value: Any) -> JSON:
    """The JSON of an evaluated value. Raises InvalidJson."""
    kind = type(value)
    if kind is bool or value is None:
        return value
    if kind is int and -MAX_INTEGER <= value <= MAX_INTEGER:
        return value
    if kind is float and math.isfinite(value):
        return value
    converted = _json(value)
    check(converted)
    return converted


def _json(value: Any) -> JSON:
    if isinstance(value, list):
        return [_json(item) for item in value]
    if isinstance(value, dict):
        # The evaluator keeps no order: without one of ours the same value would have another digest each time.
        members = {_key(name): member for name, member in value.items()}
        return {name: _json(members[name]) for name in sorted(members)}
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, timedelta):
        return seconds(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def _key(name: object) -> str:
    if not isinstance(name, str):
        raise InvalidJson(f"a map whose keys are not all strings ({_shortened(repr(name))}) is not JSON")
    return name


def _shortened(text: str) -> str:
    return text if len(text) <= 200 else text[:200] + "..."
