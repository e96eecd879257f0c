"""What is settled by itself: orders that expire, money owed for executions that ended, refunds that are under way.

The sweeper does this in a thread of its own, because providers are asked here. Any number may settle at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import Error, connection
from django.db.models import Q

from executions.models import Execution, Payment, PaymentEvent, Refund, Step
from executions.payments import accounts, refunding
from executions.payments.closing import EXPIRED, close
from executions.payments.orders import OpenOrder, opened
from executions.payments.owed import owed
from executions.payments.port import ProviderUnreachable
from executions.payments.words import CONFIRMABLE, Cause, EventOutcome, RefundStatus
from executions.rows import database_now
from executions.states import TERMINAL, PaymentStatus, Status, StepStatus
from workflows.spec import COMPENSATIONS, PARTS
from workflows.spec import Refund as Policy

log = structlog.get_logger(__name__)

EVERY_SECONDS = 0.5
FORGET_EVERY_SECONDS = 60.0
AT_ONCE = 100
"""How many orders of a kind one look deals with."""
ASKED_AT_ONCE = 20
"""How many refunds one look asks providers for."""
LATE = timedelta(minutes=10)
"""How long a provider's checkout that is over is waited for: what was paid at its very end is told a bit later."""
EARLY_KEPT_FOR = timedelta(days=30)

BY_POLICY = "policy"
"""The actor on record for what follows from the refund policy of a price."""


def settle_for_ever(over: threading.Event) -> None:
    """Settle until `over` is set, through any outage of the database."""
    forgotten = 0.0
    while not over.wait(EVERY_SECONDS):
        try:
            settle()
            if time.monotonic() - forgotten > FORGET_EVERY_SECONDS:
                forget()
                forgotten = time.monotonic()
        except Error as error:
            log.warning("settling_failed", error=str(error))
            connection.close()
    connection.close()


def settle() -> None:
    """One look. Where one order cannot be settled, that is logged, and the others are."""
    now = database_now()
    for act, rows in ((_give_back, _ended()), (_expire, _overdue(now)), (send, _claim(now))):
        for row in rows:
            _alone(act, row)


def send(refund_id: UUID) -> None:
    """Ask the provider for a pending refund, outside of any transaction, and put down what it says."""
    refund = Refund.objects.select_related("charge", "payment").get(id=refund_id)
    try:
        provider = accounts.provider_of(refund.charge.tenant_id, refund.charge.provider)
        outcome = provider.refund(refunding.wanted(refund))
    except ProviderUnreachable as error:
        log.error("refund_not_sent", refund_id=str(refund_id), error=str(error))
        return
    with opened(refund.payment.execution_id) as order:
        refunding.settle(order, order.payment.refunds.select_related("charge").get(id=refund_id), outcome)


def forget() -> None:
    """Delete what was told of payments that never became ours, a bounded number at a time."""
    early = PaymentEvent.objects.filter(outcome=EventOutcome.EARLY.value)
    old = early.filter(received_at__lt=database_now() - EARLY_KEPT_FOR).order_by("received_at")[:1000]
    PaymentEvent.objects.filter(id__in=list(old.values_list("id", flat=True))).delete()


def _alone(act: Callable[[UUID], None], row: UUID) -> None:
    try:
        act(row)
    except Error:
        raise
    except Exception:
        log.exception("settlement_failed", row=str(row))


def _ended() -> list[UUID]:
    """Executions that have ended and were paid for, of which nobody has said yet what is owed."""
    ended = Execution.objects.filter(unsettled=True, status__in=sorted(TERMINAL))
    return list(ended.order_by("id").values_list("id", flat=True)[:AT_ONCE])


def _give_back(execution_id: UUID) -> None:
    with opened(execution_id) as order:
        refund = _refund_of(order)
    if refund is not None and refund.status == RefundStatus.PENDING:
        send(refund.id)


def _refund_of(order: OpenOrder) -> Refund | None:
    """What the policy gives back; None where nothing is owed, or the execution is not settled by it any more."""
    if not order.execution.unsettled or order.standing.status not in TERMINAL:
        return None
    order.unsettled = False
    charge = order.payment.charges.filter(main=True).first()
    if charge is None or order.standing.status is Status.SUCCEEDED:
        return None
    policy = Policy(order.payment.refund_policy)
    amount = min(owed(policy, charge.amount, *_steps(order.execution)), charge.amount - charge.reserved_amount)
    if not amount:
        return None
    reason = f"the execution {'failed' if order.standing.status is Status.FAILED else 'was cancelled'}"
    return refunding.ask(order, charge, amount, refunding.Why(reason, Cause.POLICY, BY_POLICY))


def _steps(execution: Execution) -> tuple[int, int]:
    """How many steps the definition has, and how many of them succeeded and were not undone. None were made: 0."""
    rows = Step.objects.filter(execution=execution)
    succeeded = rows.filter(status=StepStatus.SUCCEEDED.value)
    undone = succeeded.filter(index__gte=COMPENSATIONS).count()
    return rows.filter(index__lt=PARTS).count(), succeeded.filter(index__lt=PARTS).count() - undone


def _overdue(now: datetime) -> list[UUID]:
    """Executions whose order nobody has paid in time."""
    open_ = Payment.objects.filter(status=PaymentStatus.UNPAID.value, expires_at__lte=now)
    over = open_.filter(Q(provider__in=CONFIRMABLE) | Q(expires_at__lte=now - LATE))
    return list(over.order_by("expires_at").values_list("execution_id", flat=True)[:AT_ONCE])


def _expire(execution_id: UUID) -> None:
    with opened(execution_id) as order:
        if order.is_awaited and order.payment.status == PaymentStatus.UNPAID:
            close(order, PaymentStatus.EXPIRED, EXPIRED)


def _claim(now: datetime) -> list[UUID]:
    """Refunds that it is time to ask for; each is let alone for a while, twice as long each time."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"now": now, "most": ASKED_AT_ONCE})
        return [row[0] for row in cursor.fetchall()]


_CLAIM = """
UPDATE refund SET tries = tries + 1,
  due_at = LEAST(%(now)s + interval '30 seconds' * 2 ^ LEAST(tries, 7), %(now)s + interval '1 hour')
WHERE id IN (SELECT id FROM refund WHERE status = 'pending' AND due_at <= %(now)s
  ORDER BY due_at LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED)
RETURNING id"""
