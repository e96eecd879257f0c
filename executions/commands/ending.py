"""Cancel an execution."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from django.db import transaction

from executions.commands.inbox import arrive, check_live
from executions.events import Happening
from executions.models import ArrivalKind, Execution, Payment
from executions.rows import database_now, lock, standing_of, write
from executions.states import MOVES, PaymentStatus, Status, target


def cancel(execution_id: UUID, reason: str | None, actor: str) -> None:
    """End an execution. One that awaits payment ends at once; of any other nothing new begins and what runs ends first.

    Raises Conflict where it has ended already.
    """
    with transaction.atomic():
        execution = lock(execution_id)
        check_live(execution)
        if execution.status == Status.AWAITING_PAYMENT:
            _cancel_unpaid(execution, reason or f"cancelled by {actor}")
        else:
            arrive(execution, ArrivalKind.CANCEL, {"reason": reason}, actor)


def _cancel_unpaid(execution: Execution, reason: str) -> None:
    payment = Payment.objects.select_for_update(no_key=True).get(execution=execution)
    now = database_now()
    status = target("cancel", Status(execution.status))
    counters = replace(standing_of(execution).counters, ready=0)
    standing = replace(
        standing_of(execution), status=status, counters=counters, status_reason=reason, finished_at=now, due_at=None
    )
    happenings = [
        Happening("payment.expired", {"order": str(payment.order_id)}),
        Happening(MOVES["cancel"].event, {"reason": reason}),
    ]
    write(execution, standing, ["cancel"], happenings, now)
    payment.status = PaymentStatus.EXPIRED.value
    payment.save(update_fields=["status"])
