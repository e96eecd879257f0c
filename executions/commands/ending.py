"""Cancel an execution."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from executions.commands.inbox import arrive, check_live
from executions.models import ArrivalKind
from executions.payments.closing import close
from executions.payments.orders import opened
from executions.rows import lock
from executions.states import PaymentStatus, Status


def cancel(execution_id: UUID, reason: str | None, actor: str) -> None:
    """End an execution. One that awaits payment ends at once; of any other nothing new begins and what runs ends first.

    Raises Conflict where it has ended already.
    """
    with transaction.atomic():
        execution = lock(execution_id)
        check_live(execution)
        if execution.status == Status.AWAITING_PAYMENT:
            with opened(execution_id) as order:
                close(order, PaymentStatus.EXPIRED, reason or f"cancelled by {actor}")
        else:
            arrive(execution, ArrivalKind.CANCEL, {"reason": reason}, actor)
