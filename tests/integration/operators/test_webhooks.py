"""What operators see of outbound webhooks, and what they may do: send a delivery again, switch an endpoint."""

from __future__ import annotations

from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from executions.models import WebhookDelivery, WebhookEndpoint
from tenants.models import Tenant
from tests.integration.operators.rows import queued, told

DELIVERIES = reverse("admin:executions_webhookdelivery_changelist")
ENDPOINTS = reverse("admin:executions_webhookendpoint_changelist")


def act(client: Client, address: str, name: str, row: object) -> list[str]:
    """Choose the action for the row and answer its question; what the operator is told."""
    data = {"action": name, "_selected_action": [str(row)], "_asked": "1", "word": "asked by the shop"}
    answer = client.post(address, data, follow=True)
    assert answer.status_code == 200
    return [str(message) for message in answer.context["messages"]]


def test_a_delivery_is_shown_with_its_attempts_and_without_what_signs(operator: Client, alice: Tenant) -> None:
    delivery = told(queued(alice))
    address = reverse("admin:executions_webhookdelivery_change", args=[delivery.id])
    page = operator.get(address)
    ((_, _, _, _, status, wrong),) = page.context["attempts"]["rows"]
    assert (status, wrong) == (500, "http_status: it answered 500")
    endpoint = operator.get(reverse("admin:executions_webhookendpoint_change", args=[delivery.endpoint_id]))
    assert b"https://example.org/hook" in endpoint.content
    assert b"sealed secret" not in page.content + endpoint.content + operator.get(ENDPOINTS).content


def test_an_operator_has_a_delivery_sent_again(operator: Client, alice: Tenant) -> None:
    delivery = told(queued(alice))
    assert act(operator, DELIVERIES, "retry", delivery.id) == ["Retry the delivery: 1 done."]
    delivery.refresh_from_db()
    assert delivery.status == "pending"
    assert LogEntry.objects.get().change_message == "Retry the delivery, reason: asked by the shop"
    assert act(operator, DELIVERIES, "replay", delivery.id) == ["Replay the delivery: 1 done."]
    assert WebhookDelivery.objects.get(replay_of=delivery.id).status == "pending"


def test_an_operator_switches_an_endpoint(operator: Client, alice: Tenant) -> None:
    endpoint = told(queued(alice)).endpoint
    assert act(operator, ENDPOINTS, "disable", endpoint.id) == ["Disable the endpoint: 1 done."]
    assert WebhookEndpoint.objects.get().status == "disabled"
    assert act(operator, DELIVERIES, "retry", WebhookDelivery.objects.get().id)[0].startswith("Retry the delivery: ref")
    assert act(operator, ENDPOINTS, "enable", endpoint.id) == ["Enable the endpoint: 1 done."]
    assert WebhookEndpoint.objects.get().status == "enabled"


def test_who_may_only_look_changes_nothing(onlooker: Client, alice: Tenant) -> None:
    delivery = told(queued(alice))
    act(onlooker, DELIVERIES, "retry", delivery.id)
    act(onlooker, ENDPOINTS, "disable", delivery.endpoint_id)
    delivery.refresh_from_db()
    assert (delivery.status, WebhookEndpoint.objects.get().enabled) == ("failed", True)
