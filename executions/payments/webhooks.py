"""What providers tell: taken in once, in whatever order it comes, for the tenant whose secret has signed it."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import structlog
from django.db import transaction

from contract import json_values
from contract.problems import FieldProblem, InvalidInput, MalformedBody, UnknownReference
from executions.models import Charge, Payment, PaymentEvent
from executions.payments import accounts
from executions.payments.by_hand import ByHand
from executions.payments.charging import take_in
from executions.payments.closing import DECLINED, EXPIRED, close
from executions.payments.notices import written
from executions.payments.orders import OpenOrder, hold_reference, opened
from executions.payments.port import (
    BadSignature,
    Expired,
    Failed,
    Message,
    OrderNotice,
    Paid,
    Processing,
    Provider,
    RefundMoved,
)
from executions.payments.refunding import take_notice
from executions.payments.words import CONFIRMABLE, EventOutcome
from executions.rows import database_now
from executions.states import PaymentStatus

log = structlog.get_logger(__name__)


def receive(provider: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Work in what the provider tells, or pass it over where it is not about an order of ours.

    Raises InvalidInput where no secret of any tenant has signed it; MalformedBody; UnknownReference where it names no
    order of the tenant whose secret did.
    """
    tenant_id, message = _signed(provider, body, headers)
    match message.notice:
        case None:
            return
        case RefundMoved():
            _take_refund(tenant_id, provider, message, message.notice)
        case _:
            _take_order(tenant_id, provider, message, message.notice)


def apply_notice(order: OpenOrder, notice: OrderNotice, actor: str) -> None:
    """Work in what is known of the order's checkout. What comes too late changes nothing, but money is taken in."""
    match notice:
        case Paid():
            take_in(order, notice, actor)
        case Failed() if order.is_awaited:
            close(order, PaymentStatus.FAILED, DECLINED)
        case Expired() if order.is_awaited:
            close(order, PaymentStatus.EXPIRED, EXPIRED)
        case Processing() if order.is_awaited:
            order.payment.status = PaymentStatus.PROCESSING.value


def _signed(provider: str, body: bytes, headers: Mapping[str, str]) -> tuple[UUID, Message]:
    """The tenant whose secret has signed the body, and what it says."""
    for tenant_id, candidate in _candidates(provider):
        try:
            return tenant_id, candidate.read_webhook(body, headers)
        except BadSignature:
            continue
        except json_values.InvalidJson as error:
            raise MalformedBody(str(error), fields=[FieldProblem(error.pointer, "invalid_json", str(error))]) from error
    message = "the provider's signature is missing or not good"
    raise InvalidInput(message, reason="bad_signature", fields=[FieldProblem("", "bad_signature", message)])


def _candidates(provider: str) -> list[tuple[UUID, Provider]]:
    return [(UUID(int=0), ByHand())] if provider in CONFIRMABLE else list(accounts.accounts_at(provider))


def _take_order(tenant_id: UUID, provider: str, message: Message, notice: OrderNotice) -> None:
    payment = Payment.objects.filter(order_id=notice.order_id).only("execution_id", "tenant_id", "provider").first()
    if payment is None or (payment.tenant_id, payment.provider) != (tenant_id, provider):
        if payment is not None:
            _put_incident_down(tenant_id, provider, message)
        said = "there is no such order"
        raise UnknownReference(said, fields=[FieldProblem("/data/object/metadata", "not_found", said)])
    with opened(payment.execution_id) as order:
        if _note(order, provider, message):
            apply_notice(order, notice, f"provider:{provider}")


def _put_incident_down(tenant_id: UUID, provider: str, message: Message) -> None:
    log.error("foreign_order", tenant_id=str(tenant_id), provider=provider, event_id=message.event_id)
    rows = [_row(tenant_id, provider, message, EventOutcome.INCIDENT)]
    PaymentEvent.objects.bulk_create(rows, ignore_conflicts=True)


def _take_refund(tenant_id: UUID, provider: str, message: Message, moved: RefundMoved) -> None:
    charge = _charge_or_early(tenant_id, provider, message, moved)
    if charge is None:
        return
    with opened(charge.payment.execution_id) as order:
        if not _note(order, provider, message, moved.reference):
            return
        fresh = order.payment.charges.get(id=charge.id)
        if not take_notice(order, fresh, moved):
            events = PaymentEvent.objects.filter(tenant_id=tenant_id, provider=provider, event_id=message.event_id)
            events.update(outcome=EventOutcome.EARLY.value)


def _charge_or_early(tenant_id: UUID, provider: str, message: Message, moved: RefundMoved) -> Charge | None:
    """The charge that it is about; where there is none yet, what was told is kept for when there is."""
    with transaction.atomic():
        hold_reference(tenant_id, moved.reference)
        rows = Charge.objects.filter(tenant_id=tenant_id, reference=moved.reference, provider=provider)
        charge = rows.select_related("payment").first()
        if charge is None:
            early = [_row(tenant_id, provider, message, EventOutcome.EARLY, moved.reference)]
            PaymentEvent.objects.bulk_create(early, ignore_conflicts=True)
    return charge


def _note(order: OpenOrder, provider: str, message: Message, reference: str | None = None) -> bool:
    """Whether the event is new. Nobody else can be noting it: the order is locked."""
    tenant_id = order.payment.tenant_id
    row = _row(tenant_id, provider, message, EventOutcome.APPLIED, reference)
    row.payment = order.payment
    if PaymentEvent.objects.filter(tenant_id=tenant_id, provider=provider, event_id=message.event_id).exists():
        return False
    row.save()
    return True


def _row(
    tenant_id: UUID, provider: str, message: Message, outcome: EventOutcome, reference: str | None = None
) -> PaymentEvent:
    assert message.notice is not None, "only what was understood is kept"
    return PaymentEvent(
        tenant_id=tenant_id,
        provider=provider,
        event_id=message.event_id,
        type=message.type,
        reference=reference,
        notice=json_values.dump(written(message.notice)),
        outcome=outcome.value,
        received_at=database_now(),
    )
