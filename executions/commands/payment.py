"""Confirm the payment that an execution awaits."""

from __future__ import annotations

from dataclasses import replace

from django.db import transaction

from contract.identifiers import new_id, run_name
from contract.problems import Conflict
from executions.announce import announce
from executions.events import Detail, Happening
from executions.models import Execution, Payment
from executions.rows import database_now, lock, standing_of, write
from executions.states import MOVES, PaymentStatus, Status, target

CONFIRMABLE = frozenset({"manual", "sandbox"})
"""Providers whose payments an operator or the API may confirm."""


def confirm_payment(payment: Payment, reference: str, actor: str) -> Payment:
    """The payment, paid, and its execution queued. The same reference again changes nothing.

    Raises Conflict where the execution does not await payment, or the provider confirms by itself.
    """
    if payment.provider not in CONFIRMABLE:
        raise Conflict(f"the provider {payment.provider} confirms its payments itself", reason="not_confirmable")
    with transaction.atomic():
        execution = lock(payment.execution_id)
        payment = Payment.objects.select_for_update(no_key=True).get(order_id=payment.order_id)
        if payment.status == PaymentStatus.PAID and payment.reference == reference:
            return payment
        if execution.status != Status.AWAITING_PAYMENT or payment.status == PaymentStatus.PAID:
            raise Conflict("the execution does not await payment", reason="not_awaiting_payment")
        _enqueue_paid(execution, payment, reference, actor)
    return payment


def _enqueue_paid(execution: Execution, payment: Payment, reference: str, actor: str) -> None:
    now, run_id = database_now(), new_id()
    status = target("enqueue", target("confirm_payment", Status.AWAITING_PAYMENT))
    standing = replace(standing_of(execution), status=status, due_at=now, run_id=run_id, queued_at=now)
    order: dict[str, Detail] = {"order": str(payment.order_id), "reference": reference, "by": actor}
    happenings = [
        Happening("payment.paid", {**order, "amount": payment.amount, "currency": payment.currency}),
        Happening(MOVES["confirm_payment"].event, order),
        Happening(MOVES["enqueue"].event, {"run_id": run_name(run_id)}),
    ]
    write(execution, standing, ["confirm_payment", "enqueue"], happenings, now)
    payment.status, payment.reference, payment.paid_at = PaymentStatus.PAID.value, reference, now
    payment.save(update_fields=["status", "reference", "paid_at"])
    transaction.on_commit(announce)
