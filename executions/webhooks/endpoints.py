"""Endpoints: the only place that a caller's wishes about them are written. Everything is by tenant."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from django.db.models import QuerySet
from django.db.models.functions import Now

from contract.identifiers import parse_id
from contract.problems import Conflict, NotFound
from executions.models import WebhookDelivery, WebhookEndpoint
from executions.models.transaction import CurrentTransactionId
from executions.open_lineage import STATES
from executions.webhooks.schedule import DEFAULT_RETRIES, OVERLAP
from executions.webhooks.signing import new_secret, sealed, sealed_after
from executions.webhooks.words import DEFAULT, DeliveryStatus, DisabledReason, Format
from tenants.models import Tenant

log = structlog.get_logger(__name__)

MOST_ENDPOINTS = 50
"""Of one tenant: each event may make as many deliveries."""


def endpoints_of(tenant: Tenant) -> QuerySet[WebhookEndpoint]:
    """Every endpoint of the tenant that was not deleted."""
    return WebhookEndpoint.objects.filter(tenant=tenant, deleted_at__isnull=True)


def endpoint_of(tenant: Tenant, endpoint_id: str) -> WebhookEndpoint:
    """The endpoint with this id. Raises NotFound."""
    return _found(endpoints_of(tenant), endpoint_id)


def create(
    tenant: Tenant,
    *,
    name: str,
    url: str,
    description: str = "",
    form: Format = Format.EVENT,
    api_key: str | None = None,
    subscribed: Sequence[str] | None = None,
    max_retries: int = DEFAULT_RETRIES,
) -> tuple[WebhookEndpoint, str]:
    """A new endpoint and its secret, which nobody can ever see again. Raises Conflict beyond MOST_ENDPOINTS.

    It is sent `api_key` as a bearer token. Inside a transaction: it is told of what later ones write.
    """
    if subscribed is None:
        subscribed = DEFAULT if form is Format.EVENT else sorted(STATES)
    # Two at once would both count one too few; what refers to a tenant does not wait for this lock.
    Tenant.objects.select_for_update(no_key=True).get(id=tenant.id)
    if endpoints_of(tenant).count() >= MOST_ENDPOINTS:
        raise Conflict(f"a tenant has at most {MOST_ENDPOINTS} endpoints", reason="too_many_endpoints")
    secret = new_secret()
    endpoint = WebhookEndpoint.objects.create(
        tenant=tenant,
        name=name,
        url=url,
        description=description,
        subscribed=list(dict.fromkeys(subscribed)),
        max_retries=max_retries,
        format=form.value,
        sealed=sealed(secret, api_key),
    )
    return endpoint, secret


def enable(tenant: Tenant, endpoint_id: str) -> WebhookEndpoint:
    """The endpoint, told of events from now on; what was held for it goes on. Raises NotFound."""
    endpoint = _locked(tenant, endpoint_id)
    if not endpoint.enabled:
        WebhookEndpoint.objects.filter(id=endpoint.id).update(
            enabled=True,
            since=CurrentTransactionId(),
            disabled_reason=None,
            disabled_at=None,
            failures=0,
            failing_since=None,
            rest_until=None,
            updated_at=Now(),
        )
    return endpoint_of(tenant, endpoint_id)


def disable(tenant: Tenant, endpoint_id: str) -> WebhookEndpoint:
    """The endpoint, told of nothing more; deliveries that are pending are held. Raises NotFound."""
    endpoint = _locked(tenant, endpoint_id)
    if endpoint.enabled:
        _disabled(endpoint)
    return endpoint_of(tenant, endpoint_id)


def delete(tenant: Tenant, endpoint_id: str) -> None:
    """Gone, with its secrets; pending deliveries are dropped, and can still be read. Raises NotFound."""
    endpoint = _locked(tenant, endpoint_id)
    if endpoint.enabled:
        _disabled(endpoint)
    WebhookEndpoint.objects.filter(id=endpoint.id).update(deleted_at=Now(), sealed="", overlap_until=None)
    WebhookDelivery.objects.filter(endpoint=endpoint, due_at__isnull=False).update(
        status=DeliveryStatus.DROPPED.value, due_at=None, finished_at=Now()
    )


def regenerate_secret(tenant: Tenant, endpoint_id: str) -> tuple[WebhookEndpoint, str]:
    """The endpoint and its new secret; for OVERLAP the one before signs as well. Raises NotFound."""
    endpoint, secret = _locked(tenant, endpoint_id), new_secret()
    WebhookEndpoint.objects.filter(id=endpoint.id).update(
        sealed=sealed_after(endpoint.sealed, secret), overlap_until=Now() + OVERLAP, updated_at=Now()
    )
    return endpoint_of(tenant, endpoint_id), secret


def _disabled(endpoint: WebhookEndpoint) -> None:
    reason = DisabledReason.REQUESTED.value
    WebhookEndpoint.objects.filter(id=endpoint.id).update(
        enabled=False, disabled_reason=reason, disabled_at=Now(), updated_at=Now()
    )
    log.info("webhook_endpoint_disabled", endpoint_id=str(endpoint.id), reason=reason)


def _locked(tenant: Tenant, endpoint_id: str) -> WebhookEndpoint:
    return _found(endpoints_of(tenant).select_for_update(no_key=True), endpoint_id)


def _found(rows: QuerySet[WebhookEndpoint], endpoint_id: str) -> WebhookEndpoint:
    identifier = parse_id(endpoint_id)
    endpoint = rows.filter(id=identifier).first() if identifier else None
    if endpoint is None:
        raise NotFound("there is no such endpoint")
    return endpoint
