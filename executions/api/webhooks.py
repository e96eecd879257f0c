"""/v1/execution-webhooks: endpoints that are told of events, and their deliveries, in the executions dialect."""

from __future__ import annotations

from typing import Any, ClassVar

from contract.answers import gone, pages, shown
from contract.http import Answer
from contract.json_values import JSON
from contract.problems import FieldProblem, InvalidInput
from contract.queries import identifier, listing, one_of
from contract.schema import Schema
from contract.shapes import ABSENT, ALLOWED, OneOf, Several, Shape, Text, Whole
from contract.timestamps import wire
from executions.api.webhook_answers import DELIVERY, ENDPOINT, ENDPOINT_WITH_SECRET
from executions.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from executions.webhooks import deliveries, endpoints
from executions.webhooks.message import event_id
from executions.webhooks.schedule import MOST_RETRIES
from executions.webhooks.words import SUBSCRIBABLE, TYPES, DeliveryStatus, Format, SendStatus
from tenants.door import Door, takes
from workflows.steps.addresses import is_address

LONGEST_URL = 2_048


class Address(Text):
    """An absolute http or https address, without user and password."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": "an absolute http or https address, without user and password, is wanted"
    }

    def described(self) -> Schema:
        """What is_address takes."""
        pattern = r"^[hH][tT][tT][pP][sS]?://[^/?#\s@\\\u0000]+([/?#][^\s\u0000]*)?$"
        return {"type": "string", "format": "uri", "pattern": pattern, "maxLength": LONGEST_URL}

    def to_internal_value(self, data: Any) -> str:
        """The address itself."""
        text = super().to_internal_value(data)
        if not is_address(text):
            self.fail("invalid")
        return text


class EventType(OneOf):
    """A type of event, or a pattern of types."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "unknown_event_type": "there is no event type {word!r}; {patterns} stand for several"
    }

    def to_internal_value(self, data: Any) -> str:
        """The word itself."""
        word = Text.to_internal_value(self, data)
        if word not in self.words:
            self.fail("unknown_event_type", word=word, patterns=", ".join(sorted(SUBSCRIBABLE - TYPES)))
        return word


class CreateEndpoint(Shape):
    """The body of POST /v1/execution-webhooks."""

    name = Text()
    url = Address(longest=LONGEST_URL)
    description = Text(required=False, default="", longest=4096, empty=ALLOWED)
    format = OneOf(*Format, required=False)
    apiKey = Text(required=False, longest=4096, empty=ABSENT)
    subscribedEventTypes = Several(child=EventType(*sorted(SUBSCRIBABLE)), required=False, max_length=100)
    maxRetries = Whole(low=0, high=MOST_RETRIES, required=False)


def read_endpoint(body: JSON) -> dict[str, Any]:
    """The members of an endpoint. Raises InvalidInput."""
    given = CreateEndpoint.read(body)
    given["format"] = Format(given.get("format", Format.EVENT))
    if given["format"] is Format.EVENT and "apiKey" in given:
        message = "events are signed; only a receiver of OpenLineage may want a key of its own"
        raise InvalidInput(message, fields=[FieldProblem("/apiKey", "not_allowed", message)])
    return given


_MEMBERS = {
    "format": "form",
    "apiKey": "api_key",
    "name": "name",
    "url": "url",
    "description": "description",
    "subscribedEventTypes": "subscribed",
    "maxRetries": "max_retries",
}


class EndpointDoor(Door):
    """Endpoints of the caller's tenant."""

    @takes(
        "webhooks:write",
        body=read_endpoint,
        shape=CreateEndpoint,
        answers=shown(ENDPOINT_WITH_SECRET, "It was created.", refuses=(409,)),
    )
    def create(self) -> Answer:
        """The new endpoint and its secret, shown this once."""
        # An empty list of types is none given: an endpoint that is told of nothing is no endpoint.
        given = {_MEMBERS[name]: value for name, value in self.input.items() if value != []}
        return self._with_secret(*endpoints.create(self.tenant, **given))

    @takes("webhooks:read", query=listing(), answers=pages(ENDPOINT))
    def index(self) -> Answer:
        """Newest first, the disabled ones too."""
        return self.page(self.newest_first(endpoints.endpoints_of(self.tenant), self.query.window), show_endpoint)

    @takes("webhooks:read", answers=shown(ENDPOINT))
    def show(self, endpoint_id: str) -> Answer:
        """One."""
        return self.ok(show_endpoint(endpoints.endpoint_of(self.tenant, endpoint_id)))

    @takes("webhooks:write", answers=gone())
    def destroy(self, endpoint_id: str) -> Answer:
        """Told of nothing more; what is pending is dropped."""
        endpoints.delete(self.tenant, endpoint_id)
        return self.gone()

    @takes("webhooks:write", answers=shown(ENDPOINT))
    def enable(self, endpoint_id: str) -> Answer:
        """Told of events from now on; what was held is sent."""
        return self.ok(show_endpoint(endpoints.enable(self.tenant, endpoint_id)))

    @takes("webhooks:write", answers=shown(ENDPOINT))
    def disable(self, endpoint_id: str) -> Answer:
        """Told of nothing more; what is pending is held."""
        return self.ok(show_endpoint(endpoints.disable(self.tenant, endpoint_id)))

    @takes("webhooks:write", answers=shown(ENDPOINT_WITH_SECRET, "The new secret, shown this once."))
    def regenerate_secret(self, endpoint_id: str) -> Answer:
        """A new secret; the one before signs as well for a day."""
        return self._with_secret(*endpoints.regenerate_secret(self.tenant, endpoint_id))

    def _with_secret(self, endpoint: WebhookEndpoint, secret: str) -> Answer:
        data = {"endpoint": show_endpoint(endpoint), "signingSecret": secret}
        return self.ok(data, unstored=("/signingSecret",))


