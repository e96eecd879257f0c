"""Deliveries, read and told to go once more. Everything is by tenant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.db.models.functions import Now

from contract.identifiers import parse_id
from contract.pages import Keys
from contract.problems import Conflict, NotFound
from executions.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from executions.webhooks.words import DeliveryStatus, SendStatus
from tenants.models import Tenant

ATTEMPTS_SHOWN = 25


def deliveries_of(tenant: Tenant) -> QuerySet[WebhookDelivery]:
    """Every delivery of the tenant, each with its newest attempts, the newest first."""
    attempts = WebhookAttempt.objects.order_by("-number")[:ATTEMPTS_SHOWN]
    return WebhookDelivery.objects.filter(tenant=tenant).prefetch_related(
        Prefetch("attempts", attempts, to_attr="newest_attempts")
    )


def keys_of(tenant: Tenant, sought: Mapping[str, Any]) -> list[Keys]:
    """Where the ids of the deliveries are found whose columns hold `sought`, each part from one index."""
    rows = WebhookDelivery.objects.filter(tenant=tenant, **sought)
    if sought.keys() & {"status", "event_type", "execution"}:
        return [Keys(rows)]
    # The indexes of a tenant and of an endpoint begin with the status: one part for each.
    return [Keys(rows.filter(status=status.value)) for status in DeliveryStatus]


def delivery_of(tenant: Tenant, delivery_id: str) -> WebhookDelivery:
    """The delivery with this id. Raises NotFound."""
    identifier = parse_id(delivery_id)
    delivery = deliveries_of(tenant).filter(id=identifier).first() if identifier else None
    if delivery is None:
        raise NotFound("there is no such delivery")
    return delivery


def retry(tenant: Tenant, delivery_id: str) -> WebhookDelivery:
    """The delivery, sent as soon as can be: one that failed once more, one that is pending without its delay.

    Raises NotFound; Conflict for one that was delivered, and where the endpoint is disabled or deleted.
    """
    delivery = delivery_of(tenant, delivery_id)
    _check_endpoint(delivery)
    rows = WebhookDelivery.objects.filter(id=delivery.id)
    # Locked before it is looked at: a statement does not see the attempt of a claim that it had to wait for.
    rows.select_for_update(no_key=True).get()
    under_way = WebhookAttempt.objects.filter(delivery=OuterRef("pk"), status=SendStatus.SENDING.value)
    pending = Q(status=DeliveryStatus.PENDING.value)
    # What is being sent right now need not be told to go; one whose sender died is.
    idle = ~Exists(under_way) | Q(due_at__lt=Now())
    again = rows.filter(Q(status=DeliveryStatus.FAILED.value) | (pending & idle)).update(
        status=DeliveryStatus.PENDING.value, due_at=Now(), finished_at=None
    )
    if not again and not rows.filter(pending).exists():
        raise Conflict("what was delivered is replayed, not retried", reason="already_delivered")
    # What it failed at may be over: an endpoint that rests is tried without waiting, and rests again if it was wrong.
    WebhookEndpoint.objects.filter(id=delivery.endpoint_id, rest_until__isnull=False).update(rest_until=None)
    return delivery_of(tenant, delivery_id)


def replay(tenant: Tenant, delivery_id: str) -> WebhookDelivery:
    """A new delivery of the same event to the same endpoint. Raises NotFound; Conflict as retry does."""
    delivery = delivery_of(tenant, delivery_id)
    _check_endpoint(delivery)
    again = WebhookDelivery.objects.create(
        tenant=tenant,
        endpoint_id=delivery.endpoint_id,
        execution_id=delivery.execution_id,
        sequence=delivery.sequence,
        event_type=delivery.event_type,
        due_at=Now(),
        replay_of=delivery.id,
    )
    return delivery_of(tenant, str(again.id))


def _check_endpoint(delivery: WebhookDelivery) -> None:
    """Raises Conflict where nothing is sent; until the end of the transaction it stays as it was found."""
    endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).get(id=delivery.endpoint_id)
    if endpoint.deleted_at is not None:
        raise Conflict("its endpoint was deleted", reason="endpoint_deleted")
    if not endpoint.enabled:
        raise Conflict("its endpoint is disabled", reason="endpoint_disabled")
