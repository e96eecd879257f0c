"""An execution's steps, read: whether they have a row yet or not, its parts and compensations after those defined."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid5

from django.db.models import Q

from contract.identifiers import parse_id
from contract.json_values import JSON
from contract.problems import NotFound
from executions.models import Attempt, Execution, Step
from executions.payloads.contents import Unavailable
from executions.payloads.reading import text_of, value_of
from executions.states import TERMINAL, Status, StepStatus
from workflows import catalog
from workflows.spec import COMPENSATIONS, PARTS, LoopProgram, Spec, StepSpec

_ENDED_ONCE = frozenset({StepStatus.SUCCEEDED, StepStatus.FAILED})
_WITHOUT_OUTPUT = frozenset({StepStatus.SKIPPED, StepStatus.CANCELLED})
_PART = re.compile(r"(?P<owner>[^\[]+)\[(?P<place>[^\]]+)\](?:\.(?P<inner>.+))?\Z")
_COMPENSATE = "compensate"


@dataclass(frozen=True, slots=True)
class PartsEnded:
    """Of a map or a loop that has begun: how many parts it has, how many ended, how many of them failed."""

    total: int
    ended: int
    failed: int


@dataclass(frozen=True, slots=True)
class SteppedOn:
    """One step of one execution. `status` is the word on the wire, `row` where it stands; `attempts` are by number.

    `parent` is the name of the step that it is a part of.
    """

    id: UUID
    spec: StepSpec
    status: str
    attempts: list[Attempt] = field(default_factory=list)
    row: Step | None = None
    parent: str | None = None
    parts: PartsEnded | None = None

    @property
    def begun(self) -> bool:
        """Whether the newest attempt counts, and is not one of an earlier run that is to be made anew."""
        return self.row is not None and self.row.status != StepStatus.PENDING

    @property
    def last(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts and self.begun else None

    @property
    def started_at(self) -> datetime | None:
        return self.attempts[0].started_at if self.attempts and self.begun else None

    @property
    def finished_at(self) -> datetime | None:
        return self.last.finished_at if self.status in _ENDED_ONCE and self.last else None

    @property
    def output(self) -> JSON:
        return None if self.last is None else value_of(self.output_text, self.last.execution_id)

    @property
    def output_text(self) -> str | None:
        """The column of the newest attempt's output; one that was skipped or cancelled later has none."""
        return None if self.last is None or self.status in _WITHOUT_OUTPUT else self.last.output


def spec_of(execution: Execution) -> Spec:
    """What the execution runs: its version with this run's patches, as long as these are to be had."""
    try:
        parameters = text_of(execution.submission.parameters, execution.id)
    except Unavailable:
        parameters = "{}"
    return catalog.runnable_of(execution.version_id, parameters).spec


def step_id(execution_id: UUID, name: str) -> UUID:
    """A step's id: derived (UUIDv5) from its execution's id and its name, so that it is known before it has a row."""
    return uuid5(execution_id, name)


def defined_steps(execution: Execution, count: int) -> list[SteppedOn]:
    """The first `count` steps of the definition, in its order, with their attempts: two queries."""
    spec = spec_of(execution)
    specs = spec.steps[:count]
    rows = _rows(execution, Q(index__lt=len(specs)), len(specs))
    return _stepped_on(execution, spec, specs, rows)


def steps_from(execution: Execution, first: int, count: int) -> list[SteppedOn]:
    """`count` steps from index `first` on: the definition's, then parts, then compensations. At most four queries."""
    spec = spec_of(execution)
    specs = list(spec.steps[first : first + count])
    rows = _rows(execution, Q(index__gte=first, index__lt=first + len(specs)), count) if specs else {}
    if len(specs) < count and any(step.body or step.compensation for step in spec.steps):
        later = _later_rows(execution, max(first, PARTS), count - len(specs))
        specs += [spec.step(index) for index in later]
        rows |= later
    return _stepped_on(execution, spec, specs, rows)


def step_of(execution: Execution, named: str) -> SteppedOn:
    """The step, part or compensation with this name or id. Raises NotFound."""
    spec = spec_of(execution)
    index = index_named(spec, named)
    if index is None:
        index = _index_with_id(execution, spec, parse_id(named))
    row = None if index is None else execution.steps.filter(index=index).first()
    if index is None or not _is_there(execution, index, row):
        raise NotFound("the execution has no such step")
    step = spec.step(index)
    return _stepped_on(execution, spec, [step], {index: row} if row else {})[0]


