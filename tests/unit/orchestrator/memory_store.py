"""The store's twin in memory: the same port, no database, a clock that the test moves."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

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
)
from executions.events import GENESIS, EventRow
from executions.plan import initial
from executions.states import AttemptStatus, Intent, Status, target
from executions.store import DUE_WINDOW, Result, Session, Superseded
from workflows.spec import Spec


@dataclass
class Kept:
    """One execution with everything that belongs to it."""

    row: ExecutionRow
    steps: dict[int, StepRow] = field(default_factory=dict)
    attempts: dict[tuple[int, int], AttemptRow] = field(default_factory=dict)
    workers: dict[tuple[int, int], str] = field(default_factory=dict)
    due: dict[int, DueRow] = field(default_factory=dict)
    inbox: dict[int, ArrivalRow] = field(default_factory=dict)
    events: list[EventRow] = field(default_factory=list)


@dataclass
class MemoryStore:
    """Executions by id. `worker` names the process in whose name attempts are claimed."""

    worker: str = "one"
    now: datetime = datetime(2030, 1, 1, tzinfo=UTC)
    executions: dict[UUID, Kept] = field(default_factory=dict)

    def seen_by(self, worker: str) -> MemoryStore:
        """The same memory for another process."""
        return replace(self, worker=worker)

    def create(self, spec: Spec, value: str = "{}") -> UUID:
        """A queued execution that is due at once."""
        identifier = uuid4()
        counters = initial(spec).counters
        standing = Standing(Status.QUEUED, Intent.RUN, counters, due_at=self.now, run_id=uuid4())
        row = ExecutionRow(identifier, uuid4(), 0, 0, GENESIS, standing, Asked(value))
        self.executions[identifier] = Kept(row)
        return identifier

    @contextmanager
    def session(self) -> Iterator[Session]:
        session = _MemorySession(self)
        yield session
        if session.committed:
            for change in session.staged:
                self._apply(change)

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

    def _apply(self, change: Change) -> None:
        kept = self.executions[change.before.id]
        if kept.row.seq != change.before.seq:
            raise Superseded
        status = change.before.standing.status
        for move in change.moves:
            status = target(move, status)
        assert status is change.standing.status
        kept.row = change.after()
        kept.steps.update(change.steps)
        for attempt in change.attempts:
            kept.attempts[attempt.index, attempt.number] = attempt
            kept.workers[attempt.index, attempt.number] = self.worker
        for end in change.ends:
            _end(kept, end)
        for row in (*change.due_gone, *(kept.due.values() if change.due_cleared else ())):
            kept.due = {index: due for index, due in kept.due.items() if index != row.index}
        kept.due |= {row.index: row for row in change.due_new}
        kept.inbox = {key: row for key, row in kept.inbox.items() if key not in change.consumed}
        kept.events += change.events


def _end(kept: Kept, end: AttemptEnd) -> None:
    attempt = kept.attempts[end.index, end.number]
    if attempt.status is AttemptStatus.RUNNING:
        ended = replace(attempt, status=end.status, output=end.output, error=end.error)
        kept.attempts[end.index, end.number] = ended


class _MemorySession:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.staged: list[Change] = []
        self.committed = False

    def lock(self, execution_id: UUID, indexes: Collection[int]) -> Loaded | None:
        kept = self._store.executions.get(execution_id)
        if kept is None:
            return None
        due = sorted(kept.due.values(), key=lambda row: (row.due_at, row.index))[:DUE_WINDOW]
        steps = {index: kept.steps[index] for index in indexes if index in kept.steps}
        return Loaded(kept.row, self._store.now, steps, due, list(kept.inbox.values()))

    def take(self) -> Loaded | None:
        staged = {change.before.id for change in self.staged}
        due = [
            kept.row
            for identifier, kept in self._store.executions.items()
            if identifier not in staged
            and kept.row.standing.due_at is not None
            and kept.row.standing.due_at <= self._store.now
        ]
        if not due:
            return None
        return self.lock(min(due, key=lambda row: (row.standing.due_at, row.id)).id, ())

    def steps(self, execution_id: UUID, indexes: Collection[int]) -> Mapping[int, StepRow]:
        kept = self._store.executions[execution_id]
        return {index: kept.steps[index] for index in indexes}

    def results(self, execution_id: UUID, indexes: Collection[int]) -> Mapping[int, Result]:
        kept = self._store.executions[execution_id]
        found = {}
        for index in indexes:
            step = kept.steps[index]
            attempt = kept.attempts.get((index, step.attempts))
            succeeded = attempt is not None and attempt.status is AttemptStatus.SUCCEEDED
            found[index] = Result(step.state.status, attempt.output if attempt and succeeded else None)
        return found

    def stage(self, change: Change) -> None:
        self.staged.append(change)

    def commit(self) -> None:
        self.committed = True
