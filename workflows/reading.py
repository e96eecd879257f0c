"""Reading the members of a JSON object that somebody wrote: each with its type, every problem with its pointer."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TypeVar

from contract.json_values import JSON, escape
from contract.problems import FieldProblem
from workflows.expressions import STEP_ROOTS, Expression, ExpressionInvalid, Reference
from workflows.schemas import Schema, SchemaInvalid, compile_schema
from workflows.templating import Template, compile_condition, compile_template

T = TypeVar("T", str, int, float, bool, list, dict)  # type: ignore[type-arg]

_WORDS: dict[type, str] = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


@dataclass(slots=True)
class Notes:
    """What reading found: all problems, and by JSON Pointer what the expressions of a field read.

    `roots` are the names that expressions may read here.
    """

    problems: list[FieldProblem] = field(default_factory=list)
    references: dict[str, tuple[Reference, ...]] = field(default_factory=dict)
    roots: frozenset[str] = STEP_ROOTS


class Members:
    """The members of one object; a member that is null counts as left out."""

    def __init__(self, value: JSON, pointer: str, notes: Notes) -> None:
        self.pointer = pointer
        self.notes = notes
        self.is_object = isinstance(value, dict)
        self._read: set[str] = set()
        self._value: dict[str, JSON] = value if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            notes.problems.append(FieldProblem(pointer, "wrong_type", "an object is expected"))

    def at(self, name: str) -> str:
        return f"{self.pointer}/{escape(name)}"

    def report(self, name: str, code: str, message: str) -> None:
        self.notes.problems.append(FieldProblem(self.at(name), code, message))

    def report_here(self, code: str, message: str) -> None:
        """Note a problem of the object as a whole."""
        self.notes.problems.append(FieldProblem(self.pointer, code, message))

    def report_below(self, name: str, problem: FieldProblem) -> None:
        """Note a problem whose field is a JSON Pointer into the member."""
        self.notes.problems.append(FieldProblem(self.at(name) + problem.field, problem.code, problem.message))

    def has(self, name: str) -> bool:
        return self._value.get(name) is not None

    def take(self, name: str, *, required: bool = False) -> JSON:
        """The member whatever it is, None if it is left out."""
        self._read.add(name)
        value = self._value.get(name)
        if value is None and required:
            self.report(name, "missing", f"`{name}` is required")
        return value

    def typed(self, name: str, kind: type[T], *, required: bool = False) -> T | None:
        value = self.take(name, required=required)
        if value is None:
            return None
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
            self.report(name, "wrong_type", f"`{name}` is {_WORDS[kind]}")
            return None
        return value

    def text(self, name: str, *, required: bool = False, most: int = 255) -> str | None:
        """A string of 1 to `most` characters; an empty optional one counts as left out."""
        value = self.typed(name, str, required=required)
        if value == "" and required:
            self.report(name, "invalid", f"`{name}` must not be empty")
        if value and len(value) > most:
            self.report(name, "invalid", f"`{name}` has at most {most} characters")
            return None
        return value or None

    def one_of(self, name: str, words: tuple[str, ...], default: str) -> str:
        value = self.typed(name, str)
        if value is None or value in words:
            return value or default
        self.report(name, "invalid", f"`{name}` is one of {', '.join(words)}")
        return default

    def number(self, name: str, default: float, *, least: float, most: float) -> float:
        value = self.typed(name, float)
        return default if value is None else self._within(name, value, default, least, most)

    def integer(self, name: str, default: int, *, least: int, most: int) -> int:
        value = self.typed(name, int)
        return default if value is None else int(self._within(name, value, default, least, most))

    def object(self, name: str, *, required: bool = False) -> Members | None:
        value = self.take(name, required=required)
        return None if value is None else Members(value, self.at(name), self.notes)

    def condition(self, name: str, *, required: bool = False, roots: frozenset[str] | None = None) -> Expression | None:
        """An expression with or without `${{ }}`; with roots, one that reads these and nothing else."""
        text = self.typed(name, str, required=required)
        if text is None:
            return None
        try:
            condition = compile_condition(text, self.notes.roots if roots is None else roots)
        except ExpressionInvalid as invalid:
            for problem in invalid.problems:
                self.report(name, "bad_expression", problem)
            return None
        self.notes.references[self.at(name)] = condition.references
        return condition

    def template(self, name: str, *, required: bool = False, kind: type[T] | None = None) -> Template | None:
        """JSON with `${{ }}`; with a kind, of that JSON type."""
        value = self.take(name, required=required) if kind is None else self.typed(name, kind, required=required)
        if value is None:
            return None
        template = compile_template(value, self.at(name), self.notes.problems, self.notes.roots)
        self.notes.references |= {self.at(name) + below: found for below, found in template.references.items()}
        return template

    def schema(self, name: str) -> Schema | None:
        value = self.take(name)
        if value is None:
            return None
        try:
            return compile_schema(value)
        except SchemaInvalid as invalid:
            for problem in invalid.problems:
                self.report_below(name, problem)
            return None

    def objects(self, name: str, *, required: bool = False, most: int = 1_000) -> list[Members]:
        """A list of 1 to `most` objects."""
        items = self.typed(name, list, required=required)
        if items is None:
            return []
        if not 1 <= len(items) <= most:
            self.report(name, "invalid", f"`{name}` has 1 to {most:,} items")
            return []
        return [Members(item, f"{self.at(name)}/{i}", self.notes) for i, item in enumerate(items)]

    def refuse(self, name: str, code: str, message: str) -> None:
        """Note a member that may not be given here, if it is; from then on it counts as left out."""
        if self.take(name) is not None:
            self.report(name, code, message)
            self._value = {**self._value, name: None}

    def refuse_others(self) -> None:
        """Note every member that was not read."""
        for name in self._value:
            if name not in self._read:
                known = ", ".join(sorted(self._read))
                self.report(name, "unknown_member", f"there is no member `{name[:100]}` here; known: {known}")

    def _within(self, name: str, value: float, default: float, least: float, most: float) -> float:
        if least <= value <= most:
            return value
        self.report(name, "invalid", f"`{name}` is from {least:,} to {most:,}")
        return default
