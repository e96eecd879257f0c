"""What the simulated processes share: executions with their rows, inboxes, locks, and the clock. One transaction is
session.py."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

from contract import json_values
from contract.json_values import JSON
from executions.change import (
    AgentRow,
    ArrivalRow,
    Asked,
    AttemptEnd,
    AttemptRow,
    Change,
    ClosedTask,
    DueRow,
    ExecutionRow,
    NewTask,
    Standing,
    StepRow,
)
from executions.events import GENESIS, EventRow, Happening, chain
from executions.plan import initial
from executions.states import TERMINAL, AttemptStatus, Intent, Status, TaskStatus, target
from executions.store import Superseded
from workflows.spec import Spec

START = datetime(2030, 1, 1, tzinfo=UTC)
TENANT = UUID(int=2)
AGENT = AgentRow(UUID(int=1), "agent", "active", ("*",))
Fence = tuple[int, int]


class Process(Protocol):
    """Who is connected: where it may be interrupted, and how it waits for somebody else's lock."""

    name: str

    def at(self, point: str) -> None: ...

    def until(self, condition: Callable[[], bool]) -> None: ...


@dataclass(frozen=True, slots=True)
class Handed:
    """A task of an agent. It is claimed once at most: the attempt is the fence."""

    status: TaskStatus = TaskStatus.OPEN
    leased_until: datetime = START


@dataclass
class Kept:
    """One execution with everything that belongs to it but its inbox."""

    row: ExecutionRow
    priority: int = 0
    steps: dict[int, StepRow] = field(default_factory=dict)
    attempts: dict[Fence, AttemptRow] = field(default_factory=dict)
    workers: dict[Fence, str] = field(default_factory=dict)
    started: dict[Fence, datetime] = field(default_factory=dict)
    finished: dict[Fence, datetime] = field(default_factory=dict)
    children: dict[Fence, UUID] = field(default_factory=dict)
    items: dict[int, str | None] = field(default_factory=dict)
    tasks: dict[Fence, Handed] = field(default_factory=dict)
    due: dict[int, DueRow] = field(default_factory=dict)
    events: list[EventRow] = field(default_factory=list)

    def copied(self) -> Kept:
        """As it stands now: what is applied afterwards does not change the copy."""
        return replace(
            self,
            steps=self.steps.copy(),
            attempts=self.attempts.copy(),
            workers=self.workers.copy(),
            started=self.started.copy(),
            finished=self.finished.copy(),
            children=self.children.copy(),
            items=self.items.copy(),
            tasks=self.tasks.copy(),
            due=self.due.copy(),
            events=self.events.copy(),
        )

    @property
    def standing(self) -> Standing:
        return self.row.standing

    @property
    def is_live(self) -> bool:
        return self.row.standing.status not in TERMINAL

    @property
    def in_line(self) -> tuple[int, datetime, UUID]:
        """Its place among those that are queued with the same concurrency key."""
        assert self.row.standing.queued_at is not None, "it was queued"
        return (-self.priority, self.row.standing.queued_at, self.row.id)

    def stand(self, **members: object) -> None:
        """Move columns of the execution outside its own advance."""
        self.row = self.row._replace(seq=self.row.seq + 1, standing=self.row.standing._replace(**members))  # type: ignore[arg-type]

    def apply(self, change: Change, worker: str) -> None:
        """The rows of this execution as the one statement of transitions.py leaves them."""
        status = change.before.standing.status
        for move in change.moves:
            status = target(move, status)
        assert status is change.standing.status, f"{change.moves} do not lead to {change.standing.status}"
        self.row = change.after()
        self.steps.update(change.steps)
        self.items |= {index: new.item for index, new in change.new_steps.items()}
        for end in change.ends:
            self._end(end, change.now)
        for attempt in change.attempts:
            self._begin(attempt, worker, change.now)
        self._hand_out(change.tasks, change.tasks_closed)
        if change.due_cleared:
            self.due.clear()
        for row in change.due_gone:
            if self.due.get(row.index) == row:
                del self.due[row.index]
        for row in change.due_new:
            assert row.index not in self.due, f"step {row.index} stands as due twice"
            self.due[row.index] = row
        self.events += change.events

    def _hand_out(self, opened: Sequence[NewTask], closed: Sequence[ClosedTask]) -> None:
        for task in opened:
            fence = task.index, task.number
            assert fence not in self.tasks, f"the task of attempt {fence} was handed out twice"
            self.tasks[fence] = Handed()
        for gone in closed:
            handed = self.tasks.get((gone.index, gone.number))
            if handed is not None and handed.status is not TaskStatus.WITHDRAWN:
                self.tasks[gone.index, gone.number] = replace(handed, status=TaskStatus.CLOSED)

    def _begin(self, attempt: AttemptRow, worker: str, now: datetime) -> None:
        fence = attempt.index, attempt.number
        assert fence not in self.attempts, f"attempt {fence} began twice"
        self.attempts[fence] = attempt
        self.workers[fence] = worker
        self.started[fence] = now
        if attempt.status not in {AttemptStatus.RUNNING, AttemptStatus.WAITING}:
            self.finished[fence] = now

    def _end(self, end: AttemptEnd, now: datetime) -> None:
        fence = end.index, end.number
        attempt = self.attempts[fence]
        if attempt.status not in {AttemptStatus.RUNNING, AttemptStatus.WAITING}:
            return
        self.attempts[fence] = replace(attempt, status=end.status, output=end.output, error=end.error)
        if end.child is not None:
            self.children[fence] = end.child
        if end.status is not AttemptStatus.WAITING:
            self.finished[fence] = now


