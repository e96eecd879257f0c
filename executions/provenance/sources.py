"""What every field of every recorded input came from, derived from what is on record. Pure.

The engine writes nothing for this: the definition says what is read, the order of the events which attempt's output
that was, the payloads what it was. It reads as orchestrator/values.py does, which tests hold it to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from contract import json_values
from contract.json_values import JSON, escape
from executions.provenance.sources_fields import fields_of, patched_fields, runnable_of
from executions.provenance.sources_payloads import (
    ABSENT,
    Payload,
    Payloads,
    Recorded,
    TextOf,
    digest_of_value,
)
from executions.states import STEP_MOVES, StepStatus
from workflows.bindings import compile_outcome
from workflows.expressions import Reference
from workflows.programs import MapProgram
from workflows.spec import PARTS, Runnable, Spec, StepSpec, shifted

Row: TypeAlias = dict[str, JSON]
"""{step, number, field, value, kind, name, attempt, pointer, expression, digest}: see docs/lineage.md."""

_NO_STEP = ("", 0)
"""Rows of the execution's own input, output and outcome."""
KINDS = ("input", "parameter", "application", "item", "step", "execution", "secret")
_STATUS_BY_EVENT = {move.event: move.target for move in STEP_MOVES.values()}


def lineage_of(record: Recorded, upto: int, text_of: TextOf) -> list[Row]:
    """A row for every field of an input and what was read for it, up to the event `upto`; then those of the output.

    In the order in which the attempts began, so that what is derived of fewer events is the beginning of it. Raises
    what `text_of` raises for a payload that is not to be had, and DefinitionInvalid where nothing can be compiled.
    """
    reading = _Reading(record, Payloads(record, text_of))
    return list(reading.rows(event for event in record.events if event.sequence <= upto))


@dataclass(frozen=True, slots=True)
class _Source:
    """What a reference reads: `payload` None where it is in none, and its digest is `digest`."""

    kind: str
    name: str | None = None
    attempt: int | None = None
    pointer: str | None = None
    payload: Payload | None = None
    digest: str | None = None

    def told(self, expression: str | None) -> Row:
        looked_up = None if self.payload is None else self.payload.digest(self.pointer or "")
        return {
            "kind": self.kind,
            "name": self.name,
            "attempt": self.attempt,
            "pointer": self.pointer,
            "expression": expression,
            "digest": self.digest if self.payload is None else looked_up,
        }


@dataclass(slots=True)
class _Standing:
    """A step after some events: `begun` is its newest attempt, `gave` the one whose output may be read."""

    status: StepStatus = StepStatus.PENDING
    begun: int | None = None
    gave: int | None = None


@dataclass(slots=True)
class _Reading:
    """The events, read in their order; `run` counts from 0."""

    record: Recorded
    payloads: Payloads
    run: int = 0
    outcome_given: bool = False
    standing: dict[str, _Standing] = field(default_factory=dict)
    _runnables: dict[int, Runnable] = field(default_factory=dict)
    _index: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._index = {step.name: step.index for step in self.record.steps}

    def rows(self, events: Iterable[Any]) -> Iterator[Row]:
        yield from self._origin()
        for event in events:
            if event.type == "execution.redriven":
                self.run += 1
            elif event.type == "execution.succeeded":
                yield from self._of_output(json_values.load(event.body)["data"])
            elif event.type == "execution.continued":
                self.outcome_given = True
            elif event.step is not None:
                yield from self._of_step(event.type, event.step, json_values.load(event.body)["data"])

    def _origin(self) -> Iterator[Row]:
        """What the execution's own input was made of, as a whole."""
        submission, made = self.record.execution.submission, self.payloads.input()
        if submission.application_data is not None:
            source = _Source("application", pointer="", payload=self.payloads.application())
            yield _row(_NO_STEP, "/input", made.digest(""), source, None)
        if submission.parent_id is not None:
            source = _Source("execution", str(submission.parent_id), pointer="/input", digest=made.digest(""))
            yield _row(_NO_STEP, "/input", made.digest(""), source, None)

    def _of_step(self, type_: str, name: str, data: dict[str, JSON]) -> Iterator[Row]:
        step = self.standing.setdefault(name, _Standing())
        if type_ == "step.started" and "input" in data:
            yield from self._of_attempt(self._index[name], data["attempt"])
        status = _STATUS_BY_EVENT.get(type_)
        if status is not None:
            step.status = status
            step.gave = data["attempt"] if status is StepStatus.SUCCEEDED else None
        if type_ in {"step.started", "step.completed"}:
            step.begun = data["attempt"]

    def _of_attempt(self, index: int, number: int) -> Iterator[Row]:
        runnable = self._runnable()
        step, recorded = runnable.spec.step(index), self.payloads.input_of(index, number)
        binding = _Binding(self, runnable.spec, step)
        rows = [
            _row((step.name, number), found.pointer, recorded.digest(found.pointer), source, found.reference.text)
            for found in fields_of(step, recorded.value)
            for source in binding.sources(found.reference)
        ]
        given = self.payloads.parameters(self.run)
        for patched in patched_fields(runnable.spec, step, given.value):
            if recorded.at(patched.pointer) is not ABSENT:
                source = _Source("parameter", pointer=patched.source, payload=given)
                rows.append(_row((step.name, number), patched.pointer, recorded.digest(patched.pointer), source, None))
        yield from sorted(rows, key=_place)

    def _of_output(self, data: dict[str, JSON]) -> Iterator[Row]:
        spec, output = self._runnable().spec, self.payloads.output()
        binding = _Binding(self, spec, None)
        if spec.output is None:
            found = [(f"/{escape(spec.steps[i].name)}", _output_of(spec.steps[i].name)) for i in spec.sinks]
        else:
            found = [(pointer, one) for pointer, read in spec.output.references.items() for one in read]
        rows = [
            _row(_NO_STEP, f"/output{pointer}", output.digest(pointer), source, reference.text)
            for pointer, reference in found
            for source in binding.sources(reference)
        ]
        yield from sorted(rows, key=_place)
        yield from self._of_outcome(data, output)

    def _of_outcome(self, data: dict[str, JSON], output: Payload) -> Iterator[Row]:
        """What the outcome was made of; nothing, where somebody gave it."""
        written = self.record.execution.submission.outcome_expression
        if written is None or data.get("outcome") is None or self.outcome_given:
            return
        for reference in compile_outcome(written).references:
            pointer = f"/output{reference.pointer}"
            source = _Source("execution", pointer=pointer, digest=output.digest(reference.pointer))
            yield _row(_NO_STEP, "/outcome", data["outcome"], source, reference.text)

    def _runnable(self) -> Runnable:
        if self.run not in self._runnables:
            parameters = json_values.stored(self.payloads.parameters(self.run).value)
            self._runnables[self.run] = runnable_of(self.record.execution.version.definition, parameters)
        return self._runnables[self.run]

    def now(self, name: str) -> _Standing:
        """How the step stands after the events so far."""
        return self.standing.get(name) or _Standing()

    def output_of(self, name: str, pointer: str) -> _Source:
        """A place in the output that a step has now; of one that has none, nothing."""
        gave = self.now(name).gave
        payload = self.payloads.output_of(self._index.get(name, -1), gave)
        return _Source("step", name, gave, pointer, payload)


