"""One execution as questions about its provenance look at it: its record, its lineage, its payloads by place."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from uuid import UUID

from contract import json_values
from contract.json_values import JSON
from executions.models import Attempt
from executions.payloads.contents import Unavailable
from executions.payloads.reading import text_of
from executions.payloads.references import digest_of, size_of
from executions.provenance.chains_places import At, Place, path_of
from executions.provenance.lineage import lineage_now
from executions.provenance.record import Record
from executions.provenance.sources import Row
from executions.provenance.sources_fields import runnable_of
from executions.provenance.sources_payloads import ABSENT, Payload, Payloads, digest_of_value
from executions.states import AttemptStatus, StepStatus
from workflows.definition import DefinitionInvalid
from workflows.patches import ParametersInvalid
from workflows.programs import PureProgram
from workflows.spec import Spec, StepSpec


@dataclass(frozen=True, slots=True)
class Begun:
    """How an attempt began, as its event tells: `data` holds its input's digest and who carried it out, by what."""

    at: datetime
    data: dict[str, JSON]
    run: int


@dataclass(frozen=True, slots=True)
class Found:
    """What stands at a place; `value` ABSENT where its content is gone, and `size` None with it."""

    value: JSON
    digest: str | None
    size: int | None


@dataclass(slots=True)
class Opened:
    """`rows` by step and number; `begun` by the same; `by` is who ended an attempt, where its event names somebody.

    `told`: by sequence the attempt of which an event tells how it stands.
    """

    record: Record
    payloads: Payloads = field(init=False)
    rows: dict[tuple[str, int], list[Row]] = field(init=False)
    begun: dict[tuple[str, int], Begun] = field(default_factory=dict)
    by: dict[tuple[str, int], str] = field(default_factory=dict)
    attempts: dict[tuple[str, int], Attempt] = field(init=False)
    newest: dict[str, int] = field(init=False)
    indexes: dict[str, int] = field(init=False)
    names: dict[int, str] = field(init=False)
    told: dict[int, tuple[str, int]] = field(default_factory=dict)
    _specs: dict[int, Spec | None] = field(default_factory=dict)
    _by_step: dict[str, list[Attempt]] = field(init=False)
    _readers: dict[tuple[str | None, int | None], list[Row]] | None = None
    _runs: int = 0

    def __post_init__(self) -> None:
        record = self.record
        self.payloads = Payloads(record, partial(text_of, execution_id=self.id))
        self.rows = defaultdict(list)
        for row in lineage_now(record):
            self.rows[row["step"], row["number"]].append(row)
        self.names = {step.index: step.name for step in record.steps}
        self.indexes = {name: index for index, name in self.names.items()}
        self.attempts = {(self.names[row.step_index], row.number): row for row in record.attempts}
        self._by_step = defaultdict(list)
        for (name, _), attempt in self.attempts.items():
            self._by_step[name].append(attempt)
        self.newest = {step.name: step.attempts for step in record.steps if step.attempts}
        self._read_events()

    @property
    def id(self) -> UUID:
        identifier: UUID = self.record.execution.id
        return identifier

    def spec(self, run: int | None = None) -> Spec | None:
        """What a run, without one the newest, carried out; None where that is not to be had any more."""
        number = self._runs if run is None else run
        if number not in self._specs:
            self._specs[number] = self._compiled(number)
        return self._specs[number]

    def step(self, name: str, number: int | None = None) -> StepSpec | None:
        """The step as the run of this attempt carried it out; None where that is not to be had any more."""
        begun = None if number is None else self.begun.get((name, number))
        spec = self.spec(None if begun is None else begun.run)
        return None if spec is None or name not in self.indexes else spec.step(self.indexes[name])

    def gave(self, name: str, until: datetime | None) -> int | None:
        """The number of the newest attempt that had succeeded then; None where none had."""
        succeeded = (one for one in self._by_step[name] if one.status == AttemptStatus.SUCCEEDED.value)
        return max((one.number for one in succeeded if _ended(one, until)), default=None)

    def ended_before(self, name: str, moment: datetime) -> int | None:
        """The number of the newest attempt that had ended then, however; None where none had."""
        ended = (one.number for one in self._by_step.get(name, ()) if one.finished_at and one.finished_at <= moment)
        return max(ended, default=None)

    def path(self, place: Place) -> str:
        """The place's path; `/executions/<id>` before it is for who asks from another execution."""
        return path_of(place, self.newest.get(place.step or ""))

    def found(self, place: Place, known: str | None = None) -> Found | None:
        """What stands there, None where there is nothing. `known` is the digest for a content that is gone."""
        payload = self._payload(place)
        if payload is None:
            return self._told_of(place, known)
        try:
            value = payload.at(place.pointer)
        except Unavailable:
            return Found(ABSENT, known if place.pointer else payload.digest(""), None)
        size = None if value is ABSENT else len(json_values.canonical(value))
        return None if value is ABSENT else Found(value, payload.digest(place.pointer), size)

    @property
    def runs(self) -> int:
        """How many runs there were, the one under way counted."""
        return self._runs + 1

    def _told_of(self, place: Place, known: str | None) -> Found:
        """What is on record of something that is no place in a payload."""
        value: JSON = ABSENT
        match place.at:
            case At.OUTCOME:
                outcome = self.record.execution.outcome or ""
                return Found(outcome, digest_of(outcome), size_of(outcome))
            case At.EXECUTION:
                value = str(place.execution)
            case At.INDEX:
                number = (place.step or "").partition("[")[2].partition("]")[0]
                value = int(number) if place.pointer == "/index" else None
            case At.STATUS:
                value = next((one.value for one in StepStatus if digest_of_value(one.value) == known), ABSENT)
            case At.DEFINITION:
                return Found(ABSENT, self.record.execution.version.digest, None)
            case _:
                value = ABSENT
        return Found(
            value, digest_of_value(value) or known, None if value is ABSENT else len(json_values.stored(value))
        )

    def newest_parameters(self) -> dict[str, JSON]:
        given: dict[str, JSON] = self.parameters(self._runs)
        return given

    def reads_by_name(self, step: str, number: int) -> bool:
        """Whether its recorded input is what it read, by the text of each reference."""
        found = self.step(step, number)
        return found is None or isinstance(found.program, PureProgram)

    def parameters(self, run: int) -> JSON:
        """The parameters of a run, nothing where they are gone."""
        try:
            return self.payloads.parameters(run).value
        except Unavailable:
            return {}

    def earlier_run(self, step: str, number: int) -> int | None:
        """In which run the attempt began; None for the newest."""
        begun = self.begun.get((step, number))
        return None if begun is None or begun.run == self._runs else begun.run

    def of_step(self, name: str) -> list[Attempt]:
        """The attempts at a step, by number."""
        return self._by_step[name]

    def every_row(self) -> list[Row]:
        return [row for rows in self.rows.values() for row in rows]

    @property
    def readers(self) -> dict[tuple[str | None, int | None], list[Row]]:
        """The rows by the attempt that they read something of."""
        if self._readers is None:
            self._readers = defaultdict(list)
            for row in (row for rows in self.rows.values() for row in rows if row["kind"] in {"step", "item"}):
                self._readers[row["name"], row["attempt"]].append(row)
        return self._readers

    def _payload(self, place: Place) -> Payload | None:
        match place.at:
            case At.INPUT:
                return self.payloads.input()
            case At.PARAMETERS:
                return self.payloads.parameters(self._runs if place.run is None else place.run)
            case At.APPLICATION:
                return self.payloads.application()
            case At.OUTPUT:
                return self.payloads.output()
            case At.STEP_INPUT if place.number is not None:
                return self.payloads.input_of(self.indexes[str(place.step)], place.number)
            case At.STEP_OUTPUT if place.number is not None:
                return self.payloads.output_of(self.indexes[str(place.step)], place.number)
            case _:
                return None

    def _compiled(self, run: int) -> Spec | None:
        try:
            parameters = json_values.stored(self.payloads.parameters(run).value)
            return runnable_of(self.record.execution.version.definition, parameters).spec
        except (Unavailable, DefinitionInvalid, ParametersInvalid):
            return None

    def _read_events(self) -> None:
        for event in self.record.events:
            self._runs += event.type == "execution.redriven"
            if event.step is None:
                continue
            data = json_values.load(event.body)["data"]
            key = event.step, data.get("attempt", 0)
            if "worker" in data:
                self.begun[key] = Begun(event.created_at, data, self._runs)
            if "attempt_status" in data:
                self.told[event.sequence] = key
            if isinstance(data.get("by"), str) and key[1]:
                self.by[key] = data["by"]


def _ended(attempt: Attempt, until: datetime | None) -> bool:
    return until is None or (attempt.finished_at is not None and attempt.finished_at <= until)
