"""Stripe: Checkout Sessions, signed webhooks, refunds, by the official SDK and a tenant's own keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import stripe
from django.conf import settings
from stripe._base_address import BaseAddresses

from contract import json_values
from contract.identifiers import parse_id
from executions.payments.port import (
    BadSignature,
    Checkout,
    Expired,
    Failed,
    Message,
    Notice,
    Order,
    OrderNotice,
    Outcome,
    Paid,
    Processing,
    ProviderRefused,
    ProviderUnreachable,
    RefundMoved,
    Wanted,
)
from executions.payments.stripe_amounts import from_stripe, to_stripe
from executions.payments.words import RefundStatus

ORDER = "traceway_order"
REFUND = "traceway_refund"
"""What our things are called in the metadata of Stripe's."""

EVENTS = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "refund.created",
    "refund.updated",
    "refund.failed",
)
"""The events that the tenant's webhook endpoint at Stripe has to be subscribed to."""

TOLERANCE_SECONDS = 300
TIMEOUT_SECONDS = 10

_REFUND_STATUS = {
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.FAILED,
}


class Stripe:
    """One tenant's account at Stripe."""

    remote = True

    def __init__(self, api_key: str, webhook_secret: str) -> None:
        self._secret = webhook_secret
        addresses: BaseAddresses = {"api": settings.STRIPE_API_URL}
        self._client = stripe.StripeClient(
            api_key,
            base_addresses=addresses,
            http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
            max_network_retries=1,
        )

    def open_checkout(self, order: Order) -> Checkout | None:
        """A Checkout Session; the same order is never given a second one."""
        sessions = self._client.v1.checkout.sessions
        with _asking():
            if order.checkout_session is not None:
                session = sessions.retrieve(order.checkout_session)
            else:
                options: stripe.RequestOptions = {"idempotency_key": f"traceway-order-{order.order_id}"}
                session = sessions.create(_session_of(order), options)
        about = session.to_dict()
        is_open = about.get("status") == "open"
        return Checkout(
            about["id"],
            about.get("url") if is_open else None,
            datetime.fromtimestamp(about["expires_at"], UTC),
            _notice_of_session(about, order.order_id),
        )

    def read_webhook(self, body: bytes, headers: Mapping[str, str]) -> Message:
        """By Stripe's scheme, at most five minutes old."""
        header = headers.get("Stripe-Signature", "")
        try:
            text = body.decode()
            stripe.WebhookSignature.verify_header(
                text, header if header.isascii() else "", self._secret, TOLERANCE_SECONDS
            )
        except (UnicodeDecodeError, stripe.SignatureVerificationError) as error:
            raise BadSignature("the signature is not good") from error
        return _message(json_values.parse(body))

    def refund(self, wanted: Wanted) -> Outcome:
        """By our refund's id; where it may have been asked for before, what came of that is looked up first."""
        try:
            with _asking():
                found = self._asked_before(wanted) if wanted.again else None
                refund = found or self._client.v1.refunds.create(
                    {
                        "payment_intent": wanted.reference,
                        "amount": to_stripe(wanted.amount, wanted.currency),
                        "metadata": {REFUND: str(wanted.refund_id)},
                    },
                    {"idempotency_key": f"traceway-refund-{wanted.refund_id}"},
                )
        except ProviderRefused as refusal:
            return Outcome(RefundStatus.FAILED, error=str(refusal))
        status = _REFUND_STATUS.get(refund.status or "", RefundStatus.PENDING)
        error = refund.to_dict().get("failure_reason") if status is RefundStatus.FAILED else None
        return Outcome(status, refund.id, error)

    def _asked_before(self, wanted: Wanted) -> stripe.Refund | None:
        """Stripe forgets keys after a day; the refund itself it never forgets."""
        listed = self._client.v1.refunds.list({"payment_intent": wanted.reference, "limit": 100})
        return next((one for one in listed.auto_paging_iter() if _our_refund(one.to_dict()) == wanted.refund_id), None)


def _session_of(order: Order) -> Any:
    metadata = {ORDER: str(order.order_id)}
    price = {
        "currency": order.currency.lower(),
        "unit_amount": to_stripe(order.amount, order.currency),
        "product_data": {"name": order.title},
    }
    return {
        "mode": "payment",
        "line_items": [{"quantity": 1, "price_data": price}],
        "client_reference_id": str(order.order_id),
        "metadata": metadata,
        "payment_intent_data": {"metadata": metadata},
        "success_url": order.back,
        "cancel_url": order.back,
    }


@contextmanager
def _asking() -> Iterator[None]:
    """Stripe's errors in the words of the port: only what it says to be wrong for good is a refusal."""
    try:
        yield
    except (stripe.InvalidRequestError, stripe.CardError) as error:
        raise ProviderRefused(error.user_message or str(error)) from error
    except stripe.StripeError as error:
        raise ProviderUnreachable(type(error).__name__) from error


def _message(event: Any) -> Message:
    """Raises BadSignature for what is signed, but is no event."""
    try:
        kind, about = str(event["type"]), event["data"]["object"]
        return Message(str(event["id"])[:255], kind[:255], _notice(kind, about))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadSignature("this is no event of Stripe") from error


def _notice(kind: str, about: Any) -> Notice | None:
    if kind not in EVENTS:
        return None
    if kind.startswith("refund."):
        return _notice_of_refund(about)
    order_id = parse_id((about.get("metadata") or {}).get(ORDER) or "")
    if order_id is None:
        return None
    if kind == "checkout.session.async_payment_failed":
        return Failed(order_id)
    return _notice_of_session(about, order_id)


def _notice_of_session(about: Any, order_id: UUID) -> OrderNotice | None:
    match about.get("status"), about.get("payment_status"):
        case "complete", "paid":
            currency = str(about["currency"]).upper()
            amount = from_stripe(int(about["amount_total"]), currency)
            return Paid(order_id, str(about["payment_intent"]), amount, currency)
        case "complete", _:
            return Processing(order_id)
        case "expired", _:
            return Expired(order_id)
        case _:
            return None


def _our_refund(about: Any) -> UUID | None:
    return parse_id((about.get("metadata") or {}).get(REFUND) or "")


def _notice_of_refund(about: Any) -> RefundMoved | None:
    if not about.get("payment_intent"):
        return None
    currency = str(about["currency"]).upper()
    return RefundMoved(
        reference=str(about["payment_intent"]),
        refund=str(about["id"]),
        amount=from_stripe(int(about["amount"]), currency),
        currency=currency,
        status=_REFUND_STATUS.get(str(about.get("status")), RefundStatus.PENDING),
        ours=_our_refund(about),
        reason=about.get("failure_reason") or about.get("reason"),
    )