@dataclass(frozen=True, slots=True)
class Arrived:
    """One open row of an inbox."""

    row: ArrivalRow
    at: datetime
    kept: bool = False


@dataclass
class Memory:
    """Executions by id. `locks` and `keys` name who holds a row's or a concurrency key's lock."""

    now: datetime = START
    executions: dict[UUID, Kept] = field(default_factory=dict)
    inboxes: dict[UUID, dict[int, Arrived]] = field(default_factory=dict)
    locks: dict[UUID, object] = field(default_factory=dict)
    keys: dict[str, object] = field(default_factory=dict)
    children: dict[UUID, list[UUID]] = field(default_factory=dict)
    turns: dict[tuple[UUID, int, str], UUID] = field(default_factory=dict)
    arrived: int = 0
    committed: Callable[[dict[UUID, Kept]], None] = lambda _before: None
    """Told after each commit how the executions that it changed stood before it."""

    def create(self, spec: Spec, version: UUID, identifier: UUID, asked: Asked, key: str | None = None) -> None:
        """A queued execution that is due at once; `key` is its concurrency key."""
        counters = initial(spec).counters
        happenings = [Happening("execution.created", {}), Happening("execution.queued", {})]
        events, head = chain(str(identifier), 0, GENESIS, happenings, self.now)
        standing = Standing(Status.QUEUED, Intent.RUN, counters, due_at=self.now, run_id=identifier, queued_at=self.now)
        row = ExecutionRow(identifier, TENANT, version, 0, len(events), head, standing, asked, key, AGENT)
        self.executions[identifier] = Kept(row, spec.priority, events=events)
        self.inboxes[identifier] = {}
        if asked.parent_id is not None:
            self.children.setdefault(asked.parent_id, []).append(identifier)
        self.committed({})

    def arrive(self, execution_id: UUID, kind: str, payload: JSON, actor: str, name: str | None = None) -> None:
        """What a command or a sweep does: it has locked the execution, puts something into its inbox, and wakes it."""
        assert execution_id not in self.locks, "whoever puts something in has locked the execution"
        self.insert(execution_id, kind, json_values.dump(payload), actor, name)
        kept = self.executions[execution_id]
        standing = kept.standing
        reason = "paused" if standing.intent is Intent.PAUSE else None
        kept.stand(
            due_at=self.now if standing.due_at is None else min(standing.due_at, self.now),
            quarantined_at=None,
            tries=standing.tries if standing.quarantined_at is None else 0,
            status_reason=standing.status_reason if standing.quarantined_at is None else reason,
        )

    def insert(self, execution_id: UUID, kind: str, payload: str, actor: str, name: str | None = None) -> None:
        self.arrived += 1
        row = ArrivalRow(self.arrived, kind, payload, actor, name)
        self.inboxes[execution_id][self.arrived] = Arrived(row, self.now)

    def write(self, change: Change) -> None:
        """Apply what a command decided in a transaction of its own."""
        identifier = change.before.id
        before = self.executions[identifier]
        if before.row.seq != change.before.seq:
            raise Superseded
        after = before.copied()
        after.apply(change, "")
        self.executions[identifier] = after
        self.committed({identifier: before})

    def push_back(self, execution_id: UUID, reason: str) -> None:
        kept = self.executions[execution_id]
        standing = kept.standing
        if standing.due_at is None or standing.due_at > self.now:
            return
        quarantined = standing.tries >= 5
        kept.stand(
            tries=standing.tries + 1,
            due_at=None if quarantined else self.now + timedelta(seconds=5 * 2**standing.tries),
            quarantined_at=self.now if quarantined else None,
            status_reason=f"quarantined: {reason}" if quarantined else standing.status_reason,
        )

    def live(self) -> Iterator[Kept]:
        return (kept for kept in self.executions.values() if kept.is_live)

    def due(self) -> Iterator[Kept]:
        """What anybody may act upon now."""
        for kept in self.executions.values():
            due_at = kept.row.standing.due_at
            if due_at is not None and due_at <= self.now:
                yield kept

    def is_free(self, execution_id: UUID, holder: object = None) -> bool:
        return self.locks.get(execution_id, holder) is holder


def next_in_line(executions: Iterable[Kept], passed: Collection[UUID] = ()) -> Kept | None:
    """Of those that are queued under one key, the one whose turn it is."""
    queued = (
        kept
        for kept in executions
        if kept.standing.status is Status.QUEUED
        and kept.standing.intent is Intent.RUN
        and kept.standing.quarantined_at is None
        and kept.row.id not in passed
    )
    return min(queued, key=lambda kept: kept.in_line, default=None)
