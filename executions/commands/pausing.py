"""Pause an execution, so that nothing new of it begins, and resume it; also one that is quarantined."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from contract.problems import Conflict
from executions.announce import announce
from executions.commands.inbox import PAUSED, check_live
from executions.events import Happening
from executions.models import Task
from executions.rows import database_now, lock, standing_of, write
from executions.states import Intent, Status, TaskStatus


def pause(execution_id: UUID, actor: str) -> None:
    """Nothing new begins, nor is claimed, until it is resumed; what runs or was claimed goes on to its end.

    Raises Conflict where it has ended (already_ended), is about to (already_ending) or is paused (already_paused).
    """
    with transaction.atomic():
        execution = lock(execution_id)
        check_live(execution)
        standing = standing_of(execution)
        if standing.intent is Intent.PAUSE:
            raise Conflict("the execution is paused already", reason="already_paused")
        if standing.intent is not Intent.RUN:
            raise Conflict("the execution is about to end", reason="already_ending")
        reason = PAUSED if standing.quarantined_at is None else standing.status_reason
        paused = standing._replace(intent=Intent.PAUSE, status_reason=reason)
        write(execution, paused, [], [Happening("execution.paused", {"by": actor})], database_now())
        _move_tasks(execution_id, TaskStatus.OPEN, TaskStatus.HELD)


def resume(execution_id: UUID, actor: str) -> None:
    """Go on where it was paused, and release it from quarantine.

    Raises Conflict where it has ended (already_ended) or is neither paused nor quarantined (not_paused).
    """
    with transaction.atomic():
        execution = lock(execution_id)
        check_live(execution)
        standing = standing_of(execution)
        if standing.intent is not Intent.PAUSE and standing.quarantined_at is None:
            raise Conflict("the execution is not paused", reason="not_paused")
        now = database_now()
        resumed = standing._replace(
            intent=Intent.RUN if standing.intent is Intent.PAUSE else standing.intent,
            status_reason=None,
            quarantined_at=None,
            due_at=standing.due_at if standing.status is Status.AWAITING_PAYMENT else now,
        )
        write(execution, resumed, [], [Happening("execution.resumed", {"by": actor})], now)
        _move_tasks(execution_id, TaskStatus.HELD, TaskStatus.OPEN)
        transaction.on_commit(announce)


def _move_tasks(execution_id: UUID, source: TaskStatus, target: TaskStatus) -> None:
    Task.objects.filter(execution_id=execution_id, status=source.value).update(status=target.value)
