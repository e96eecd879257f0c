"""What a value, or a step's output, was made into: every step, execution, outcome and delivery that it went on to.

Followed by what is on record alone: attempts that read outputs, children and parents. That two executions hold an equal
value is told only where a digest was asked for, for the first steps that read it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final
from uuid import UUID

from executions.models import Attempt, Execution, Lineage, WebhookDelivery
from executions.provenance.chains_origins import source_of
from executions.provenance.chains_places import At, Place, path_of
from executions.provenance.impact_reading import deliveries_of, unsealed
from executions.provenance.lineage import consuming, kept_rows
from executions.provenance.lineage_opened import Opened
from executions.provenance.record import records_of
from executions.provenance.sources import Row
from tenants.models import Tenant
from workflows.spec import COMPENSATIONS, PARTS

MOST: Final = 2_000
"""Consumers that one question finds."""
MOST_EXECUTIONS: Final = 50
"""Executions that one question looks into; and how many unsealed ones it looks through for a digest."""


class By(StrEnum):
    """Who consumed it."""

    STEP = "step"
    EXECUTION = "execution"
    OUTPUT = "output"
    OUTCOME = "outcome"
    DELIVERY = "delivery"


_ENDING = frozenset({By.STEP, By.OUTPUT})
"""Whose ends are told by webhooks."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """`via` is the path of what was read, in `via_execution`; `distance` 1 for who read it first-hand.

    `step` None: the execution itself. `place` is the field of an input; None where the whole came in otherwise.
    """

    by: By
    execution: UUID
    distance: int
    step: str | None = None
    attempt: int | None = None
    place: str | None = None
    via: str | None = None
    via_execution: UUID | None = None
    delivery: WebhookDelivery | None = None

    @property
    def key(self) -> tuple[By, UUID, str | None, int | None]:
        """What is reached by being consumed here; the same however it came there."""
        return self.by, self.execution, self.step, self.attempt


@dataclass(slots=True)
class Impact:
    """One question of one tenant. `complete` turns False where a bound was met."""

    tenant: Tenant
    complete: bool = True
    found: list[Consumer] = field(default_factory=list)
    _opened: dict[UUID, Opened | None] = field(default_factory=dict)
    _pending: deque[Consumer] = field(default_factory=deque)
    _reached: set[tuple[By, UUID, str | None, int | None]] = field(default_factory=set)
    _told: set[tuple[object, ...]] = field(default_factory=set)

    def of_digest(self, digest: str) -> list[Consumer]:
        """Whatever consumed this value, or a part of this payload, anywhere in the tenant."""
        wanted = bytes.fromhex(digest)
        mine = Lineage.objects.filter(tenant=self.tenant).order_by("id")
        for kept in (mine.filter(digest=wanted)[: MOST + 1], mine.filter(whole=wanted)[: MOST + 1]):
            for one in kept:
                self._take(_consumer(one.execution_id, kept_rows([one])[0], 1))
        sealed = {consumer.execution for consumer in self.found}
        for opened in self._unsealed():
            if opened.id not in sealed:
                for row in consuming(opened.record, opened.every_row(), digest):
                    self._take(_consumer(opened.id, row, 1))
        return self._followed()

    def of_step(self, execution: Execution, step: str) -> list[Consumer]:
        """Whatever consumed the output of this step, of any attempt at it."""
        opened = self._open(execution.id)
        if opened is not None:
            for number in range(1, opened.newest.get(step, 0) + 1):
                self._follow_step(opened, Consumer(By.STEP, execution.id, 0, step, number))
        return self._followed()

    def _followed(self) -> list[Consumer]:
        while self._pending:
            level = list(self._pending)
            self._pending.clear()
            self._open_all({consumer.execution for consumer in level})
            for consumer in level:
                opened = self._open(consumer.execution)
                if opened is not None:
                    self._follow(opened, consumer)
        self.found += list(self._deliveries())[: max(0, MOST - len(self.found))]
        return self.found

    def _follow(self, opened: Opened, consumer: Consumer) -> None:
        match consumer.by:
            case By.STEP:
                self._follow_step(opened, consumer)
            case By.EXECUTION:
                self._follow_rows(opened, consumer, (row for row in opened.every_row() if row["kind"] == "input"))
            case By.OUTPUT:
                self._follow_output(opened, consumer)

    def _follow_step(self, opened: Opened, consumer: Consumer) -> None:
        self._follow_rows(opened, consumer, opened.readers.get((consumer.step, consumer.attempt), ()))
        attempt = opened.attempts.get((str(consumer.step), consumer.attempt or 0))
        via = path_of(Place(opened.id, At.STEP_OUTPUT, "", consumer.step, consumer.attempt), None)
        after = consumer.distance + 1
        if attempt is not None and attempt.child is not None:
            made = path_of(Place(opened.id, At.STEP_INPUT, "/input", consumer.step, consumer.attempt), None)
            self._take(Consumer(By.EXECUTION, attempt.child, after, place="/input", via=made, via_execution=opened.id))
        owner = _owner(opened, consumer)
        if owner is not None:
            self._take(Consumer(By.STEP, opened.id, after, owner[0], owner[1], None, via, opened.id))

    def _follow_output(self, opened: Opened, consumer: Consumer) -> None:
        self._follow_rows(opened, consumer, (row for row in opened.every_row() if row["field"] == "/outcome"))
        parent_id = opened.record.execution.submission.parent_id
        parent = None if parent_id is None else self._open(parent_id)
        for (step, number), attempt in () if parent is None else parent.attempts.items():
            if parent is not None and attempt.child == opened.id:
                after = consumer.distance + 1
                self._take(Consumer(By.STEP, parent.id, after, step, number, None, "/output", opened.id))

    def _follow_rows(self, opened: Opened, consumer: Consumer, rows: Iterable[Row]) -> None:
        for row in rows:
            self._take(_consumer(opened.id, row, consumer.distance + 1))

    def _take(self, consumer: Consumer) -> None:
        """Put it down, and go on from it, unless something came there before."""
        told = consumer.key, consumer.place, consumer.via, consumer.via_execution
        if told in self._told:
            return
        if len(self.found) >= MOST:
            self.complete = False
            return
        self._told.add(told)
        self.found.append(consumer)
        if consumer.key not in self._reached:
            self._reached.add(consumer.key)
            self._pending.append(consumer)

    def _open(self, execution: UUID) -> Opened | None:
        self._open_all({execution})
        return self._opened.get(execution)

    def _open_all(self, executions: set[UUID]) -> None:
        """Read those that were not read yet, as many as there may be: by the same few queries, however many."""
        new = sorted(executions - self._opened.keys())
        room = max(0, MOST_EXECUTIONS - len(self._opened))
        self.complete &= len(new) <= room
        for record in records_of(new[:room]):
            if record.execution.tenant_id == self.tenant.id:
                self._opened[record.execution.id] = Opened(record)

    def _unsealed(self) -> Iterator[Opened]:
        """The newest executions whose lineage is not kept yet."""
        wanted = unsealed(self.tenant, MOST_EXECUTIONS + 1)
        self.complete &= len(wanted) <= MOST_EXECUTIONS
        self._open_all(set(wanted[:MOST_EXECUTIONS]))
        yield from (opened for one in wanted if (opened := self._opened.get(one)) is not None)

    def _deliveries(self) -> Iterator[Consumer]:
        """What execution webhooks were told of the ends of what was reached."""
        ended = {(one.execution, one.step, one.attempt): one for one in reversed(self.found) if one.by in _ENDING}
        for delivery in deliveries_of({one.execution for one in ended.values()}, MOST):
            step = self._step_of(delivery)
            consumer = None if step is None else ended.get((delivery.execution_id, *step))
            if consumer is not None:
                at = Place(consumer.execution, At.STEP_OUTPUT, "", consumer.step, consumer.attempt)
                via = "/output" if consumer.step is None else path_of(at, None)
                yield replace(
                    consumer,
                    by=By.DELIVERY,
                    distance=consumer.distance + 1,
                    place=None,
                    via=via,
                    via_execution=consumer.execution,
                    delivery=delivery,
                )

    def _step_of(self, delivery: WebhookDelivery) -> tuple[str | None, int | None] | None:
        """The step and the attempt whose end an event tells, (None, None) for the execution's; None for any other."""
        if delivery.event_type == "execution.succeeded":
            return None, None
        opened = self._opened.get(delivery.execution_id)
        return None if opened is None else opened.told.get(delivery.sequence)


def _consumer(execution: UUID, row: Row, distance: int) -> Consumer:
    """Who a row says has read something."""
    source = source_of(execution, row)
    via, of = path_of(source, None), source.execution
    if row["step"]:
        return Consumer(By.STEP, execution, distance, row["step"], row["number"], row["field"], via, of)
    by = {"output": By.OUTPUT, "outcome": By.OUTCOME}.get(row["field"].split("/")[1], By.EXECUTION)
    return Consumer(by, execution, distance, None, None, row["field"], via, of)


def _owner(opened: Opened, consumer: Consumer) -> tuple[str, int] | None:
    """The attempt at a map or a loop whose output this part's went into."""
    index = opened.indexes.get(consumer.step or "", 0)
    if not PARTS <= index < COMPENSATIONS:
        return None
    owner = opened.names[index // PARTS - 1]
    part = opened.attempts[consumer.step or "", consumer.attempt or 0]
    return next(((owner, one.number) for one in reversed(opened.of_step(owner)) if _began_before(one, part)), None)


def _began_before(owner: Attempt, part: Attempt) -> bool:
    return owner.started_at <= part.started_at
