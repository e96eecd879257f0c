"""The sweep of sweep.py on the memory: lost attempts into inboxes, what nobody heard and who is next in line woken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from contract import json_values
from executions.change import RunningAttempt
from executions.states import AttemptStatus, Status, TaskStatus
from tests.simulator.memory import Kept, Memory, next_in_line
from tests.simulator.worker import Worker

UNLISTED = timedelta(seconds=3)
UNHEARD = timedelta(seconds=0.5)


def sweep(memory: Memory, workers: Mapping[str, Worker], tell: Callable[..., None]) -> bool:
    """One look; whether anything is due."""
    for worker in workers.values():
        worker.beat(memory.now)
    for kept in [kept for kept in memory.live() if memory.is_free(kept.row.id)]:
        _lose(memory, workers, kept, tell)
        _withdraw(memory, kept, tell)
    for kept in [kept for kept in memory.live() if memory.is_free(kept.row.id)]:
        _wake_unheard(memory, kept)
    _wake_next_in_line(memory)
    return any(memory.due())


def _lose(memory: Memory, workers: Mapping[str, Worker], kept: Kept, tell: Callable[..., None]) -> None:
    if not kept.standing.counters.running:
        return
    identifier = kept.row.id
    told = {
        json_values.load(arrived.row.payload)["index"]
        for arrived in memory.inboxes[identifier].values()
        if arrived.row.kind == "attempt_lost"
    }
    for (index, number), attempt in list(kept.attempts.items()):
        if attempt.status is AttemptStatus.RUNNING and index not in told:
            fence = RunningAttempt(identifier, index, number, "")
            if _is_orphan(memory, workers.get(kept.workers[index, number]), kept, fence):
                tell("sweep: lost", identifier, index, number)
                memory.arrive(identifier, "attempt_lost", {"index": index, "number": number}, "sweeper")


def _withdraw(memory: Memory, kept: Kept, tell: Callable[..., None]) -> None:
    """Tasks whose worker was silent for too long."""
    for (index, number), handed in list(kept.tasks.items()):
        if handed.status is TaskStatus.CLAIMED and handed.leased_until < memory.now:
            tell("sweep: withdrawn", kept.row.id, index, number)
            kept.tasks[index, number] = replace(handed, status=TaskStatus.WITHDRAWN)
            memory.arrive(kept.row.id, "attempt_lost", {"index": index, "number": number}, "sweeper")


def _is_orphan(memory: Memory, worker: Worker | None, kept: Kept, attempt: RunningAttempt) -> bool:
    started = kept.started[attempt.index, attempt.number]
    if started >= memory.now - UNLISTED:
        return False
    if worker is None or worker.expires_at < memory.now:
        return True
    fence = f"{attempt.execution_id}:{attempt.index}:{attempt.number}"
    return worker.beat_at > started + UNLISTED and fence not in worker.listed


def _wake_unheard(memory: Memory, kept: Kept) -> None:
    standing, early = kept.standing, memory.now - UNHEARD
    unheard = any(not arrived.kept and arrived.at < early for arrived in memory.inboxes[kept.row.id].values())
    if unheard and standing.quarantined_at is None and (standing.due_at is None or standing.due_at > memory.now):
        kept.stand(due_at=memory.now)


def _wake_next_in_line(memory: Memory) -> None:
    lines: dict[str, list[Kept]] = {}
    for kept in memory.executions.values():
        if kept.row.concurrency_key is not None:
            lines.setdefault(kept.row.concurrency_key, []).append(kept)
    for line in lines.values():
        active = any(
            kept.standing.status in {Status.RUNNING, Status.WAITING}
            or (kept.standing.status is Status.QUEUED and kept.standing.due_at is not None)
            for kept in line
        )
        first = next_in_line(line)
        if active or first is None or first.standing.due_at is not None:
            continue
        if memory.is_free(first.row.id):
            first.stand(due_at=memory.now)
