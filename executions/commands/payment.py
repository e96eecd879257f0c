"""What is told of the payment of an execution: that it was paid or declined, or that money is to be given back."""

from __future__ import annotations

from django.conf import settings

from contract.problems import Conflict
from executions.models import Payment, Refund
from executions.payments import refunding
from executions.payments.charging import take_in
from executions.payments.closing import DECLINED, close
from executions.payments.orders import opened
from executions.payments.port import Paid
from executions.payments.words import CONFIRMABLE, SANDBOX, Cause
from executions.states import PaymentStatus

UNPAID = frozenset({PaymentStatus.UNPAID, PaymentStatus.PROCESSING})


def confirm_payment(payment: Payment, reference: str, actor: str) -> Payment:
    """The payment, paid, and its execution queued. The same reference again changes nothing.

    Raises Conflict where the execution does not await payment, or the provider confirms by itself.
    """
    _check_confirmable(payment)
    with opened(payment.execution_id) as order:
        if order.payment.paid_at is not None and order.payment.reference == reference:
            return order.payment
        if not order.is_awaited or order.payment.status not in UNPAID:
            raise Conflict("the execution does not await payment", reason="not_awaiting_payment")
        take_in(order, Paid(payment.order_id, reference, payment.amount, payment.currency), actor)
    return order.payment


def decline_payment(payment: Payment) -> None:
    """Cancel an execution whose payer will not pay. Raises Conflict where it does not await payment."""
    _check_confirmable(payment)
    with opened(payment.execution_id) as order:
        if not order.is_awaited:
            raise Conflict("the execution does not await payment", reason="not_awaiting_payment")
        close(order, PaymentStatus.FAILED, DECLINED)


def refund_payment(payment: Payment, amount: int | None, reason: str, actor: str) -> tuple[Payment, Refund]:
    """Give back `amount` minor units, or what is left, of what paid the order; the refund is pending or done.

    A pending one has yet to be sent (payments/settling.py). Raises Conflict where the order was not paid (not_paid),
    nothing is left of it (nothing_to_refund) or less than that (refund_too_large).
    """
    with opened(payment.execution_id) as order:
        charge = order.payment.charges.filter(main=True).first()
        if charge is None:
            raise Conflict("the order has not been paid", reason="not_paid")
        left = charge.amount - charge.reserved_amount
        if not left:
            raise Conflict("all of the payment was given back, or is about to be", reason="nothing_to_refund")
        refund = refunding.ask(order, charge, amount or left, refunding.Why(reason, Cause.ASKED, actor))
    return order.payment, refund


def _check_confirmable(payment: Payment) -> None:
    if payment.provider not in CONFIRMABLE:
        raise Conflict(f"the provider {payment.provider} confirms its payments itself", reason="not_confirmable")
    if payment.provider == SANDBOX and not settings.PAYMENTS_SANDBOX:
        raise Conflict("pretended money is not taken here", reason="not_confirmable")