def index_named(spec: Spec, name: str) -> int | None:
    """The index that this name means: of a step, of a part (`each[3]`, `again[2].check`), of `compensate[step]`."""
    if name in spec.by_name:
        return spec.by_name[name]
    match = _PART.match(name)
    index = None if match is None else _index_inside(spec, match["owner"], match["place"], match["inner"])
    return index if index is not None and spec.step(index).name == name else None


def _index_inside(spec: Spec, owner_name: str, place: str, inner: str | None) -> int | None:
    if owner_name == _COMPENSATE and place in spec.by_name:
        undone = spec.by_name[place]
        return None if spec.steps[undone].compensation is None else COMPENSATIONS + undone
    owner = spec.steps[spec.by_name[owner_name]] if owner_name in spec.by_name else None
    if owner is None or not owner.body or not (place.isascii() and place.isdigit() and len(place) < 6):
        return None
    looped = isinstance(owner.program, LoopProgram)
    names: list[str | None] = [step.name for step in owner.body] if looped else [None]
    if inner not in names:
        return None
    number = int(place) * len(names) + names.index(inner)
    return spec.part(owner.index, number) if number < PARTS else None


def _index_with_id(execution: Execution, spec: Spec, identifier: UUID | None) -> int | None:
    """An id says nothing about its step, so that all names are gone through: the definition's first."""
    if identifier is None:
        return None
    for step in spec.steps:
        if step_id(execution.id, step.name) == identifier:
            return step.index
    rows = execution.steps.filter(index__gte=PARTS).values_list("index", "name").iterator()
    return next((index for index, name in rows if step_id(execution.id, name) == identifier), None)


def _is_there(execution: Execution, index: int, row: Step | None) -> bool:
    """Whether the execution has it now: a part of a map that began anew, with fewer items, may have left its row."""
    if index < PARTS or row is None or index >= COMPENSATIONS:
        return index < PARTS or row is not None
    owner = execution.steps.get(index=index // PARTS - 1)
    return index % PARTS < owner.parts_made


def _later_rows(execution: Execution, first: int, count: int) -> dict[int, Step]:
    """The rows of `count` parts and compensations from index `first` on."""
    owners = execution.steps.filter(index__gte=first // PARTS - 1, index__lt=PARTS, parts_made__gt=0).order_by("index")
    wanted = Q(index__gte=max(first, COMPENSATIONS))
    # Each of them has a part at least, so that no more are needed to fill the page.
    for owner, made in owners.values_list("index", "parts_made")[: count + 1]:
        start = PARTS + owner * PARTS
        wanted |= Q(index__gte=max(first, start), index__lt=start + made)
    return _rows(execution, wanted, count)


def _rows(execution: Execution, wanted: Q, count: int) -> dict[int, Step]:
    rows = execution.steps.filter(wanted).order_by("index").defer("item")[:count]
    return {row.index: row for row in rows}


def _stepped_on(
    execution: Execution, spec: Spec, specs: Iterable[StepSpec], rows: Mapping[int, Step]
) -> list[SteppedOn]:
    attempts: dict[int, list[Attempt]] = {}
    for attempt in _attempts(execution, [index for index, row in rows.items() if row.attempts]):
        attempts.setdefault(attempt.step_index, []).append(attempt)
    return [_one(execution, spec, step, rows.get(step.index), attempts.get(step.index, [])) for step in specs]


def _attempts(execution: Execution, indexes: Collection[int]) -> Iterable[Attempt]:
    rows = Attempt.objects.filter(execution=execution, step_index__in=indexes)
    return rows.order_by("step_index", "number")


def _one(execution: Execution, spec: Spec, step: StepSpec, row: Step | None, attempts: list[Attempt]) -> SteppedOn:
    recorded = StepStatus.PENDING.value if row is None else row.status
    is_part = step.owner is not None and step.index < COMPENSATIONS
    return SteppedOn(
        id=step_id(execution.id, step.name),
        spec=step,
        status=_told(execution, recorded),
        attempts=attempts,
        row=row,
        parent=spec.steps[step.owner].name if is_part and step.owner is not None else None,
        parts=_parts(step, row),
    )


def _parts(step: StepSpec, row: Step | None) -> PartsEnded | None:
    if not step.body or row is None or row.status == StepStatus.PENDING or not row.attempts:
        return None
    return PartsEnded(row.parts_made, row.parts_made - row.parts_left, row.parts_failed)


def _told(execution: Execution, recorded: str) -> str:
    """A step that never began stays `pending` in its row; once the execution has ended it is told as cancelled."""
    never_began = recorded in {StepStatus.PENDING, StepStatus.RETRYING}
    return StepStatus.CANCELLED.value if never_began and Status(execution.status) in TERMINAL else recorded
