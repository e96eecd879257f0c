"""Endpoints, a sender, and what their receivers saw: what the tests of outbound webhooks arrange with."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from executions.models import Execution, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from executions.webhooks import endpoints
from executions.webhooks.fan_out import fan_out
from executions.webhooks.words import DEFAULT
from orchestrator.deliveries import Sender, post
from orchestrator.timed_network import TimedGuard
from tenants.egress import client
from tenants.models import Tenant
from tests.unit.orchestrator.attempts import LOOPBACK
from tests.unit.orchestrator.raw_server import Seen

NOWHERE = "http://127.0.0.1:9/hook"


def endpoint(tenant: Tenant, url: str = NOWHERE, *subscribed: str, **members: Any) -> WebhookEndpoint:
    """A new endpoint of the tenant's."""
    return endpoint_and_secret(tenant, url, *subscribed, **members)[0]


def endpoint_and_secret(
    tenant: Tenant, url: str = NOWHERE, *subscribed: str, **members: Any
) -> tuple[WebhookEndpoint, str]:
    """A new endpoint of the tenant's, and what signs for it."""
    with transaction.atomic():
        return endpoints.create(tenant, name="hook", url=url, subscribed=subscribed or DEFAULT, **members)


def fan_out_all() -> None:
    """Make every delivery that can be made now. The first look of all finds where to begin."""
    fan_out()
    looks = 1
    while fan_out():
        looks += 1
        assert looks < 1_000, "reading does not come to an end"


@contextmanager
def sender() -> Iterator[Sender]:
    """A sender that may reach the servers of these tests."""
    with client(LOOPBACK, TimedGuard) as outbound:
        made = Sender(lambda request: post(outbound, request))
        yield made
        made.finish(1)


def turned_until(who: Sender, holds: Callable[[], object], *, seconds: float = 20) -> None:
    """Have it send until something holds. Delays after failures are skipped, rests of endpoints are not."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{holds} did not come true in {seconds} s"
        who.turn()
        who.wait(0.02)


def due_now(*delivery_ids: UUID) -> None:
    """Let the delay, or the lease, of these pending deliveries be over, and their endpoints have rested."""
    rows = WebhookDelivery.objects.filter(due_at__isnull=False)
    (rows.filter(id__in=delivery_ids) if delivery_ids else rows).update(due_at=Now())
    WebhookEndpoint.objects.update(rest_until=None)


def told(to: WebhookEndpoint) -> list[tuple[str, int]]:
    """The executions and sequences of the events that it has deliveries of, in order."""
    rows = WebhookDelivery.objects.filter(endpoint=to).order_by("id")
    return [(str(execution), sequence) for execution, sequence in rows.values_list("execution", "sequence")]


def types_told(to: WebhookEndpoint) -> list[str]:
    return list(WebhookDelivery.objects.filter(endpoint=to).order_by("id").values_list("event_type", flat=True))


def happened(execution: Execution, *prefixes: str) -> list[tuple[str, int]]:
    """The execution's events whose types begin with one of these."""
    rows = execution.events.order_by("sequence").values_list("type", "sequence")
    return [(str(execution.id), sequence) for kind, sequence in rows if kind.startswith(prefixes)]


def standing(delivery: WebhookDelivery) -> tuple[str, list[str]]:
    """Where it stands now, and how its attempts came out."""
    delivery.refresh_from_db()
    attempts = WebhookAttempt.objects.filter(delivery=delivery).order_by("number")
    return delivery.status, list(attempts.values_list("status", flat=True))


def body(seen: Seen) -> Any:
    return json.loads(seen.body)
