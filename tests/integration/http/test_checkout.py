"""/pay/{orderId}: what is paid for is shown and nothing else; sandbox money pays or declines, other money waits."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client, override_settings

from executions import commands
from executions.models import Execution, Payment
from tests.integration.http_client import Caller

pytestmark = pytest.mark.django_db
UNKNOWN = "01890000-0000-7000-8000-000000000000"


@pytest.fixture
def provider() -> str:
    return "sandbox"


@pytest.fixture
def order(alice: Caller, provider: str) -> Payment:
    steps = [{"name": "only", "type": "transform", "config": {"output": 1}}]
    priced = {"name": "credit <check>", "steps": steps, "price": {"amount": 123456, "currency": "EUR"}}
    workflow = alice.post("/v1/workflows", priced).json()["id"]
    alice.post(f"/v1/workflows/{workflow}/publish")
    body = {
        "workflowId": workflow,
        "sourceSystem": "crm",
        "sourceEntityType": "lead",
        "requestPayload": {"name": "Ada Lovelace"},
    }
    with override_settings(PAYMENTS_SANDBOX=provider == "sandbox"):
        data = alice.post("/v1/executions", body).json()["data"]
    assert data["checkoutUrl"].endswith(f"/pay/{data['execution']['orderId']}")
    return Payment.objects.get(order_id=data["execution"]["orderId"])


def visit(order_id: object, client: Client | None = None) -> Any:
    return (client or Client()).get(f"/pay/{order_id}")


def press(order: Payment, button: str) -> Any:
    with override_settings(PAYMENTS_SANDBOX=True):
        return Client().post(f"/pay/{order.order_id}", {button: "1"})


def status(order: Payment) -> tuple[str, str]:
    return Execution.objects.get(id=order.execution_id).status, Payment.objects.get(order_id=order.order_id).status


@override_settings(PAYMENTS_SANDBOX=True)
def test_the_page_names_the_workflow_the_amount_and_the_order(order: Payment) -> None:
    shown = visit(order.order_id).content.decode()
    assert "credit &lt;check&gt;" in shown
    assert "1,234.56 EUR" in shown
    assert str(order.order_id) in shown
    assert 'name="pay"' in shown
    assert 'name="decline"' in shown


def test_the_page_shows_nothing_else_of_the_tenant(order: Payment, alice: Caller) -> None:
    assert alice.tenant is not None
    shown = visit(order.order_id).content.decode()
    private = ("Ada Lovelace", "crm", "lead", "alice", "Alice", str(alice.tenant.id), str(order.execution_id))
    assert not [word for word in private if word in shown]


def test_the_page_takes_nothing_from_elsewhere_and_is_kept_by_nobody(order: Payment) -> None:
    answer = visit(order.order_id)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'")
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["X-Frame-Options"] == "DENY"
    shown = answer.content.decode()
    assert "<script" not in shown
    assert "style=" not in shown
    assert "//" not in shown.replace("<!doctype html>", "")
    assert finders.find("executions/pay.css")


def test_pay_queues_the_execution_and_a_second_click_changes_nothing(order: Payment) -> None:
    for _ in range(2):
        answer = press(order, "pay")
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/pay/{order.order_id}")
    assert status(order) == ("workflow_queued", "paid")
    order.refresh_from_db()
    assert order.reference == f"sandbox-{order.order_id}"
    assert Execution.objects.get().event_sequence == 6
    shown = visit(order.order_id).content.decode()
    assert "Paid" in shown
    assert "<form" not in shown


def test_decline_cancels_the_execution(order: Payment) -> None:
    press(order, "decline")
    assert status(order) == ("workflow_cancelled", "failed")
    assert Execution.objects.get().status_reason == "payment declined"
    shown = visit(order.order_id).content.decode()
    assert "was declined" in shown
    assert "<form" not in shown


def test_what_is_paid_cannot_be_declined_and_what_is_declined_not_paid(order: Payment) -> None:
    press(order, "pay")
    press(order, "decline")
    assert status(order) == ("workflow_queued", "paid")
    assert not Execution.objects.get().inbox.exists()


def test_what_was_cancelled_elsewhere_is_not_paid(order: Payment) -> None:
    commands.cancel(order.execution_id, None, "somebody")
    press(order, "pay")
    assert status(order) == ("workflow_cancelled", "expired")


@pytest.mark.parametrize("provider", ["manual"])
def test_an_order_paid_by_hand_says_how_and_takes_no_pretended_money(order: Payment) -> None:
    with override_settings(PAYMENTS_SANDBOX=True):
        shown = visit(order.order_id).content.decode()
    assert "the order number above as the\n  reference" in shown
    assert "<form" not in shown
    assert press(order, "pay").status_code == 405
    assert status(order) == ("awaiting_payment", "unpaid")


def test_without_the_setting_nobody_pays_with_pretended_money(order: Payment) -> None:
    with override_settings(PAYMENTS_SANDBOX=False):
        assert "<form" not in visit(order.order_id).content.decode()
        assert Client().post(f"/pay/{order.order_id}", {"pay": "1"}).status_code == 405
    assert status(order) == ("awaiting_payment", "unpaid")


@override_settings(PAYMENTS_SANDBOX=True)
def test_a_form_from_elsewhere_is_refused(order: Payment) -> None:
    assert Client(enforce_csrf_checks=True).post(f"/pay/{order.order_id}", {"pay": "1"}).status_code == 403
    assert status(order) == ("awaiting_payment", "unpaid")


@pytest.mark.parametrize("order_id", [UNKNOWN, "nothing", "a" * 300, "%00"])
def test_an_unknown_order_is_a_page_that_says_so(order_id: str) -> None:
    answer = visit(order_id)
    assert answer.status_code == 404
    assert "There is no order with this number." in answer.content.decode()


def test_no_other_method_is_taken(order: Payment) -> None:
    assert Client().delete(f"/pay/{order.order_id}").status_code == 405
    assert Client().head(f"/pay/{order.order_id}").status_code == 200
