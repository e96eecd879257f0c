"""An execution that nobody will pay for: its checkout failed or expired, it was cancelled, the money was given back."""

from __future__ import annotations

from executions.events import Happening
from executions.payments.orders import OpenOrder
from executions.states import MOVES, PaymentStatus, target

DECLINED = "payment declined"
EXPIRED = "payment expired"
GIVEN_BACK = "the payment was given back"
"""Why such an execution was cancelled."""


def close(order: OpenOrder, status: PaymentStatus, reason: str) -> None:
    """End an order that awaits its payment (as FAILED or EXPIRED), and cancel its execution."""
    order.payment.status = status.value
    if status is PaymentStatus.FAILED:
        order.tell("payment.failed")
    else:
        order.tell("payment.expired")
    call_off(order, reason)


def call_off(order: OpenOrder, reason: str) -> None:
    """Cancel the execution that awaits this payment."""
    status = target("cancel", order.standing.status)
    order.moves.append("cancel")
    order.standing = order.standing._replace(
        status=status,
        counters=order.standing.counters._replace(ready=0),
        status_reason=reason,
        finished_at=order.now,
        due_at=None,
    )
    order.happenings.append(Happening(MOVES["cancel"].event, {"reason": reason}))
