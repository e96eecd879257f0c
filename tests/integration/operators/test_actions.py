"""What operators may do in the admin: confirm a payment, cancel an execution; asked, recorded, refused in words."""

from __future__ import annotations

import json

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from executions.models import Arrival, Event, Execution, Payment
from tenants.models import Tenant
from tests.integration.operators.rows import queued, unpaid

EXECUTIONS = reverse("admin:executions_execution_changelist")
PAYMENTS = reverse("admin:executions_payment_changelist")


def act(client: Client, address: str, name: str, rows: list[object], word: str | None) -> list[str]:
    """Choose the action for the rows and, if `word` is one, answer its question; what the operator is told."""
    data: dict[str, object] = {"action": name, "_selected_action": [str(row) for row in rows]}
    if word is not None:
        data |= {"_asked": "1", "word": word}
    answer = client.post(address, data, follow=True)
    assert answer.status_code == 200
    return [str(message) for message in answer.context["messages"]]


def status(execution: Execution) -> str:
    return Execution.objects.get(id=execution.id).status


def test_a_confirmed_payment_queues_the_execution_in_the_operators_name(operator: Client, alice: Tenant) -> None:
    execution = unpaid(alice)
    assert act(operator, EXECUTIONS, "confirm", [execution.id], "bank 17") == ["Confirm the payment: 1 done."]
    assert status(execution) == "workflow_queued"
    payment = Payment.objects.get()
    assert (payment.status, payment.reference) == ("paid", "bank 17")
    paid = json.loads(Event.objects.get(execution=execution, type="payment.paid").body)
    assert paid["data"]["by"] == "operator:operator"
    assert LogEntry.objects.get().change_message == "Confirm the payment, reference: bank 17"


def test_payments_are_confirmed_in_their_own_list_too(operator: Client, alice: Tenant) -> None:
    execution = unpaid(alice)
    act(operator, PAYMENTS, "confirm", [execution.payment.order_id], "bank 18")
    assert status(execution) == "workflow_queued"


def test_an_action_asks_before_it_acts(operator: Client, alice: Tenant) -> None:
    execution = unpaid(alice)
    for name, label in (("confirm", "Reference"), ("cancel", "Reason")):
        data = {"action": name, "_selected_action": [str(execution.id)]}
        asked = operator.post(EXECUTIONS, data).content.decode()
        assert label in asked
        assert str(execution.id) in asked
        unanswered = operator.post(EXECUTIONS, data | {"_asked": "1", "word": " "}).content.decode()
        assert "This field is required" in unanswered
    assert status(execution) == "awaiting_payment"


def test_each_refusal_is_told_and_the_other_rows_are_done(operator: Client, alice: Tenant) -> None:
    payable, free = unpaid(alice), queued(alice)
    told = act(operator, EXECUTIONS, "confirm", [payable.id, free.id], "bank 19")
    assert told == ["Confirm the payment: 1 done.", f"Confirm the payment: refused for {free.id}: it costs nothing."]
    assert (status(payable), status(free)) == ("workflow_queued", "workflow_queued")
    again = act(operator, EXECUTIONS, "confirm", [payable.id], "another reference")
    assert again == [f"Confirm the payment: refused for {payable.id}: the execution does not await payment."]


def test_an_unpaid_execution_is_cancelled_at_once_and_a_queued_one_by_its_inbox(
    operator: Client, alice: Tenant
) -> None:
    waiting, running = unpaid(alice), queued(alice)
    act(operator, EXECUTIONS, "cancel", [waiting.id, running.id], "ordered twice")
    assert status(waiting) == "workflow_cancelled"
    assert Execution.objects.get(id=waiting.id).status_reason == "ordered twice"
    arrived = Arrival.objects.get(execution=running)
    assert (arrived.kind, arrived.actor) == ("cancel", "operator:operator")
    assert json.loads(arrived.payload).items() >= {"reason": "ordered twice"}.items()
    told = act(operator, EXECUTIONS, "cancel", [waiting.id], "again")
    assert told == [f"Cancel the execution: refused for {waiting.id}: the execution is workflow_cancelled already."]


def test_who_may_only_look_can_do_neither(onlooker: Client, alice: Tenant) -> None:
    execution = unpaid(alice)
    page = reverse("admin:executions_execution_change", args=[execution.id])
    assert onlooker.get(page).status_code == 200
    for name in ("confirm", "cancel"):
        act(onlooker, EXECUTIONS, name, [execution.id], "word")
        this = reverse(f"admin:executions_execution_{name}_this", args=[execution.id])
        assert onlooker.post(this, {"_asked": "1", "word": "word"}).status_code == 403
    act(onlooker, PAYMENTS, "confirm", [execution.payment.order_id], "word")
    assert status(execution) == "awaiting_payment"


@pytest.mark.parametrize(("name", "after"), [("confirm", "workflow_queued"), ("cancel", "workflow_cancelled")])
def test_the_page_of_an_execution_has_the_buttons_that_its_status_allows(
    operator: Client, alice: Tenant, name: str, after: str
) -> None:
    execution = unpaid(alice)
    page = reverse("admin:executions_execution_change", args=[execution.id])
    button = reverse(f"admin:executions_execution_{name}_this", args=[execution.id])
    assert button in operator.get(page).content.decode()
    assert operator.get(button).status_code == 200
    assert status(execution) == "awaiting_payment"
    assert operator.post(button, {"_asked": "1", "word": "w"}).headers["Location"] == page
    assert status(execution) == after
    assert (
        reverse("admin:executions_execution_confirm_this", args=[execution.id])
        not in operator.get(page).content.decode()
    )


def test_a_button_for_no_execution_leads_nowhere(operator: Client, alice: Tenant) -> None:
    for nothing in ("nothing", "01890000-0000-7000-8000-000000000000"):
        assert operator.get(reverse("admin:executions_execution_cancel_this", args=[nothing])).status_code == 404
