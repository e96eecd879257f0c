"""What callers and operators may tell an execution: confirm its payment, cancel it. Each is one transaction."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from django.db import connection, transaction

from contract import json_values
from contract.identifiers import new_id, run_name
from contract.problems import Conflict
from executions.announce import announce
from executions.events import Detail, Happening
from executions.models import ArrivalKind, Execution, Payment
from executions.rows import database_now, lock, standing_of, write
from executions.states import MOVES, TERMINAL, PaymentStatus, Status, target

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


def cancel(execution_id: UUID, reason: str | None, actor: str) -> None:
    """End an execution. One that awaits payment ends at once; of any other nothing new begins and what runs ends first.

    Raises Conflict where it has ended already.
    """
    with transaction.atomic():
        execution = lock(execution_id)
        if Status(execution.status) in TERMINAL:
            raise Conflict(f"the execution is {execution.status} already", reason="already_ended")
        if execution.status == Status.AWAITING_PAYMENT:
            _cancel_unpaid(execution, reason or f"cancelled by {actor}")
        else:
            arrive(execution, ArrivalKind.CANCEL, {"reason": reason}, actor)


def arrive(execution: Execution, kind: ArrivalKind, payload: dict[str, str | None], actor: str) -> None:
    """Put something into the inbox of an execution that this transaction has locked, and have workers look at it."""
    execution.inbox.create(kind=kind.value, payload=json_values.dump(payload), actor=actor, created_at=database_now())
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE execution SET due_at = LEAST(due_at, clock_timestamp()), seq = seq + 1 WHERE id = %s",
            [execution.id],
        )
    transaction.on_commit(announce)


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
