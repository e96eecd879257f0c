"""Stripe as a provider: sessions opened when the page is visited, webhooks by signature, refunds once."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from stripe import WebhookSignature

from executions import commands
from executions.models import Execution, Payment, PaymentAccount, PaymentEvent, Refund
from executions.payments import accounts
from executions.payments.settling import send, settle
from tests.integration.http_client import Caller
from tests.integration.money.paying import (
    WEBHOOK,
    at_stripe,
    books,
    check_books,
    event,
    opened_at_stripe,
    ordered,
    paid,
    refund,
    stands,
    tell,
    told,
)
from tests.integration.money.stripe_server import StripeServer

QUEUED = ("workflow_queued", "paid", 0)


@pytest.fixture
def secret(alice: Caller, stripe: StripeServer) -> str:
    return at_stripe(alice, stripe)


@pytest.fixture
def order(alice: Caller, secret: str) -> Payment:
    return ordered(alice)


def visit(order: Payment, query: str = "") -> Any:
    return Client().get(f"/pay/{order.order_id}{query}")


def test_creating_an_order_asks_nobody_and_a_visit_leads_to_the_one_session(
    order: Payment, stripe: StripeServer
) -> None:
    assert (order.provider, stripe.asked) == ("stripe", [])
    first, again = (visit(order).headers["Location"] for _ in range(2))
    assert first == again == "https://checkout.example/cs_1"
    order.refresh_from_db()
    about = stripe.sessions["cs_1"]
    assert order.expires_at is not None
    assert (order.checkout_session_id, int(order.expires_at.timestamp())) == ("cs_1", about["expires_at"])
    assert (about["amount_total"], about["currency"]) == (1250, "eur")
    assert about["success_url"] == f"{settings.PUBLIC_URL}/pay/{order.order_id}?back"
    assert stripe.asked_for("POST", "/v1/checkout/sessions") == 1


def test_a_preview_of_the_link_opens_no_session(order: Payment, stripe: StripeServer) -> None:
    assert Client().head(f"/pay/{order.order_id}").status_code == 200
    assert "Pay 12.50 EUR" in visit(order, "?back").content.decode()
    assert stripe.asked == []


def test_while_stripe_is_away_the_page_says_so_and_nothing_is_lost(order: Payment, stripe: StripeServer) -> None:
    stripe.down = True
    answer = visit(order)
    assert answer.status_code == 503
    assert "does not answer" in answer.content.decode()
    stripe.down = False
    assert opened_at_stripe(order) == "cs_1"


def test_an_answer_that_was_lost_opens_no_second_session(order: Payment, stripe: StripeServer) -> None:
    stripe.loses_answers = True
    assert visit(order).status_code == 503
    stripe.loses_answers = False
    assert opened_at_stripe(order) == "cs_1"
    assert len(stripe.sessions) == 1


def test_a_paid_session_queues_the_execution_once(order: Payment, stripe: StripeServer, secret: str) -> None:
    body = paid(stripe, opened_at_stripe(order), "evt_1")
    for _ in range(2):
        answer = tell(body, secret)
        assert (answer.status_code, answer.json()["data"]) == (200, {"received": True})
    assert stands(order) == QUEUED
    assert told(order) == ["payment.opened", "payment.paid"]
    assert books(order) == {"provider": 1250, "sales": -1250}
    assert PaymentEvent.objects.count() == 1
    order.refresh_from_db()
    assert order.reference == "pi_cs_1"


def test_who_comes_back_before_the_webhook_is_seen_to_have_paid(
    order: Payment, stripe: StripeServer, secret: str
) -> None:
    session = opened_at_stripe(order)
    body = paid(stripe, session)
    assert "has arrived" in visit(order, "?back").content.decode()
    assert stands(order) == QUEUED
    assert tell(body, secret).status_code == 200
    assert told(order) == ["payment.opened", "payment.paid"]


def test_a_payment_on_its_way_is_processing_until_it_arrives_or_fails(
    alice: Caller, stripe: StripeServer, secret: str
) -> None:
    for ending, after in (("succeeded", QUEUED), ("failed", ("workflow_cancelled", "failed", 0))):
        order = ordered(alice)
        session = opened_at_stripe(order)
        tell(event("checkout.session.completed", stripe.pay(session, settled=False)), secret)
        assert stands(order) == ("awaiting_payment", "processing", 0)
        assert "Processing" in visit(order, "?back").content.decode()
        about = stripe.pay(session, settled=ending == "succeeded")
        tell(event(f"checkout.session.async_payment_{ending}", about), secret)
        assert stands(order) == after


def test_an_expired_session_cancels_the_execution(order: Payment, stripe: StripeServer, secret: str) -> None:
    about = stripe.sessions[opened_at_stripe(order)] | {"status": "expired"}
    assert tell(event("checkout.session.expired", about), secret).status_code == 200
    assert stands(order) == ("workflow_cancelled", "expired", 0)
    assert told(order) == ["payment.opened", "payment.expired"]
    assert Execution.objects.get().status_reason == "payment expired"


@pytest.mark.parametrize("late", ["expired", "cancelled"])
def test_a_payment_that_comes_too_late_is_recorded_and_given_back_once(
    order: Payment, stripe: StripeServer, secret: str, late: str
) -> None:
    session = opened_at_stripe(order)
    if late == "expired":
        tell(event("checkout.session.expired", stripe.sessions[session] | {"status": "expired"}), secret)
    else:
        commands.cancel(order.execution_id, None, "somebody")
    for number in range(2):
        assert tell(paid(stripe, session, f"evt_late_{number}"), secret).status_code == 200
    assert stands(order) == ("workflow_cancelled", "paid", 0)
    assert "given back" in visit(order).content.decode()
    pending = Refund.objects.get()
    Refund.objects.update(due_at=order.created_at)
    for _ in range(2):
        settle()
    assert stands(order) == ("workflow_cancelled", "refunded", 1250)
    assert [one["amount"] for one in stripe.refunds.values()] == [1250]
    assert stripe.refunds["re_1"]["metadata"] == {"traceway_refund": str(pending.id)}
    assert told(order) == ["payment.opened", "payment.expired", "payment.paid", "payment.refunded"]
    check_books()


def test_a_second_payment_is_given_back_and_the_first_counts(order: Payment, stripe: StripeServer, secret: str) -> None:
    about = stripe.pay(opened_at_stripe(order))
    tell(event("checkout.session.completed", about), secret)
    tell(event("checkout.session.completed", {**about, "payment_intent": "pi_second"}), secret)
    [refund_] = Refund.objects.all()
    send(refund_.id)
    assert stands(order) == QUEUED
    assert [one["payment_intent"] for one in stripe.refunds.values()] == ["pi_second"]
    assert books(order) == {"provider": 1250, "sales": -1250}
    check_books()


def test_a_payment_of_another_amount_does_not_pay_the_order(order: Payment, stripe: StripeServer, secret: str) -> None:
    about = stripe.pay(opened_at_stripe(order)) | {"amount_total": 1}
    tell(event("checkout.session.completed", about), secret)
    assert stands(order) == ("awaiting_payment", "unpaid", 0)
    assert Refund.objects.get().amount == 1


def test_a_refund_that_is_told_before_the_payment_counts_once_the_payment_comes(
    order: Payment, stripe: StripeServer, secret: str
) -> None:
    body = paid(stripe, opened_at_stripe(order))
    for _ in range(2):
        assert tell(event("refund.created", refund("pi_cs_1", 1250), "evt_early"), secret).status_code == 200
    assert stands(order) == ("awaiting_payment", "unpaid", 0)
    tell(body, secret)
    assert stands(order) == ("workflow_cancelled", "refunded", 1250)
    assert told(order) == ["payment.opened", "payment.paid", "payment.refunded"]
    assert stripe.refunds == {}
    check_books()


def test_refunds_made_at_stripe_are_taken_over_in_any_order(order: Payment, stripe: StripeServer, secret: str) -> None:
    tell(paid(stripe, opened_at_stripe(order)), secret)
    tell(event("refund.updated", refund("pi_cs_1", 250)), secret)
    tell(event("refund.created", refund("pi_cs_1", 250, "pending")), secret)
    assert stands(order) == ("workflow_queued", "partially_refunded", 250)
    tell(event("refund.failed", refund("pi_cs_1", 250, "failed")), secret)
    tell(event("refund.updated", refund("pi_cs_1", 250)), secret)
    assert stands(order) == QUEUED
    tell(event("refund.failed", refund("pi_cs_1", 50, "failed", "re_other")), secret)
    tell(event("refund.updated", refund("pi_cs_1", 50, "succeeded", "re_other")), secret)
    assert stands(order) == QUEUED
    check_books()


def test_what_is_not_ours_is_answered_and_kept_nowhere(order: Payment, secret: str) -> None:
    for kind, about in (
        ("customer.created", {"id": "cus_1"}),
        ("checkout.session.completed", {"id": "cs_9", "metadata": {}, "status": "complete", "payment_status": "paid"}),
        ("refund.created", {"id": "re_9", "payment_intent": None}),
    ):
        assert tell(event(kind, about), secret).json()["data"] == {"received": True}
    assert not PaymentEvent.objects.exists()


def test_an_order_of_another_tenant_is_an_incident_and_answered_like_an_unknown_one(
    order: Payment, bob: Caller, stripe: StripeServer
) -> None:
    bobs = at_stripe(bob, stripe)
    about = stripe.pay(opened_at_stripe(order))
    foreign = tell(event("checkout.session.completed", about, "evt_foreign"), bobs, X_Request_ID="r")
    about = {**about, "metadata": {"traceway_order": "01890000-0000-7000-8000-000000000000"}}
    unknown = tell(event("checkout.session.completed", about), bobs, X_Request_ID="r")
    assert (foreign.status_code, foreign.content) == (404, unknown.content)
    assert stands(order) == ("awaiting_payment", "unpaid", 0)
    incident = PaymentEvent.objects.get()
    assert (incident.outcome, incident.event_id, incident.payment) == ("incident", "evt_foreign", None)
    assert incident.tenant == bob.tenant
    assert tell(event("refund.created", refund("pi_cs_1", 5)), bobs).status_code == 200
    assert PaymentEvent.objects.filter(outcome="early").count() == 1


@pytest.mark.parametrize("headers", [{}, {"Stripe_Signature": "t=1,v1=aa"}, {"Stripe_Signature": "é"}])
def test_without_a_good_signature_nothing_is_taken(
    order: Payment, stripe: StripeServer, headers: dict[str, str]
) -> None:
    body = paid(stripe, opened_at_stripe(order))
    for provider in ("stripe", "sandbox", "manual"):
        answer = Caller().post(f"/v1/payments/{provider}/webhook", body, **headers)
        assert (answer.status_code, answer.json()["details"][0]["code"]) == (400, "bad_signature")
    assert tell(body, "whsec_wrong").status_code == 400
    assert stands(order) == ("awaiting_payment", "unpaid", 0)


def test_the_bytes_are_what_was_signed_and_not_long_ago(order: Payment, stripe: StripeServer, secret: str) -> None:
    body = paid(stripe, opened_at_stripe(order))
    old = tell(body, secret, Stripe_Signature=signed_at(body, secret, 1_000_000_000))
    assert (old.status_code, stands(order)[0]) == (400, "awaiting_payment")
    changed = body.replace(b"evt_", b"evt-")
    assert Caller().post(WEBHOOK, changed, Stripe_Signature=signed_at(body, secret, None)).status_code == 400


def signed_at(body: bytes, secret: str, moment: int | None) -> str:
    return str(WebhookSignature.generate_signature_header(body.decode(), secret, moment))


def test_the_route_checks_in_the_order_of_all_routes(secret: str) -> None:
    who = Caller()
    assert who.post("/v1/payments/paypal/webhook", b"x" * (2 << 20)).status_code == 404
    assert who.get(WEBHOOK).status_code == 405
    assert who.post(WEBHOOK, b"x" * ((1 << 20) + 1)).status_code == 413
    assert who.post(WEBHOOK, b"{}", Content_Type="text/plain").status_code == 415
    assert who.post(f"{WEBHOOK}?x=1", b"{}").json()["details"][0]["field"] == "query.x"
    assert tell(b"nonsense", secret).json()["details"][0]["code"] == "invalid_json"
    assert tell(b"[1]", secret).json()["details"][0]["code"] == "bad_signature"


def refund_of(alice: Caller, order: Payment, **body: Any) -> Any:
    return alice.post(f"/v1/payments/{order.order_id}/refund", {"reason": "too slow", **body}, Idempotency_Key="k")


def test_a_refund_is_asked_for_once_by_our_own_key(
    alice: Caller, order: Payment, stripe: StripeServer, secret: str
) -> None:
    tell(paid(stripe, opened_at_stripe(order)), secret)
    answer = refund_of(alice, order, amount=250).json()["data"]
    assert (answer["status"], answer["refundedAmount"]) == ("partially_refunded", 250)
    assert refund_of(alice, order, amount=250).headers["Idempotent-Replayed"] == "true"
    [row] = Refund.objects.all()
    assert (row.status, row.reference, row.actor) == ("succeeded", "re_1", "api_key:a test's key")
    keys = [key for method, path, key in stripe.asked if (method, path) == ("POST", "/v1/refunds")]
    assert keys == [f"traceway-refund-{row.id}"]
    check_books()


@pytest.mark.parametrize("lost", ["the question", "the answer"])
def test_a_refund_that_nobody_knows_of_is_asked_for_again_and_happens_once(
    alice: Caller, order: Payment, stripe: StripeServer, secret: str, lost: str
) -> None:
    tell(paid(stripe, opened_at_stripe(order)), secret)
    stripe.down, stripe.loses_answers = lost == "the question", lost == "the answer"
    answer = refund_of(alice, order).json()["data"]
    assert (answer["status"], answer["refundedAmount"]) == ("paid", 0)
    assert books(order) == {"provider": 1250, "refunds_owed": -1250}
    settle()
    assert stands(order)[1] == "paid", "who asked has some time of his own"
    stripe.down = stripe.loses_answers = False
    stripe.keyed.clear()
    Refund.objects.update(due_at=order.created_at)
    settle()
    assert stands(order) == ("workflow_queued", "refunded", 1250)
    assert len(stripe.refunds) == 1
    check_books()


def test_a_refund_that_stripe_refuses_leaves_the_payment_paid(
    alice: Caller, order: Payment, stripe: StripeServer, secret: str
) -> None:
    tell(paid(stripe, opened_at_stripe(order)), secret)
    stripe.refuses = "charge_disputed"
    assert refund_of(alice, order).json()["data"]["status"] == "paid"
    assert Refund.objects.get().status == "failed"
    stripe.refuses = None
    again = alice.post(f"/v1/payments/{order.order_id}/refund", {"reason": "again"})
    assert again.json()["data"]["status"] == "refunded"
    check_books()


def test_a_refund_that_takes_its_time_is_settled_by_its_webhook(
    alice: Caller, order: Payment, stripe: StripeServer, secret: str
) -> None:
    tell(paid(stripe, opened_at_stripe(order)), secret)
    stripe.refund_status = "pending"
    assert refund_of(alice, order).json()["data"]["status"] == "paid"
    row = Refund.objects.get()
    tell(event("refund.updated", refund("pi_cs_1", 1250, "succeeded", "re_1", refund=str(row.id))), secret)
    assert stands(order) == ("workflow_queued", "refunded", 1250)
    tell(event("refund.failed", refund("pi_cs_1", 1250, "failed", "re_1", refund=str(row.id))), secret)
    assert stands(order) == QUEUED
    check_books()


def test_a_refund_made_at_stripe_while_ours_was_on_its_way_counts_once_ours_has_failed(
    alice: Caller, order: Payment, stripe: StripeServer, secret: str
) -> None:
    tell(paid(stripe, opened_at_stripe(order)), secret)
    stripe.down = True
    refund_of(alice, order)
    assert tell(event("refund.created", refund("pi_cs_1", 1250)), secret).status_code == 200
    assert stands(order) == QUEUED
    stripe.down, stripe.refuses = False, "charge_already_refunded"
    Refund.objects.update(due_at=order.created_at)
    settle()
    assert stands(order) == ("workflow_queued", "refunded", 1250)
    check_books()


def test_an_account_is_set_on_the_command_line_and_its_keys_are_sealed(
    alice: Caller, bob: Caller, monkeypatch: Any, capsys: Any
) -> None:
    def asked(slug: str, provider: str, keys: str) -> None:
        monkeypatch.setattr("sys.stdin", StringIO(keys))
        call_command("set_payment_account", tenant=slug, provider=provider)

    asked("alice", "stripe", "sk_live_secret\nwhsec_secret\n")
    account = PaymentAccount.objects.get()
    assert capsys.readouterr().out.strip() == str(account.id)
    assert "secret" not in account.sealed
    assert accounts.provider_for(account.tenant_id) == "stripe"
    for slug, keys, complaint in (
        ("bob", "sk_live_other\nwhsec_secret", "another tenant"),
        ("bob", "pk_live\nwhsec_x", "api_key"),
        ("bob", "sk_live", "two lines"),
        ("nobody", "sk_x\nwhsec_x", "nobody"),
    ):
        with pytest.raises(CommandError, match=complaint):
            asked(slug, "stripe", keys)
    asked("alice", "manual", "")
    assert accounts.provider_for(account.tenant_id) == "manual"
    assert PaymentAccount.objects.count() == 2
