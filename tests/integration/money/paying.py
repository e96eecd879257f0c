"""What the tests of money arrange with: accounts, orders, what Stripe tells, and what the books have to say."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import stripe as sdk
from django.db import connection
from django.test import Client

from executions.models import Execution, LedgerEntry, Payment
from executions.payments import accounts
from executions.payments.words import LedgerAccount
from tests.integration.http.arranging import created, published
from tests.integration.http_client import Caller
from tests.integration.money.stripe_server import StripeServer

PRICE = {"amount": 1250, "currency": "EUR"}
WEBHOOK = "/v1/payments/stripe/webhook"

_numbers = count(1)


def at_stripe(who: Caller, server: StripeServer) -> str:
    """The webhook secret of the account that this tenant has there from now on."""
    assert server.url
    assert who.tenant is not None
    secret = f"whsec_{who.tenant.slug}_{next(_numbers)}"
    accounts.use_stripe(who.tenant, f"sk_test_{next(_numbers)}", secret)
    return secret


def ordered(who: Caller, steps: Any = None, **price: Any) -> Payment:
    """The order of an execution that costs something."""
    workflow = published(who, price={**PRICE, **price}, **({} if steps is None else {"steps": steps}))
    return Payment.objects.get(order_id=created(who, workflow)["execution"]["orderId"])


def opened_at_stripe(payment: Payment) -> str:
    """The session to which a visit leads."""
    led = Client().get(f"/pay/{payment.order_id}")
    assert led.status_code == 302, led.content
    return str(led.headers["Location"]).rsplit("/", 1)[-1]


def event(kind: str, about: dict[str, Any], name: str | None = None) -> bytes:
    """The body of a webhook."""
    told = {"id": name or f"evt_{next(_numbers)}", "object": "event", "type": kind, "data": {"object": about}}
    return json.dumps(told).encode()


def tell(body: bytes, secret: str, **headers: str) -> Any:
    """Stripe's webhook, signed by the SDK's own scheme."""
    signature = sdk.WebhookSignature.generate_signature_header(body.decode(), secret)
    return Caller().post(WEBHOOK, body, **{"Stripe_Signature": signature, **headers})


def paid(server: StripeServer, session: str, name: str | None = None) -> bytes:
    return event("checkout.session.completed", server.pay(session), name)


def refund(
    reference: str, amount: int, status: str = "succeeded", name: str = "re_theirs", **ours: str
) -> dict[str, Any]:
    """A refund as Stripe tells of it."""
    about = {"id": name, "object": "refund", "amount": amount, "currency": "eur", "payment_intent": reference}
    return {**about, "status": status, "metadata": {f"traceway_{key}": value for key, value in ours.items()}}


def stands(payment: Payment) -> tuple[str, str, int]:
    """The execution's status, the payment's, and what was given back."""
    fresh = Payment.objects.get(order_id=payment.order_id)
    return Execution.objects.get(id=fresh.execution_id).status, fresh.status, fresh.refunded_amount


def told(payment: Payment) -> list[str]:
    """The events of money, in their order."""
    events = payment.execution.events.filter(type__startswith="payment.").order_by("sequence")
    return list(events.values_list("type", flat=True))


def books(payment: Payment) -> dict[str, int]:
    """What each account of the ledger comes to for this order, where that is not zero."""
    totals: dict[str, int] = {}
    for entry in LedgerEntry.objects.filter(payment=payment):
        totals[entry.account] = totals.get(entry.account, 0) + entry.amount
    return {account: total for account, total in totals.items() if total}


def check_books(*payments: Payment) -> None:
    """The ledger comes to zero, and says what charges and refunds say: of these payments, or of all."""
    with connection.cursor() as cursor:
        cursor.execute(_UNBALANCED)
        assert cursor.fetchall() == []
    for payment in payments or Payment.objects.all():
        charges = list(payment.charges.all())
        held = sum(charge.amount - charge.refunded_amount for charge in charges)
        owed = sum(charge.reserved_amount - charge.refunded_amount for charge in charges)
        kept = sum(charge.amount - charge.reserved_amount for charge in charges)
        accounts_ = {LedgerAccount.PROVIDER: held, LedgerAccount.REFUNDS_OWED: -owed, LedgerAccount.SALES: -kept}
        assert books(payment) == {account.value: total for account, total in accounts_.items() if total}
        for charge in charges:
            by_status = {"pending": 0, "succeeded": 0, "failed": 0}
            for row in charge.refunds.all():
                by_status[row.status] += row.amount
            assert charge.refunded_amount == by_status["succeeded"]
            assert charge.reserved_amount == by_status["succeeded"] + by_status["pending"]


_UNBALANCED = """
SELECT source, posting, sum(amount) FROM ledger_entry GROUP BY source, posting HAVING sum(amount) <> 0"""
