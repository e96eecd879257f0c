"""`client.webhook_endpoints`, `client.webhook_deliveries`: who is told of which events. Executions dialect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from traceway.asking import ask, get, nothing, pages, path, post
from traceway.effects import Flow, Program
from traceway.models import WebhookDelivery, WebhookEndpoint
from traceway.surface import D, Resource, call, many

ENDPOINTS = "/v1/execution-webhooks"
DELIVERIES = f"{ENDPOINTS}/deliveries"


class WebhookEndpoints(Resource[D]):
    """Addresses that are told of events. What they are sent, `traceway.webhooks.verify` verifies."""

    @call
    def create(
        self,
        name: str,
        url: str,
        *,
        description: str | None = None,
        subscribed_event_types: Sequence[str] | None = None,
        max_retries: int | None = None,
        format: str | None = None,
        api_key: str | None = None,
        idempotency_key: str | None = None,
    ) -> Program[WebhookEndpoint]:
        """A new one, told of what happens from now on; its `signing_secret` is told here and never again.

        Left out, the types are those of executions and payments. `api_key` goes with the format `openlineage` alone.
        """
        body = {
            "name": name,
            "url": url,
            "description": description,
            "subscribedEventTypes": subscribed_event_types,
            "maxRetries": max_retries,
            "format": format,
            "apiKey": api_key,
        }
        return ask(self._retry, post(ENDPOINTS, body, key=idempotency_key), _with_secret)

    @call
    def get(self, endpoint_id: str) -> Program[WebhookEndpoint]:
        """One, without its secret."""
        return ask(self._retry, get(_endpoint(endpoint_id)), WebhookEndpoint.of)

    @many
    def list(self, *, limit: int | None = None) -> Flow[WebhookEndpoint]:
        """Newest first, the disabled ones too."""
        return pages(self._retry, ENDPOINTS, {}, WebhookEndpoint.of, limit)

    @call
    def delete(self, endpoint_id: str) -> Program[None]:
        """Told of nothing more; what is pending is dropped."""
        return ask(self._retry, post(_endpoint(endpoint_id), method="DELETE"), nothing)

    @call
    def disable(self, endpoint_id: str) -> Program[WebhookEndpoint]:
        """Told of nothing more; what is pending is held."""
        return ask(self._retry, post(_endpoint(endpoint_id, "/disable")), WebhookEndpoint.of)

    @call
    def enable(self, endpoint_id: str) -> Program[WebhookEndpoint]:
        """Told of what happens from now on; what was held is sent."""
        return ask(self._retry, post(_endpoint(endpoint_id, "/enable")), WebhookEndpoint.of)

    @call
    def regenerate_secret(self, endpoint_id: str, *, idempotency_key: str | None = None) -> Program[WebhookEndpoint]:
        """With a new `signing_secret`, told here and never again; the one before signs as well for a day."""
        at = _endpoint(endpoint_id, "/regenerate-secret")
        return ask(self._retry, post(at, key=idempotency_key), _with_secret)


class WebhookDeliveries(Resource[D]):
    """What endpoints were told, and how that came out."""

    @call
    def get(self, delivery_id: str) -> Program[WebhookDelivery]:
        """One, with its newest attempts."""
        return ask(self._retry, get(_delivery(delivery_id)), WebhookDelivery.of)

    @many
    def list(
        self,
        *,
        endpoint_id: str | None = None,
        execution_id: str | None = None,
        event_type: str | None = None,
        status: str | None = None,
        limit: int | None = None,
    ) -> Flow[WebhookDelivery]:
        """Newest first."""
        query = {"endpointId": endpoint_id, "executionId": execution_id, "eventType": event_type, "status": status}
        return pages(self._retry, DELIVERIES, query, WebhookDelivery.of, limit)

    @call
    def retry(self, delivery_id: str) -> Program[WebhookDelivery]:
        """Sent as soon as can be: once more, or without its delay. Raises Conflict where it was taken."""
        return ask(self._retry, post(_delivery(delivery_id, "/retry")), WebhookDelivery.of)

    @call
    def replay(self, delivery_id: str, *, idempotency_key: str | None = None) -> Program[WebhookDelivery]:
        """A new delivery of the same event."""
        return ask(self._retry, post(_delivery(delivery_id, "/replay"), key=idempotency_key), WebhookDelivery.of)


def _with_secret(answered: Any) -> WebhookEndpoint:
    return WebhookEndpoint.of(answered["endpoint"], signing_secret=answered["signingSecret"])


def _endpoint(endpoint_id: str, more: str = "") -> str:
    return path(ENDPOINTS + "/{endpoint_id}" + more, endpoint_id=endpoint_id)


def _delivery(delivery_id: str, more: str = "") -> str:
    return path(DELIVERIES + "/{delivery_id}" + more, delivery_id=delivery_id)
