"""/pay/{orderId}: the page where a person pays for an execution. It shows the order and nothing else of the tenant."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from contract.identifiers import parse_id
from contract.problems import Conflict
from executions import commands
from executions.models import Payment
from executions.money import formatted
from executions.rows import lock
from executions.states import PaymentStatus, Status

PAYER = "payer"
"""The actor on record for what is done on this page: nobody logs in here."""

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_TOLD = {
    PaymentStatus.PAID: ("Paid", "Thank you. The payment has arrived and the work has been started."),
    PaymentStatus.REFUNDED: ("Refunded", "The payment was given back."),
    PaymentStatus.PARTIALLY_REFUNDED: ("Partly refunded", "A part of the payment was given back."),
}
_CLOSED = ("Closed", "This order cannot be paid any more. Nothing was charged.")


@never_cache
def pay(request: HttpRequest, order_id: str) -> HttpResponse:
    """GET: the order. POST (sandbox payments only) `pay` or `decline`, then the order again. 404: no such order."""
    payment = _payment(order_id)
    if payment is None:
        return _page(request, {"title": "No such order", "told": "There is no order with this number."}, 404)
    if request.method not in {"GET", "HEAD", "POST"} or (request.method == "POST" and not _pretended(payment)):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    if request.method == "POST":
        _settle(payment, declined="decline" in request.POST)
        return HttpResponseRedirect(request.path)
    return _page(request, _shown(payment), 200)


def _payment(order_id: str) -> Payment | None:
    identifier = parse_id(order_id)
    rows = Payment.objects.select_related("execution", "execution__workflow")
    return rows.filter(order_id=identifier).first() if identifier else None


def _pretended(payment: Payment) -> bool:
    """Whether this is pretended money, and pretending is allowed here."""
    return payment.provider == "sandbox" and settings.PAYMENTS_SANDBOX


def _settle(payment: Payment, *, declined: bool) -> None:
    """Pay or decline an order that is still open; one that is not is left as it is, and the page shows how."""
    with transaction.atomic():
        if lock(payment.execution_id).status != Status.AWAITING_PAYMENT:
            return
        try:
            if declined:
                commands.cancel(payment.execution_id, "payment declined", PAYER)
            else:
                commands.confirm_payment(payment, f"sandbox-{payment.order_id}", PAYER)
        except Conflict:
            return


def _shown(payment: Payment) -> dict[str, object]:
    is_open = payment.execution.status == Status.AWAITING_PAYMENT
    title, told = ("To pay", "") if is_open else _TOLD.get(PaymentStatus(payment.status), _CLOSED)
    return {
        "title": title,
        "told": told,
        "tone": "open" if is_open else "paid" if payment.status == PaymentStatus.PAID else "closed",
        "workflow": payment.execution.workflow.name,
        "price": formatted(payment.amount, payment.currency),
        "order_id": payment.order_id,
        "can_pretend": is_open and _pretended(payment),
        "by_hand": is_open and not _pretended(payment),
    }


def _page(request: HttpRequest, context: dict[str, object], status: int) -> HttpResponse:
    response = render(request, "executions/pay.html", context, status=status)
    response.headers["Content-Security-Policy"] = _POLICY
    return response
