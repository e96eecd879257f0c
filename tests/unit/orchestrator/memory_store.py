"""The store's twin in memory: the same port, no database, a clock that the test moves."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from contract import json_values
from contract.json_values import JSON
from executions.change import (
    ArrivalRow,
    Asked,
    AttemptEnd,
    AttemptRow,
    Change,
    DueRow,
    ExecutionRow,
    Loaded,
    RunningAttempt,
    Standing,
    StepRow,
    WaitingAttempt,
)
from executions.events import GENESIS, EventRow
from executions.plan import initial
from executions.states import TERMINAL, AttemptStatus, Intent, Status, StepStatus, target
from executions.store import DUE_WINDOW, Child, Result, Session, Superseded
from workflows.spec import COMPENSATIONS, Spec


@dataclass
class Kept:
    """One execution with everything that belongs to it."""

    row: ExecutionRow
    steps: dict[int, StepRow] = field(default_factory=dict)
    attempts: dict[tuple[int, int], AttemptRow] = field(default_factory=dict)
    workers: dict[tuple[int, int], str] = field(default_factory=dict)
    items: dict[int, str | None] = field(default_factory=dict)
    children: dict[tuple[int, int], UUID | None] = field(default_factory=dict)
    ended: dict[tuple[int, int], int] = field(default_factory=dict)
    due: dict[int, DueRow] = field(default_factory=dict)
    inbox: dict[int, ArrivalRow] = field(default_factory=dict)
    kept: dict[int, ArrivalRow] = field(default_factory=dict)
    events: list[EventRow] = field(default_factory=list)


@dataclass
class MemoryStore:
    """Executions by id. `worker` names the process in whose name attempts are claimed."""

    worker: str = "one"
    now: datetime = datetime(2030, 1, 1, tzinfo=UTC)
    executions: dict[UUID, Kept] = field(default_factory=dict)
    arrivals: list[int] = field(default_factory=lambda: [0])

    def seen_by(self, worker: str) -> MemoryStore:
        """The same memory for another process."""
        return replace(self, worker=worker)

    def create(self, spec: Spec, asked: Asked = Asked("{}"), identifier: UUID | None = None) -> UUID:  # noqa: B008 - frozen
        """A queued execution that is due at once."""
        identifier = identifier or uuid4()
        counters = initial(spec).counters
        standing = Standing(Status.QUEUED, Intent.RUN, counters, due_at=self.now, run_id=identifier)
        row = ExecutionRow(identifier, identifier, 0, 0, GENESIS, standing, asked)
        self.executions[identifier] = Kept(row)
        return identifier

    def arrive(self, execution_id: UUID, kind: str, payload: JSON, name: str | None = None) -> None:
        """Put something into an inbox, and make the execution due."""
        kept = self.executions[execution_id]
        self.arrivals[0] += 1
        number = self.arrivals[0]
        kept.inbox[number] = ArrivalRow(number, kind, json_values.dump(payload), "tests", name)
        standing = kept.row.standing
        if standing.status not in TERMINAL and standing.quarantined_at is None:
            due_at = min(standing.due_at or self.now, self.now)
            kept.row = replace(kept.row, seq=kept.row.seq + 1, standing=replace(standing, due_at=due_at))

    @contextmanager
    def session(self) -> Iterator[Session]:
        session = _MemorySession(self)
        try:
            yield session
        finally:
            if not session.committed:
                self.executions.update(session.before)

    def held(self) -> Collection[RunningAttempt]:
        return [
            RunningAttempt(identifier, index, number, attempt.input or "")
            for identifier, kept in self.executions.items()
            for (index, number), attempt in kept.attempts.items()
            if attempt.status is AttemptStatus.RUNNING and kept.workers[index, number] == self.worker
        ]

    def push_back(self, execution_id: UUID, reason: str) -> None:
        kept = self.executions[execution_id]
        standing = kept.row.standing
        if standing.due_at is None or standing.due_at > self.now:
            return
        away = timedelta(seconds=5 * 2**standing.tries)
        quarantined = standing.tries >= 5
        changed = replace(
            standing,
            tries=standing.tries + 1,
            due_at=None if quarantined else self.now + away,
            quarantined_at=self.now if quarantined else None,
            status_reason=f"quarantined: {reason}" if quarantined else standing.status_reason,
        )
        kept.row = replace(kept.row, seq=kept.row.seq + 1, standing=changed)

    def apply(self, change: Change) -> None:
        kept = self.executions[change.before.id]
        if kept.row.seq != change.before.seq:
            raise Superseded
        status = change.before.standing.status
        for move in change.moves:
            status = target(move, status)
        assert status is change.standing.status
        kept.row = change.after()
        kept.steps.update(change.steps)
        kept.items |= {index: new.item for index, new in change.new_steps.items()}
        for attempt in change.attempts:
            kept.attempts[attempt.index, attempt.number] = attempt
            kept.workers[attempt.index, attempt.number] = self.worker
            kept.ended[attempt.index, attempt.number] = len(kept.events)
        for end in change.ends:
            _end(kept, end)
        if change.due_cleared:
            kept.due.clear()
        for row in change.due_gone:
            kept.due.pop(row.index, None)
        kept.due |= {row.index: row for row in change.due_new}
        kept.kept |= {key: row for key, row in kept.inbox.items() if key in change.kept}
        gone = {*change.consumed, *change.kept}
        kept.inbox = {key: row for key, row in kept.inbox.items() if key not in gone}
        kept.kept = {key: row for key, row in kept.kept.items() if key not in change.consumed}
        kept.events += change.events
        for notice in change.notices:
            self.arrive(notice.execution_id, notice.kind, json_values.load(notice.payload))


def _end(kept: Kept, end: AttemptEnd) -> None:
    fence = end.index, end.number
    attempt = kept.attempts[fence]
    if attempt.status in {AttemptStatus.RUNNING, AttemptStatus.WAITING}:
        kept.attempts[fence] = replace(attempt, status=end.status, output=end.output, error=end.error)
        kept.children[fence] = end.child or kept.children.get(fence)
        kept.ended[fence] = len(kept.events)


class _MemorySession:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.before: dict[UUID, Kept] = {}
        self.committed = False

    def lock(self, execution_id: UUID, indexes: Collection[int]) -> Loaded | None:
        kept = self._store.executions.get(execution_id)
        if kept is None:
            return None
        due = sorted(kept.due.values(), key=lambda row: (row.due_at, row.index))[:DUE_WINDOW]
        steps = {index: kept.steps[index] for index in indexes if index in kept.steps}
        return Loaded(kept.row, self._store.now, steps, due, list(kept.inbox.values()))

    def take(self) -> Loaded | None:
        now = self._store.now
        due = [
            kept.row
            for identifier, kept in self._store.executions.items()
            if identifier not in self.before
            and kept.row.standing.due_at is not None
            and kept.row.standing.due_at <= now
        ]
        if not due:
            return None
        return self.lock(min(due, key=lambda row: (row.standing.due_at, row.id)).id, ())

    def steps(self, execution_id: UUID, indexes: Collection[int]) -> Mapping[int, StepRow]:
        kept = self._store.executions[execution_id]
        return {index: kept.steps[index] for index in indexes if index in kept.steps}

    def results(self, execution_id: UUID, indexes: Collection[int]) -> Mapping[int, Result]:
        kept = self._store.executions[execution_id]
        return {
            index: Result(kept.steps[index].state.status, self._output(kept, index))
            for index in indexes
            if index in kept.steps
        }

    def items(self, execution_id: UUID, indexes: Collection[int]) -> Mapping[int, str]:
        kept = self._store.executions[execution_id]
        return {index: kept.items[index] or "null" for index in indexes}

    def waiting(self, execution_id: UUID, indexes: Collection[int] | None) -> Sequence[WaitingAttempt]:
        kept = self._store.executions[execution_id]
        return [
            WaitingAttempt(index, number, attempt.input, kept.children.get((index, number)))
            for (index, number), attempt in sorted(kept.attempts.items())
            if attempt.status is AttemptStatus.WAITING and (indexes is None or index in indexes)
        ]

    def running(self, execution_id: UUID) -> Sequence[RunningAttempt]:
        kept = self._store.executions[execution_id]
        return [
            RunningAttempt(execution_id, index, number, "")
            for (index, number), attempt in sorted(kept.attempts.items())
            if attempt.status is AttemptStatus.RUNNING
        ]

    def awaiting(self, execution_id: UUID, signal: str) -> Sequence[WaitingAttempt]:
        found = self.waiting(execution_id, None)
        return [w for w in found if json_values.load(w.input or "{}").get("signal") == signal]

    def kept(self, execution_id: UUID, signal: str) -> Sequence[ArrivalRow]:
        kept = self._store.executions[execution_id].kept
        return [row for _, row in sorted(kept.items()) if row.name == signal]

    def unopened(self, execution_id: UUID, first: int, end: int, most: int) -> Mapping[int, StepRow]:
        rows = self._between(execution_id, first, end)
        found = [index for index, row in rows.items() if row.state.status is StepStatus.PENDING]
        return {index: rows[index] for index in sorted(found)[:most]}

    def unended(self, execution_id: UUID, first: int, end: int) -> Mapping[int, StepRow]:
        open_ = {StepStatus.RUNNING, StepStatus.RETRYING, StepStatus.WAITING}
        return {
            index: row
            for index, row in self._between(execution_id, first, end).items()
            if row.state.status in open_ or (row.state.status is StepStatus.PENDING and row.state.parents_live)
        }

    def joined(self, execution_id: UUID, first: int, end: int, own: Mapping[int, str], most_bytes: int) -> str | None:
        kept = self._store.executions[execution_id]
        rows = self._between(execution_id, first, end)
        texts = [own.get(index) or self._output(kept, index) or "null" for index in sorted(rows)]
        text = "[" + ",".join(texts) + "]"
        return text if len(text) <= most_bytes else None

    def to_compensate(self, execution_id: UUID, indexes: Collection[int]) -> int | None:
        kept = self._store.executions[execution_id]
        found = [
            (kept.ended[index, kept.steps[index].attempts], index)
            for index in indexes
            if kept.steps[index].state.status is StepStatus.SUCCEEDED and not self._undone(kept, index)
        ]
        return max(found)[1] if found else None

    def child(self, execution_id: UUID) -> Child:
        standing = self._store.executions[execution_id].row.standing
        return Child(standing.status, standing.status_reason, standing.output)

    def live_children(self, execution_id: UUID) -> Sequence[UUID]:
        return [
            identifier
            for identifier, kept in self._store.executions.items()
            if kept.row.asked.parent_id == execution_id and kept.row.standing.status not in TERMINAL
        ]

    def admitted(self, row: ExecutionRow, limit: int) -> bool:
        others = [k.row for k in self._store.executions.values() if k.row.concurrency_key == row.concurrency_key]
        holding = [other for other in others if other.standing.status in {Status.RUNNING, Status.WAITING}]
        before = [o for o in others if o.standing.status is Status.QUEUED and o.standing.intent is Intent.RUN]
        return len(holding) < limit and min(before, key=lambda o: (o.standing.queued_at, o.id)).id == row.id

    def stage(self, change: Change) -> None:
        for identifier in (change.before.id, *(notice.execution_id for notice in change.notices)):
            self.before.setdefault(identifier, copied(self._store.executions[identifier]))
        self._store.apply(change)

    def commit(self) -> None:
        self.committed = True

    def _between(self, execution_id: UUID, first: int, end: int) -> dict[int, StepRow]:
        kept = self._store.executions[execution_id]
        return {index: row for index, row in kept.steps.items() if first <= index < end}

    def _output(self, kept: Kept, index: int) -> str | None:
        attempt = kept.attempts.get((index, kept.steps[index].attempts))
        succeeded = attempt is not None and attempt.status is AttemptStatus.SUCCEEDED
        return attempt.output if attempt and succeeded else None

    def _undone(self, kept: Kept, index: int) -> bool:
        compensation = kept.steps.get(COMPENSATIONS + index)
        return compensation is not None and compensation.state.status is not StepStatus.PENDING


def copied(kept: Kept) -> Kept:
    """As it stands now: what is applied afterwards does not change the copy."""
    members = {f.name: getattr(kept, f.name) for f in fields(kept)}
    return Kept(**{name: value.copy() if isinstance(value, dict | list) else value for name, value in members.items()})
