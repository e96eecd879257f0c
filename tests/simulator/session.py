"""One transaction on the memory: the store's port, with the locks and the visibility of READ COMMITTED."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar
from uuid import NAMESPACE_OID, UUID, uuid5

from contract import json_values
from executions.change import (
    AgentRow,
    ArrivalRow,
    Carrier,
    Change,
    ExecutionRow,
    Loaded,
    RunningAttempt,
    StepRow,
    WaitingAttempt,
)
from executions.states import AttemptStatus, Intent, Status, StepStatus
from executions.store import DUE_WINDOW, Child, Result, Session, Superseded
from tests.simulator.memory import Arrived, Kept, Memory, Process
from workflows.spec import COMPENSATIONS

_Locked = TypeVar("_Locked", UUID, str)

TICK = timedelta(microseconds=1)
"""No two looks see the clock stand at the same moment."""


@dataclass
class MemoryStore:
    """The memory as one worker process reaches it."""

    memory: Memory
    process: Process

    @contextmanager
    def session(self) -> Iterator[Session]:
        session = MemorySession(self.memory, self.process)
        try:
            yield session
        finally:
            session.release()
        if session.superseded:
            raise Superseded

    def held(self) -> Collection[RunningAttempt]:
        self.process.at("held")
        return [
            RunningAttempt(identifier, index, number, attempt.input or "")
            for identifier, kept in self.memory.executions.items()
            if kept.row.standing.counters.running
            for (index, number), attempt in kept.attempts.items()
            if attempt.status is AttemptStatus.RUNNING and kept.workers[index, number] == self.process.name
        ]

    def push_back(self, execution_id: UUID, reason: str) -> None:
        self.process.at("push back")
        self.process.until(lambda: self.memory.is_free(execution_id))
        self.memory.push_back(execution_id, reason)


class MemorySession:
    """What is staged is seen by this session at once, and by everybody else when it commits."""

    def __init__(self, memory: Memory, process: Process) -> None:
        self._memory = memory
        self._process = process
        self._own: dict[UUID, Kept] = {}
        self._before: dict[UUID, Kept] = {}
        self._gone: list[tuple[UUID, int]] = []
        self.carrier = Carrier(uuid5(NAMESPACE_OID, process.name), process.name, "simulated")
        self._set_aside: list[tuple[UUID, int]] = []
        self._arriving: dict[tuple[UUID, int], Arrived] = {}
        self.superseded = False

    def lock(self, execution_id: UUID, indexes: Collection[int]) -> Loaded | None:
        self._process.at("lock")
        if execution_id not in self._memory.executions:
            return None
        self._process.until(lambda: self._memory.is_free(execution_id, self))
        self._memory.locks[execution_id] = self
        self._process.at("locked")
        return self._loaded(execution_id, indexes)

    def go_on(self, known: Loaded) -> Loaded | None:
        self._process.at("go on")
        self._memory.now += TICK
        return replace(known, now=self._memory.now)

    def take(self, avoided: Collection[UUID]) -> Loaded | None:
        self._process.at("take")
        if self.superseded:
            raise Superseded
        memory = self._memory
        due = [
            (-kept.priority, kept.row.standing.due_at, identifier)
            for identifier, kept in ((i, self._own.get(i, kept)) for i, kept in memory.executions.items())
            if kept.row.standing.due_at is not None
            and kept.row.standing.due_at <= memory.now
            and memory.is_free(identifier, self)
            and identifier not in avoided
        ]
        if not due:
            return None
        execution_id = min(due)[2]
        memory.locks[execution_id] = self
        self._process.at("taken")
        return self._loaded(execution_id, ())

    def text(self, _execution_id: UUID, column: str) -> str:
        return column

    def steps(self, execution_id: UUID, indexes: Collection[int]) -> Mapping[int, StepRow]:
        steps = self._see(execution_id).steps
        return {index: steps[index] for index in indexes if index in steps}

    def results(self, execution_id: UUID, indexes: Collection[int]) -> Mapping[int, Result]:
        kept = self._see(execution_id)
        found = (index for index in indexes if index in kept.steps)
        return {index: Result(kept.steps[index].state.status, _output(kept, index)) for index in found}

    def items(self, execution_id: UUID, indexes: Collection[int]) -> Mapping[int, str]:
        items = self._see(execution_id).items
        return {index: items[index] or "null" for index in indexes}

    def waiting(self, execution_id: UUID, indexes: Collection[int] | None) -> Sequence[WaitingAttempt]:
        kept = self._see(execution_id)
        return [
            WaitingAttempt(index, number, attempt.input, kept.children.get((index, number)))
            for (index, number), attempt in sorted(kept.attempts.items())
            if attempt.status is AttemptStatus.WAITING and (indexes is None or index in indexes)
        ]

    def running(self, execution_id: UUID) -> Sequence[RunningAttempt]:
        kept = self._see(execution_id)
        return [
            RunningAttempt(execution_id, index, row.attempts, "")
            for index, row in sorted(kept.steps.items())
            if row.state.status is StepStatus.RUNNING
            and kept.attempts[index, row.attempts].status is AttemptStatus.RUNNING
        ]

    def awaiting(self, execution_id: UUID, signal: str) -> Sequence[WaitingAttempt]:
        started = self._see(execution_id).started
        found = [
            waiting
            for waiting in self.waiting(execution_id, None)
            if json_values.load(waiting.input or "{}").get("signal") == signal
        ]
        return sorted(found, key=lambda w: (started[w.index, w.number], w.index))[:100]

    def kept(self, execution_id: UUID, signal: str) -> Sequence[ArrivalRow]:
        inbox = self._memory.inboxes[execution_id]
        found = [
            arrived.row
            for number, arrived in sorted(inbox.items())
            if arrived.row.name == signal
            and (arrived.kept or (execution_id, number) in self._set_aside)
            and (execution_id, number) not in self._gone
        ]
        return found[:256]

    def unopened(self, execution_id: UUID, first: int, end: int, most: int) -> Mapping[int, StepRow]:
        rows = self._between(execution_id, first, end)
        found = [index for index, row in rows.items() if row.state.status is StepStatus.PENDING]
        return {index: rows[index] for index in sorted(found)[:most]}

    def unended(self, execution_id: UUID, first: int, end: int) -> Mapping[int, StepRow]:
        open_ = {StepStatus.RUNNING, StepStatus.RETRYING, StepStatus.WAITING}
        return {
            index: row
            for index, row in sorted(self._between(execution_id, first, end).items())
            if row.state.status in open_ or (row.state.status is StepStatus.PENDING and row.state.parents_live)
        }

    def joined(self, execution_id: UUID, first: int, end: int, own: Mapping[int, str], most_bytes: int) -> str | None:
        kept = self._see(execution_id)
        found = sorted(self._between(execution_id, first, end))
        texts = [own.get(index) or _output(kept, index) or "null" for index in found]
        return "[" + ",".join(texts) + "]" if sum(map(len, texts)) <= most_bytes else None

    def to_compensate(self, execution_id: UUID, indexes: Collection[int]) -> int | None:
        kept = self._see(execution_id)
        found = [
            (kept.finished[index, kept.steps[index].attempts], index)
            for index in indexes
            if kept.steps[index].state.status is StepStatus.SUCCEEDED and not _undone(kept, index)
        ]
        return max(found)[1] if found else None

    def child(self, execution_id: UUID) -> Child:
        self._process.at("child")
        standing = self._see(execution_id).standing
        return Child(standing.status, standing.status_reason, standing.output)

    def live_children(self, execution_id: UUID) -> Sequence[UUID]:
        self._process.at("live children")
        return [child for child in self._memory.children.get(execution_id, ()) if self._see(child).is_live]

    def agent(self, execution_id: UUID, agent_id: UUID) -> AgentRow | None:
        own = self._see(execution_id).row.agent
        return own if own is not None and own.id == agent_id else None

    def admitted(self, row: ExecutionRow, limit: int) -> bool:
        key = row.concurrency_key
        assert key is not None, "only what has a key waits for its turn"
        self._process.until(lambda: self._memory.keys.get(key, self) is self)
        self._memory.keys[key] = self
        everything = [self._own.get(i, kept) for i, kept in self._memory.executions.items()]
        same = [kept for kept in everything if kept.row.concurrency_key == key]
        holding = sum(kept.standing.status in {Status.RUNNING, Status.WAITING} for kept in same)
        mine = self._see(row.id).in_line
        before = (
            kept.standing.status is Status.QUEUED
            and kept.standing.intent is Intent.RUN
            and kept.standing.quarantined_at is None
            and kept.in_line < mine
            for kept in same
        )
        return holding < limit and not any(before)

    def stage(self, change: Change, searched: Collection[int] = ()) -> None:  # noqa: ARG002 - as the port has it
        self._process.at("stage")
        identifier = change.before.id
        self._process.until(lambda: self._memory.is_free(identifier, self))
        self._memory.locks[identifier] = self
        if self._see(identifier).row.seq != change.before.seq:
            self.superseded = True
            return
        self._write(identifier).apply(change, self._process.name)
        self._gone += [(identifier, number) for number in change.consumed]
        self._set_aside += [(identifier, number) for number in change.kept]
        self._notify(change)
        if change.frees is not None:
            self._free(change.frees, identifier)

    def commit(self) -> None:
        self._process.at("commit")
        memory = self._memory
        memory.executions.update(self._own)
        for (identifier, number), arrived in self._arriving.items():
            memory.inboxes[identifier][number] = arrived
        for identifier, number in self._set_aside:
            memory.inboxes[identifier][number] = replace(memory.inboxes[identifier][number], kept=True)
        for identifier, number in self._gone:
            memory.inboxes[identifier].pop(number, None)
        before, self._own = self._before, {}
        self.release()
        memory.committed(before)
        self._process.at("committed")

    def release(self) -> None:
        """Let go of every lock; what was not committed is forgotten."""
        _let_go(self._memory.locks, self)
        _let_go(self._memory.keys, self)

    def _loaded(self, execution_id: UUID, indexes: Collection[int]) -> Loaded:
        self._memory.now += TICK
        kept = self._see(execution_id)
        due = sorted(kept.due.values(), key=lambda row: (row.due_at, row.index))[:DUE_WINDOW]
        steps = {index: kept.steps[index] for index in indexes if index in kept.steps}
        inbox = {(execution_id, number): arrived for number, arrived in self._memory.inboxes[execution_id].items()}
        inbox |= {number: arrived for number, arrived in self._arriving.items() if number[0] == execution_id}
        over = {*self._gone, *self._set_aside}
        open_ = [arrived.row for number, arrived in sorted(inbox.items()) if not arrived.kept and number not in over]
        return Loaded(kept.row, self._memory.now, steps, due, open_[:100], len(due) == DUE_WINDOW)

    def _notify(self, change: Change) -> None:
        """Other executions' rows are written only if nobody has them locked; a sweep wakes those that were."""
        memory = self._memory
        for notice in change.notices:
            memory.arrived += 1
            row = ArrivalRow(memory.arrived, notice.kind, notice.payload, notice.actor)
            self._arriving[notice.execution_id, row.id] = Arrived(row, change.now)
            kept = self._see(notice.execution_id)
            if kept.is_live and kept.standing.quarantined_at is None and memory.is_free(kept.row.id, self):
                memory.locks[notice.execution_id] = self
                due_at = min(kept.standing.due_at or change.now, change.now)
                self._write(notice.execution_id).stand(due_at=due_at)

    def _free(self, key: str, by: UUID) -> None:
        everything = (self._own.get(i, kept) for i, kept in self._memory.executions.items() if i != by)
        waiting = [
            kept
            for kept in everything
            if kept.row.concurrency_key == key
            and kept.standing.status is Status.QUEUED
            and kept.standing.due_at is None
            and kept.standing.intent is Intent.RUN
            and self._memory.is_free(kept.row.id, self)
        ]
        if waiting:
            chosen = min(waiting, key=lambda kept: kept.in_line).row.id
            self._memory.locks[chosen] = self
            self._write(chosen).stand(due_at=self._memory.now)

    def _see(self, execution_id: UUID) -> Kept:
        return self._own.get(execution_id) or self._memory.executions[execution_id]

    def _write(self, execution_id: UUID) -> Kept:
        if execution_id not in self._own:
            self._before[execution_id] = self._memory.executions[execution_id]
            self._own[execution_id] = self._before[execution_id].copied()
        return self._own[execution_id]

    def _between(self, execution_id: UUID, first: int, end: int) -> dict[int, StepRow]:
        return {index: row for index, row in self._see(execution_id).steps.items() if first <= index < end}


def _output(kept: Kept, index: int) -> str | None:
    attempt = kept.attempts.get((index, kept.steps[index].attempts))
    return attempt.output if attempt is not None and attempt.status is AttemptStatus.SUCCEEDED else None


def _undone(kept: Kept, index: int) -> bool:
    compensation = kept.steps.get(COMPENSATIONS + index)
    return compensation is not None and compensation.state.status is not StepStatus.PENDING


def _let_go(locks: dict[_Locked, object], holder: object) -> None:
    for key in [key for key, by in locks.items() if by is holder]:
        del locks[key]
