"""/pay/{orderId}: the page where a person pays for an execution. It shows the order and nothing else of the tenant.

Where the provider has a checkout of its own, a visit leads there, and comes back here with `?back`.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from contract.http import absolute
from contract.identifiers import parse_id
from contract.problems import Conflict
from executions import commands
from executions.models import Payment
from executions.money import formatted
from executions.payments import accounts
from executions.payments.orders import opened
from executions.payments.port import Checkout, Order, ProviderRefused, ProviderUnreachable
from executions.payments.webhooks import apply_notice
from executions.payments.words import CONFIRMABLE, SANDBOX
from executions.states import PaymentStatus, Status

log = structlog.get_logger(__name__)

PAYER = "payer"
"""The actor on record for what is done on this page: nobody logs in here."""

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page says of an order: its state in a word and in a sentence, in the colour of `tone`."""

    title: str
    told: str
    tone: str


_OPEN = Shown("To pay", "", "open")
_BEING_RETURNED = Shown("Refund under way", "The payment came too late, or was not needed. It is given back.", "closed")
_STATES = {
    PaymentStatus.UNPAID: Shown("Closed", "This order cannot be paid any more. Nothing was charged.", "closed"),
    PaymentStatus.PROCESSING: Shown(
        "Processing", "Thank you. The work starts as soon as the payment has arrived; you need not wait here.", "busy"
    ),
    PaymentStatus.PAID: Shown("Paid", "Thank you. The payment has arrived and the work has been started.", "paid"),
    PaymentStatus.FAILED: Shown(
        "Declined", "The payment was declined, and the order is closed. Nothing was charged.", "failed"
    ),
    PaymentStatus.EXPIRED: Shown("Expired", "This order cannot be paid any more. Nothing was charged.", "closed"),
    PaymentStatus.REFUNDED: Shown("Refunded", "The payment was given back.", "closed"),
    PaymentStatus.PARTIALLY_REFUNDED: Shown("Partly refunded", "A part of the payment was given back.", "paid"),
}


@never_cache
def pay(request: HttpRequest, order_id: str) -> HttpResponse:
    """GET: the order, or the provider's checkout of it. POST (sandbox payments only): `pay` or `decline` it.

    404: no such order. 503: the provider does not answer.
    """
    payment = _payment(order_id)
    if payment is None:
        return _page(request, {"title": "No such order", "told": "There is no order with this number."}, 404)
    if request.method not in {"GET", "HEAD", "POST"} or (request.method == "POST" and not _pretended(payment)):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    if request.method == "POST":
        _pretend(payment, declined="decline" in request.POST)
        return HttpResponseRedirect(request.path)
    if request.method == "GET" and payment.provider not in CONFIRMABLE and _is_payable(payment):
        return _lead(request, payment)
    return _page(request, _shown(payment), 200)


def _payment(order_id: str) -> Payment | None:
    identifier = parse_id(order_id)
    rows = Payment.objects.select_related("execution", "execution__workflow")
    return rows.filter(order_id=identifier).first() if identifier else None


def _is_payable(payment: Payment) -> bool:
    awaited = payment.execution.status == Status.AWAITING_PAYMENT
    return awaited and payment.status in {PaymentStatus.UNPAID, PaymentStatus.PROCESSING}


def _pretended(payment: Payment) -> bool:
    """Whether this is pretended money, and pretending is allowed here."""
    return payment.provider == SANDBOX and settings.PAYMENTS_SANDBOX


def _pretend(payment: Payment, *, declined: bool) -> None:
    """Pay or decline an order that is still open; one that is not is left as it is, and the page shows how."""
    try:
        if declined:
            commands.decline_payment(payment)
        else:
            commands.confirm_payment(payment, f"sandbox-{payment.order_id}", PAYER)
    except Conflict:
        return


def _lead(request: HttpRequest, payment: Payment) -> HttpResponse:
    """To the provider's checkout; but who comes back from there is shown where the order stands."""
    back = "back" in request.GET
    if back and payment.checkout_session_id is None:
        return _page(request, _shown(payment), 200)
    try:
        checkout = accounts.provider_of(payment.tenant_id, payment.provider).open_checkout(_order(payment))
    except (ProviderUnreachable, ProviderRefused) as error:
        log.error("checkout_not_opened", order_id=str(payment.order_id), error=str(error))
        return _page(request, {**_shown(payment), "unreachable": True}, 503)
    assert checkout is not None, "a provider beyond a network has a checkout"
    fresh = _remember(payment, checkout)
    if checkout.url and not back and _is_payable(fresh):
        return HttpResponseRedirect(checkout.url)
    return _page(request, _shown(fresh), 200)


def _order(payment: Payment) -> Order:
    return Order(
        order_id=payment.order_id,
        amount=payment.amount,
        currency=payment.currency,
        title=payment.execution.workflow.name,
        back=absolute(f"/pay/{payment.order_id}?back"),
        checkout_session=payment.checkout_session_id,
    )


def _remember(payment: Payment, checkout: Checkout) -> Payment:
    """The order, with the checkout that was opened for it, and with what is known of it by now."""
    with opened(payment.execution_id) as order:
        if order.payment.checkout_session_id is None:
            order.payment.checkout_session_id = checkout.session
            order.payment.expires_at = checkout.expires_at
        if checkout.notice is not None:
            apply_notice(order, checkout.notice, f"provider:{payment.provider}")
    fresh = _payment(str(payment.order_id))
    assert fresh is not None, "an order is never deleted"
    return fresh


def _state(payment: Payment) -> Shown:
    if _is_payable(payment) and payment.status == PaymentStatus.UNPAID:
        return _OPEN
    if payment.status == PaymentStatus.PAID and payment.charges.filter(main=True, reserved_amount__gt=0).exists():
        return _BEING_RETURNED
    return _STATES[PaymentStatus(payment.status)]


def _shown(payment: Payment) -> dict[str, object]:
    state = _state(payment)
    return {
        "title": state.title,
        "told": state.told,
        "tone": state.tone,
        "workflow": payment.execution.workflow.name,
        "price": formatted(payment.amount, payment.currency),
        "returned": formatted(payment.refunded_amount, payment.currency) if payment.refunded_amount else "",
        "order_id": payment.order_id,
        "can_pretend": state is _OPEN and _pretended(payment),
        "by_hand": state is _OPEN and payment.provider in CONFIRMABLE and not _pretended(payment),
        "elsewhere": state is _OPEN and payment.provider not in CONFIRMABLE,
        "until": payment.expires_at if state is _OPEN else None,
        "busy": state.tone == "busy",
    }


def _page(request: HttpRequest, context: dict[str, object], status: int) -> HttpResponse:
    response = render(request, "executions/pay.html", context, status=status)
    response.headers["Content-Security-Policy"] = _POLICY
    return response
