"""What the engine really bound to the names in expressions, held against what the lineage says of the same reading."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from contract import json_values
from executions.models import Execution
from executions.provenance.lineage import derived
from executions.provenance.record import Record, records_of
from executions.provenance.verification import check
from orchestrator.values import Values
from workflows.expressions import Reference, Scope
from workflows.spec import StepSpec

ABSENT = object()
Row = dict[str, Any]
_PART_OF_REFERENCE = re.compile(r'[A-Za-z_]\w*|\[\d+\]|\["(?:[^"\\]|\\.)*"\]')


@dataclass
class Bound:
    """Scopes by execution, step (None for the output) and the number of the attempt that they were read for."""

    scopes: dict[tuple[UUID, int | None, int], Scope] = field(default_factory=dict)

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        of, of_output = Values.of, Values.of_output

        def watched(values: Values, step: StepSpec) -> Scope:
            scope = of(values, step)
            number = values.draft.rows[step.index].attempts + 1
            self.scopes[values.loaded.row.id, step.index, number] = scope
            return scope

        def watched_output(values: Values, references: Collection[Reference]) -> Scope:
            scope = of_output(values, references)
            self.scopes[values.loaded.row.id, None, 0] = scope
            return scope

        monkeypatch.setattr(Values, "of", watched)
        monkeypatch.setattr(Values, "of_output", watched_output)


def record_of(execution: Execution | UUID) -> Record:
    (record,) = records_of([execution if isinstance(execution, UUID) else execution.id])
    return record


def rows_of(execution: Execution | UUID, step: str) -> list[Row]:
    return [row for row in derived(record_of(execution)) if row["step"] == step]


def digest(value: Any) -> str | None:
    return None if value is ABSENT else hashlib.sha256(json_values.stored(value).encode()).hexdigest()


def at(value: Any, pointer: str) -> Any:
    """The value at a JSON Pointer, ABSENT where there is none."""
    for token in pointer.split("/")[1:]:
        value = _member(value, token.replace("~1", "/").replace("~0", "~"))
    return value


def _member(value: Any, name: Any) -> Any:
    try:
        return value[int(name)] if isinstance(value, list) else value[name]
    except (KeyError, IndexError, TypeError, ValueError):
        return ABSENT


def named(scope: Scope, text: str) -> Any:
    """What a reference, as it is spelled, names in a scope."""
    value: Any = scope
    for part in _PART_OF_REFERENCE.findall(text):
        value = _member(value, json_values.load(part[1:-1]) if part.startswith("[") else part)
    return value


@dataclass
class Held:
    """The lineage of one record, held against the payloads and against what was bound."""

    record: Record
    bound: Bound

    def __post_init__(self) -> None:
        self._names = {step.name: step.index for step in self.record.steps}
        self._attempts = {(row.step_index, row.number): row for row in self.record.attempts}

    def disagreements(self) -> Iterator[str]:
        """Every row that says something else than what stands there, or than what was bound."""
        for row in derived(self.record):
            if row["value"] != self._value(row):
                yield f"not the value at the field: {row}"
            source = self._source(row)
            if row["pointer"] is not None and row["digest"] != digest(at(source, row["pointer"])):
                yield f"not the value at the source: {row}"
            if row["expression"] and row["kind"] != "secret" and row["field"] != "/outcome":
                yield from self._unlike_bound(row, source)

    def unread(self) -> Iterator[str]:
        """Every scope in which a name was bound for an input of which no row tells."""
        told: dict[tuple[str, int], set[str]] = {}
        for row in derived(self.record):
            root = (row["expression"] or "").partition(".")[0].partition("[")[0]
            told.setdefault((row["step"], row["number"]), set()).add(root)
        index = {number: name for name, number in self._names.items()}
        for (execution, step, number), scope in self.bound.scopes.items():
            if execution != self.record.execution.id or step is None or not self._input(step, number):
                continue
            missing = {root for root in scope if scope[root] not in ({}, None)} - told.get((index[step], number), set())
            if missing:
                yield f"{index[step]}#{number} read {missing}, of which no row tells"

    def _unlike_bound(self, row: Row, source: Any) -> Iterator[str]:
        index = self._names.get(row["step"])
        scope = self.bound.scopes.get((self.record.execution.id, index, row["number"]))
        if scope is None:
            if index is not None:
                yield f"nothing was bound for {row}"
            return
        found = named(scope, row["expression"])
        if row["expression"] == "item" and row["kind"] == "step":
            found = found[row["name"].partition("].")[2]]
        told = at(source, row["pointer"]) if row["pointer"] is not None else ABSENT
        if row["pointer"] is None:
            if row["digest"] != digest(found):
                yield f"bound was {found!r}: {row}"
        elif found != told and not (told is ABSENT and found is None):
            yield f"bound was {found!r}, the source says {told!r}: {row}"

    def _value(self, row: Row) -> str | None:
        """The digest of what was made; of an outcome, which is no JSON, that of the text."""
        if row["field"] == "/outcome":
            return hashlib.sha256((self.record.execution.outcome or "").encode()).hexdigest()
        return digest(at(self._made(row), row["field"]))

    def _input(self, index: int, number: int) -> Any:
        attempt = self._attempts.get((index, number))
        return None if attempt is None else json_values.load(attempt.input or "null")

    def _made(self, row: Row) -> Any:
        if row["step"]:
            return self._input(self._names[row["step"]], row["number"])
        execution = self.record.execution
        output = json_values.load(execution.output or "null")
        given = json_values.load(execution.submission.input)
        return {"output": output, "input": given}

    def _source(self, row: Row) -> Any:
        submission, execution = self.record.execution.submission, self.record.execution
        match row["kind"]:
            case "input":
                return json_values.load(submission.input)
            case "parameter":
                return json_values.load(self._parameters(row))
            case "application":
                return json_values.load(submission.application_data or "null")
            case "item":
                return self._input(self._names[row["name"]], row["attempt"])
            case "step":
                attempt = self._attempts.get((self._names[row["name"]], row["attempt"] or 0))
                return ABSENT if attempt is None else json_values.load(attempt.output or "null")
            case "execution":
                given = json_values.load(submission.input)
                return {"id": str(execution.id), "output": json_values.load(execution.output or "null"), "input": given}
            case _:
                return ABSENT

    def _parameters(self, row: Row) -> str:
        """Of the run in which the attempt began."""
        began = next(
            (
                event.sequence
                for event in self.record.events
                if event.step == row["step"]
                and event.type == "step.started"
                and json_values.load(event.body)["data"]["attempt"] == row["number"]
            ),
            self.record.execution.event_sequence,
        )
        redrives = [event.sequence for event in self.record.events if event.type == "execution.redriven"]
        run = sum(sequence < began for sequence in redrives)
        texts = [*(one.parameters for one in self.record.runs), self.record.execution.submission.parameters]
        text: str = texts[run]
        return text


def assert_agrees(bound: Bound, *executions: Execution | UUID) -> None:
    """It should say what was bound, and nothing else, of each of these; and be found right by whoever verifies it."""
    for execution in executions:
        held = Held(record_of(execution), bound)
        found = [*held.disagreements(), *held.unread()]
        (checked,) = check([held.record.execution.id])
        found += [str(finding) for finding in checked.verdict.findings]
        assert not found, "\n".join(found)
