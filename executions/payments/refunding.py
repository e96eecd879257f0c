"""Money that is given back: asked for under the order's locks, settled there once the provider says how it went.

Between the two the row stands as pending, and the sweeper asks the provider again (settling.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from contract import json_values
from contract.problems import Conflict
from executions.models import Charge, PaymentEvent, Refund
from executions.payments import ledger
from executions.payments.by_hand import ByHand
from executions.payments.notices import refund_notice
from executions.payments.orders import OpenOrder
from executions.payments.port import Outcome, RefundMoved, Wanted
from executions.payments.words import CONFIRMABLE, Cause, EventOutcome, Posting, RefundStatus
from executions.states import PaymentStatus

log = structlog.get_logger(__name__)

OWN_TIME = timedelta(seconds=30)
"""How long who asked for a refund has for telling the provider, before the sweeper does."""
LOOK_AGAIN = timedelta(hours=1)
"""How long a refund that is under way at the provider is left alone; its webhook comes sooner."""

BY_PROVIDER = "provider"
"""The actor on record for what was done at the provider."""


@dataclass(frozen=True, slots=True)
class Why:
    """Why money is given back, and who says so."""

    reason: str
    cause: Cause
    actor: str


def wanted(refund: Refund) -> Wanted:
    """What the provider is asked for."""
    return Wanted(refund.id, refund.charge.reference, refund.amount, refund.currency, again=refund.tries > 0)


def ask(order: OpenOrder, charge: Charge, amount: int, why: Why) -> Refund:
    """A refund, pending; where nobody but us has to be asked, done. Raises Conflict for more than is left."""
    if amount > charge.amount - charge.reserved_amount:
        raise Conflict("that is more than is left of the payment", reason="refund_too_large")
    refund = _reserve(order, charge, amount, why)
    if charge.provider in CONFIRMABLE:
        settle(order, refund, ByHand().refund(wanted(refund)))
    return refund


def settle(order: OpenOrder, refund: Refund, outcome: Outcome) -> None:
    """Put down how a refund came out. What failed stays so; what succeeded may still come back."""
    before, after = RefundStatus(refund.status), outcome.status
    refund.reference = refund.reference or outcome.reference
    if (before, after) in _POSTINGS:
        refund.status, refund.error = after.value, outcome.error
        refund.settled_at, refund.due_at = order.now, None
        ledger.post_refund(refund, _POSTINGS[before, after], order.now)
        _count(order, refund, before)
    elif before is RefundStatus.PENDING:
        refund.due_at = order.now + LOOK_AGAIN
    refund.save()
    if after is RefundStatus.FAILED and before is not after:
        log.error("refund_failed", order_id=str(order.payment.order_id), refund_id=str(refund.id), error=refund.error)
        apply_early(order, refund.charge)


def take_notice(order: OpenOrder, charge: Charge, moved: RefundMoved) -> bool:
    """Work in what the provider tells of a refund; False where there is no room for it yet beside ours."""
    rows = charge.refunds.all()
    refund = rows.filter(id=moved.ours).first() if moved.ours else None
    refund = refund or rows.filter(reference=moved.refund).first()
    if refund is not None:
        settle(order, refund, Outcome(moved.status, moved.refund, moved.reason))
        return True
    if moved.status is RefundStatus.FAILED:
        _remember_failed(order, charge, moved)
    elif moved.status is RefundStatus.SUCCEEDED:
        if moved.amount > charge.amount - charge.reserved_amount:
            return False
        refund = _reserve(order, charge, moved.amount, _there(moved))
        settle(order, refund, Outcome(RefundStatus.SUCCEEDED, moved.refund))
    return True


def apply_early(order: OpenOrder, charge: Charge) -> None:
    """Work in what the provider told of refunds of this charge before there was a place for it."""
    early = PaymentEvent.objects.filter(
        tenant_id=charge.tenant_id,
        provider=charge.provider,
        reference=charge.reference,
        outcome=EventOutcome.EARLY.value,
    )
    for event in early.order_by("id"):
        if take_notice(order, charge, refund_notice(json_values.load(event.notice))):
            event.outcome, event.payment = EventOutcome.APPLIED.value, order.payment
            event.save(update_fields=["outcome", "payment"])


def _reserve(order: OpenOrder, charge: Charge, amount: int, why: Why) -> Refund:
    refund = Refund.objects.create(
        **_about(order, charge, amount, why),
        status=RefundStatus.PENDING.value,
        due_at=order.now + OWN_TIME,
    )
    charge.reserved_amount += amount
    charge.save(update_fields=["reserved_amount"])
    ledger.post_refund(refund, Posting.REFUND_ASKED, order.now)
    return refund


def _remember_failed(order: OpenOrder, charge: Charge, moved: RefundMoved) -> None:
    """A refund that nobody here asked for has failed: whatever else is told of it came earlier."""
    Refund.objects.create(
        **_about(order, charge, moved.amount, _there(moved)),
        status=RefundStatus.FAILED.value,
        reference=moved.refund,
        settled_at=order.now,
    )


def _there(moved: RefundMoved) -> Why:
    return Why(moved.reason or "given back at the provider", Cause.PROVIDER, BY_PROVIDER)


def _about(order: OpenOrder, charge: Charge, amount: int, why: Why) -> dict[str, Any]:
    return {
        "payment": order.payment,
        "charge": charge,
        "amount": amount,
        "currency": charge.currency,
        "reason": why.reason[:1000],
        "cause": why.cause.value,
        "actor": why.actor,
        "created_at": order.now,
    }


def _count(order: OpenOrder, refund: Refund, before: RefundStatus) -> None:
    """Charge and payment, after a refund that was `before` came out."""
    charge = refund.charge
    if refund.status == RefundStatus.SUCCEEDED:
        charge.refunded_amount += refund.amount
        order.tell(
            "payment.refunded",
            refund=str(refund.id),
            reference=charge.reference,
            amount=refund.amount,
            currency=refund.currency,
            reason=refund.reason,
            by=refund.actor,
        )
    else:
        charge.reserved_amount -= refund.amount
        charge.refunded_amount -= refund.amount if before is RefundStatus.SUCCEEDED else 0
    charge.save(update_fields=["reserved_amount", "refunded_amount"])
    if charge.main:
        order.payment.refunded_amount = charge.refunded_amount
        order.payment.status = _status(charge).value


def _status(charge: Charge) -> PaymentStatus:
    if charge.refunded_amount == 0:
        return PaymentStatus.PAID
    return PaymentStatus.REFUNDED if charge.refunded_amount == charge.amount else PaymentStatus.PARTIALLY_REFUNDED


_POSTINGS = {
    (RefundStatus.PENDING, RefundStatus.SUCCEEDED): Posting.REFUNDED,
    (RefundStatus.PENDING, RefundStatus.FAILED): Posting.REFUND_FAILED,
    (RefundStatus.SUCCEEDED, RefundStatus.FAILED): Posting.REFUND_CAME_BACK,
}
