"""Money that arrives: it starts the execution that awaits it, and is given back where none does."""

from __future__ import annotations

import structlog
from django.db import transaction

from contract.identifiers import new_id, run_name
from executions.announce import announce
from executions.events import Happening
from executions.models import Charge
from executions.payments import ledger, refunding
from executions.payments.closing import GIVEN_BACK, call_off
from executions.payments.orders import OpenOrder, hold_reference
from executions.payments.port import Paid
from executions.payments.words import Cause
from executions.states import MOVES, PaymentStatus, target

log = structlog.get_logger(__name__)

NOT_AWAITED = "nothing awaited the payment"


def take_in(order: OpenOrder, paid: Paid, actor: str) -> None:
    """Put money on record, once for each reference. What awaits exactly this much is queued, else it is given back."""
    if order.payment.charges.filter(reference=paid.reference).exists():
        return
    charge = _record(order, paid, actor)
    refunding.apply_early(order, charge)
    left = charge.amount - charge.reserved_amount
    if charge.main and order.is_awaited and left:
        _enqueue(order, paid.reference, actor)
    elif charge.main and order.is_awaited:
        call_off(order, GIVEN_BACK)
    elif left:
        log.warning("stray_payment", order_id=str(paid.order_id), amount=paid.amount, currency=paid.currency)
        refunding.ask(order, charge, left, refunding.Why(NOT_AWAITED, Cause.STRAY, actor))


def _record(order: OpenOrder, paid: Paid, actor: str) -> Charge:
    payment = order.payment
    hold_reference(payment.tenant_id, paid.reference)
    fits = (paid.amount, paid.currency) == (payment.amount, payment.currency)
    charge = Charge.objects.create(
        payment=payment,
        tenant_id=payment.tenant_id,
        provider=payment.provider,
        reference=paid.reference,
        amount=paid.amount,
        currency=paid.currency,
        main=fits and not payment.charges.filter(main=True).exists(),
        received_at=order.now,
    )
    ledger.post_charge(charge, order.now)
    if charge.main:
        payment.status, payment.reference, payment.paid_at = PaymentStatus.PAID.value, paid.reference, order.now
    order.tell("payment.paid", reference=paid.reference, by=actor, amount=paid.amount, currency=paid.currency)
    return charge


def _enqueue(order: OpenOrder, reference: str, actor: str) -> None:
    run_id = new_id()
    status = target("enqueue", target("confirm_payment", order.standing.status))
    order.moves += ["confirm_payment", "enqueue"]
    order.standing = order.standing._replace(status=status, due_at=order.now, run_id=run_id, queued_at=order.now)
    order.tell(MOVES["confirm_payment"].event, reference=reference, by=actor)
    order.happenings.append(Happening(MOVES["enqueue"].event, {"run_id": run_name(run_id)}))
    order.unsettled = True
    transaction.on_commit(announce)
