"""Payments: read, confirmed once, and refused where there is nothing to confirm."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from executions.models import Payment
from tests.integration.http.arranging import created, published, rows_of_every_table
from tests.integration.http_client import Caller

PRICE = {"amount": 1250, "currency": "EUR"}


@pytest.fixture
def execution(alice: Caller) -> Any:
    return created(alice, published(alice, price=PRICE))["execution"]


def confirm(who: Caller, execution: Any, reference: str = "bank-1", **headers: str) -> Any:
    return who.post(f"/v1/payments/{execution['orderId']}/confirm", {"reference": reference}, **headers)


def said(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["details"][0]["code"]


def test_a_payment_is_shown_with_exactly_its_members(alice: Caller, execution: Any) -> None:
    payment = alice.get(f"/v1/payments/{execution['orderId']}").json()["data"]
    assert payment == {
        "orderId": execution["orderId"],
        "executionId": execution["id"],
        "provider": "manual",
        "status": "unpaid",
        "amount": 1250,
        "currency": "EUR",
        "refundedAmount": 0,
        "reference": None,
        "checkoutUrl": f"{settings.PUBLIC_URL}/pay/{execution['orderId']}",
        "createdAt": execution["createdAt"],
        "paidAt": None,
        "expiresAt": None,
    }


def test_a_confirmed_payment_is_paid_and_its_execution_queued(alice: Caller, execution: Any) -> None:
    answer = confirm(alice, execution)
    payment = answer.json()["data"]
    assert answer.status_code == 200
    assert (payment["status"], payment["reference"], payment["checkoutUrl"]) == ("paid", "bank-1", None)
    assert payment["paidAt"] is not None
    assert alice.get(f"/v1/payments/{execution['orderId']}").json()["data"] == payment
    shown = alice.get(f"/v1/executions/{execution['id']}").json()["data"]["execution"]
    assert (shown["status"], shown["paymentStatus"], shown["startedAt"]) == ("workflow_queued", "paid", None)
    assert shown["runId"].startswith("maip-orch:")
    by_run = alice.get(f"/v1/orchestrations/{shown['runId']}").json()
    assert (by_run["status"], by_run["id"], by_run["started_at"]) == ("running", shown["runId"], payment["paidAt"])


def test_the_same_reference_again_changes_nothing(alice: Caller, execution: Any) -> None:
    first = confirm(alice, execution)
    before = rows_of_every_table()
    again = confirm(alice, execution)
    assert (again.status_code, again.json()["data"]) == (200, first.json()["data"])
    assert rows_of_every_table() == before


def test_another_reference_is_a_conflict(alice: Caller, execution: Any) -> None:
    confirm(alice, execution)
    before = rows_of_every_table()
    assert said(confirm(alice, execution, "bank-2")) == (409, "not_awaiting_payment")
    assert rows_of_every_table() == before


def test_a_cancelled_execution_is_not_paid_for(alice: Caller, execution: Any) -> None:
    cancelled = alice.post(f"/v1/executions/{execution['id']}/cancel", {"reason": "too dear"}).json()["data"]
    assert (cancelled["status"], cancelled["statusReason"]) == ("workflow_cancelled", "too dear")
    assert (cancelled["paymentStatus"], cancelled["runId"]) == ("expired", None)
    before = rows_of_every_table()
    assert said(confirm(alice, execution)) == (409, "not_awaiting_payment")
    assert rows_of_every_table() == before
    assert alice.get(f"/v1/payments/{execution['orderId']}").json()["data"]["checkoutUrl"] is None


def test_a_provider_that_confirms_by_itself_is_not_confirmed_by_hand(alice: Caller, execution: Any) -> None:
    Payment.objects.update(provider="stripe")
    assert said(confirm(alice, execution)) == (409, "not_confirmable")


def test_nobody_else_sees_or_confirms_a_payment(alice: Caller, bob: Caller, execution: Any) -> None:
    assert said(bob.get(f"/v1/payments/{execution['orderId']}")) == (404, "not_found")
    assert said(confirm(bob, execution)) == (404, "not_found")
    assert said(alice.get(f"/v1/payments/{execution['id']}")) == (404, "not_found")
    assert Payment.objects.get().status == "unpaid"


def test_a_confirmation_under_a_key_is_replayed(alice: Caller, execution: Any) -> None:
    first, again = (confirm(alice, execution, Idempotency_Key="k") for _ in range(2))
    assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")


def give_back(who: Caller, execution: Any, **body: Any) -> Any:
    key = body.pop("key", None)
    headers = {"Idempotency_Key": key} if key else {}
    return who.post(f"/v1/payments/{execution['orderId']}/refund", {"reason": "too slow", **body}, **headers)


def test_a_payment_is_given_back_in_parts_and_then_the_rest(alice: Caller, execution: Any) -> None:
    confirm(alice, execution)
    part = give_back(alice, execution, amount=250).json()["data"]
    assert (part["status"], part["refundedAmount"], part["amount"]) == ("partially_refunded", 250, 1250)
    rest = give_back(alice, execution).json()["data"]
    assert (rest["status"], rest["refundedAmount"]) == ("refunded", 1250)
    assert alice.get(f"/v1/payments/{execution['orderId']}").json()["data"] == rest
    shown = alice.get(f"/v1/executions/{execution['id']}").json()["data"]
    assert (shown["execution"]["paymentStatus"], shown["execution"]["status"]) == ("refunded", "workflow_queued")
    refunded = [event["data"] for event in shown["events"] if event["eventType"] == "payment.refunded"]
    assert [(one["amount"], one["reason"], one["by"]) for one in refunded] == [
        (250, "too slow", "api_key:a test's key"),
        (1000, "too slow", "api_key:a test's key"),
    ]


def test_what_cannot_be_given_back_is_refused(alice: Caller, execution: Any) -> None:
    assert said(give_back(alice, execution)) == (409, "not_paid")
    confirm(alice, execution)
    assert said(give_back(alice, execution, amount=1251)) == (409, "refund_too_large")
    give_back(alice, execution)
    before = rows_of_every_table()
    assert said(give_back(alice, execution)) == (409, "nothing_to_refund")
    assert said(give_back(alice, execution, amount=1)) == (409, "nothing_to_refund")
    for wrong in (
        {"amount": 0},
        {"amount": -1},
        {"amount": 1.5},
        {"amount": "1"},
        {"reason": ""},
        {"reason": "x" * 1001},
    ):
        assert give_back(alice, execution, **wrong).status_code == 400
    assert rows_of_every_table() == before


def test_a_refund_under_a_key_happens_once(alice: Caller, execution: Any) -> None:
    confirm(alice, execution)
    first, again = (give_back(alice, execution, amount=250, key="k") for _ in range(2))
    assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")
    assert Payment.objects.get().refunded_amount == 250


def test_nobody_else_gives_a_payment_back(alice: Caller, bob: Caller, execution: Any) -> None:
    confirm(alice, execution)
    assert said(give_back(bob, execution)) == (404, "not_found")
    assert Payment.objects.get().refunded_amount == 0


def test_a_confirmation_stays_confirmed_after_a_refund(alice: Caller, execution: Any) -> None:
    confirm(alice, execution)
    give_back(alice, execution)
    assert confirm(alice, execution).json()["data"]["status"] == "refunded"
    assert said(confirm(alice, execution, "bank-2")) == (409, "not_awaiting_payment")


@override_settings(PAYMENTS_SANDBOX=True)
def test_pretended_money_is_confirmed_only_where_pretending_is_on(alice: Caller) -> None:
    execution = created(alice, published(alice, price=PRICE))["execution"]
    with override_settings(PAYMENTS_SANDBOX=False):
        assert said(confirm(alice, execution)) == (409, "not_confirmable")
    assert confirm(alice, execution).json()["data"]["status"] == "paid"


@pytest.mark.django_db(transaction=True)
def test_the_price_is_the_one_of_the_version_that_was_executed(alice: Caller) -> None:
    workflow_id = published(alice, price=PRICE)
    execution = created(alice, workflow_id)["execution"]
    definition = alice.get(f"/v1/workflows/{workflow_id}").json()
    alice.put(f"/v1/workflows/{workflow_id}", {"name": "free", "steps": definition["steps"]})
    alice.post(f"/v1/workflows/{workflow_id}/publish")
    assert created(alice, workflow_id)["execution"]["paymentStatus"] == "not_required"
    assert alice.get(f"/v1/payments/{execution['orderId']}").json()["data"]["amount"] == 1250