FILTERS = {
    "endpointId": identifier,
    "executionId": identifier,
    "eventType": one_of(*sorted(TYPES)),
    "status": one_of(*(status.value for status in DeliveryStatus)),
}
_COLUMNS = {"endpointId": "endpoint", "executionId": "execution", "eventType": "event_type", "status": "status"}


class DeliveryDoor(Door):
    """What the endpoints of the caller's tenant were told, and how that came out."""

    @takes("webhooks:read", query=listing(**FILTERS), answers=pages(DELIVERY))
    def index(self) -> Answer:
        """Newest first."""
        sought = {_COLUMNS[name]: value for name, value in self.query.filters.items()}
        rows, among = deliveries.deliveries_of(self.tenant), deliveries.keys_of(self.tenant, sought)
        return self.page(self.newest_first(rows, self.query.window, among=among), show_delivery)

    @takes("webhooks:read", answers=shown(DELIVERY))
    def show(self, delivery_id: str) -> Answer:
        """One, with its attempts."""
        return self.ok(show_delivery(deliveries.delivery_of(self.tenant, delivery_id)))

    @takes("webhooks:write", answers=shown(DELIVERY, refuses=(409,)))
    def retry(self, delivery_id: str) -> Answer:
        """Send it now."""
        return self.ok(show_delivery(deliveries.retry(self.tenant, delivery_id)))

    @takes("webhooks:write", answers=shown(DELIVERY, "The new delivery.", refuses=(409,)))
    def replay(self, delivery_id: str) -> Answer:
        """Deliver the same event anew."""
        return self.ok(show_delivery(deliveries.replay(self.tenant, delivery_id)))


def show_endpoint(endpoint: WebhookEndpoint) -> JSON:
    """An endpoint on the wire, without its secrets."""
    return {
        "id": str(endpoint.id),
        "organizationId": str(endpoint.tenant_id),
        "name": endpoint.name,
        "url": endpoint.url,
        "description": endpoint.description or None,
        "format": endpoint.format,
        "subscribedEventTypes": endpoint.subscribed,
        "maxRetries": endpoint.max_retries,
        "status": endpoint.status,
        "disabledReason": endpoint.disabled_reason,
        "disabledAt": wire(endpoint.disabled_at),
        "failingSince": wire(endpoint.failing_since),
        "secretOverlapUntil": wire(endpoint.overlap_until),
        "createdAt": wire(endpoint.created_at),
        "updatedAt": wire(endpoint.updated_at),
    }


def show_delivery(delivery: WebhookDelivery) -> JSON:
    """A delivery on the wire. While it is being sent nobody knows yet when it would be again."""
    newest: list[WebhookAttempt] = delivery.newest_attempts  # type: ignore[attr-defined] # prefetched under this name
    sending = bool(newest) and newest[0].status == SendStatus.SENDING
    return {
        "id": str(delivery.id),
        "endpointId": str(delivery.endpoint_id),
        "executionId": str(delivery.execution_id),
        "eventId": event_id(delivery.execution_id, delivery.sequence),
        "eventType": delivery.event_type,
        "status": delivery.status,
        "replayOf": str(delivery.replay_of) if delivery.replay_of else None,
        "attemptCount": delivery.attempts_made,
        "nextAttemptAt": None if sending else wire(delivery.due_at),
        "createdAt": wire(delivery.created_at),
        "finishedAt": wire(delivery.finished_at),
        "attempts": [show_attempt(attempt) for attempt in reversed(newest)],
    }


def show_attempt(attempt: WebhookAttempt) -> JSON:
    """One try on the wire."""
    ended = attempt.finished_at
    error = {"kind": attempt.error_kind, "message": attempt.error_message} if attempt.error_kind else None
    return {
        "number": attempt.number,
        "status": attempt.status,
        "responseStatus": attempt.response_status,
        "responseExcerpt": attempt.response_excerpt,
        "error": error,
        "startedAt": wire(attempt.started_at),
        "finishedAt": wire(ended),
        "durationMs": None if ended is None else round((ended - attempt.started_at).total_seconds() * 1000),
    }
