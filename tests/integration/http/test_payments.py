"""Payments: read, confirmed once, and refused where there is nothing to confirm."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings

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


def test_the_price_is_the_one_of_the_version_that_was_executed(alice: Caller) -> None:
    workflow_id = published(alice, price=PRICE)
    execution = created(alice, workflow_id)["execution"]
    definition = alice.get(f"/v1/workflows/{workflow_id}").json()
    alice.put(f"/v1/workflows/{workflow_id}", {"name": "free", "steps": definition["steps"]})
    alice.post(f"/v1/workflows/{workflow_id}/publish")
    assert created(alice, workflow_id)["execution"]["paymentStatus"] == "not_required"
    assert alice.get(f"/v1/payments/{execution['orderId']}").json()["data"]["amount"] == 1250