@dataclass(frozen=True, slots=True)
class _Binding:
    """What names mean to the expressions of a step, or of the execution's output (`step` None)."""

    reading: _Reading
    spec: Spec
    step: StepSpec | None

    def sources(self, reference: Reference) -> list[_Source]:
        """Where the reference's value came from: one place, or of a loop's whole round the output of each step."""
        payloads, pointer = self.reading.payloads, reference.pointer
        match reference.root:
            case "input":
                return [_Source("input", pointer=pointer, payload=payloads.input())]
            case "parameters":
                return [_Source("parameter", pointer=pointer, payload=payloads.parameters(self.reading.run))]
            case "application":
                return [_Source("application", pointer=pointer, payload=payloads.application())]
            case "secrets":
                return [_Source("secret", str(reference.path[0]))]
            case "steps":
                return [self._of_named(reference)]
            case "item" | "index":
                return self._of_part(reference)
            case _:
                digest = digest_of_value(str(self.reading.record.execution.id))
                return [_Source("execution", pointer=pointer, digest=digest)]

    def _of_named(self, reference: Reference) -> _Source:
        reads = self.spec.by_name if self.step is None else self.step.reads
        name, what = self.spec.step(reads[str(reference.path[0])]).name, reference.path[1]
        if what == "output":
            return self.reading.output_of(name, _pointer(reference.path[2:]))
        standing = self.reading.now(name)
        return _Source("step", name, standing.begun, digest=digest_of_value(standing.status.value))

    def _of_part(self, reference: Reference) -> list[_Source]:
        """Of a map the item, which stands in the map's own input; of a loop what the round before came to."""
        assert self.step is not None, "only steps inside others have an item"
        assert self.step.owner is not None, "only steps inside others have an item"
        owner = self.spec.steps[self.step.owner]
        repetition, begun = self.step.index % PARTS // len(owner.body), self.reading.now(owner.name).begun
        if reference.root == "index":
            return [_Source("item", owner.name, begun, digest=digest_of_value(repetition))]
        if isinstance(owner.program, MapProgram) and begun is not None:
            over = self.reading.payloads.input_of(owner.index, begun)
            return [_Source("item", owner.name, begun, f"/over/{repetition}{reference.pointer}", over)]
        return self._of_round(reference, owner, repetition - 1) or [
            _Source("item", owner.name, begun, digest=None if reference.path else digest_of_value(None))
        ]

    def _of_round(self, reference: Reference, loop: StepSpec, repetition: int) -> list[_Source]:
        """The steps of a round that are meant; before the first there is none."""
        meant = [step for step in loop.body if not reference.path or step.name == reference.path[0]]
        if repetition < 0:
            return []
        by = repetition * len(loop.body)
        names = [self.spec.step(shifted(step.index, by)).name for step in meant]
        return [self.reading.output_of(name, _pointer(reference.path[1:])) for name in names]


def _row(of: tuple[str, int], field: str, value: str | None, source: _Source, expression: str | None) -> Row:
    return {"step": of[0], "number": of[1], "field": field, "value": value, **source.told(expression)}


def _place(row: Row) -> tuple[str, ...]:
    """By what the rows of one attempt are sorted, so that no version of this code tells them in another order."""
    return tuple(str(row[name] or "") for name in ("field", "expression", "kind", "name", "pointer"))


def _output_of(name: str) -> Reference:
    return Reference("steps", (name, "output"))


def _pointer(path: tuple[str | int, ...]) -> str:
    return "".join(f"/{escape(str(part))}" for part in path)
