"""/v1/executions/stream and /v1/executions/{id}/stream: events as they happen, as Server-Sent Events."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from contract import json_values
from contract.answers import JSON_TYPE, Answers, Success, Wrapping
from contract.http import Answer
from contract.pages import open_cursor, seal_cursor
from contract.problems import FieldProblem, InvalidInput, Unauthenticated
from contract.queries import parameters, whole
from contract.schema import TEXT, Schema, record
from executions.api.answers import EVENT
from executions.api.executions import show_event
from executions.models import Event, Execution, Submission
from executions.reading import Runs, execution_of
from executions.states import TERMINAL, Status
from executions.streaming import sse
from executions.streaming.following import OfExecution, OfTenant, Place, Show, Told
from executions.streaming.stream import Stream, Terms
from tenants.authentication import credential_of
from tenants.door import Door, takes

HEADER = "Last-Event-ID"
MEDIA_TYPE = "text/event-stream"
SCOPE = "executions:read"
# No cache and no proxy may keep events back.
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

SEQUENCE = whole(0, 2**31 - 1)
MAX_SECONDS = whole(1, 86_400)
QUERY = parameters(max_seconds=MAX_SECONDS)
RESUMING: Mapping[str, Schema] = {
    HEADER: {**TEXT, "description": "The `id` of the last event that was received: what follows it is sent."}
}
OVER = Success(204, None, "The execution has ended, and its last event was received.", Wrapping.NONE)


def stream_of(event: Schema) -> Success:
    """A stream whose events have this in their `data`."""
    data = {**TEXT, "contentMediaType": JSON_TYPE, "contentSchema": event}
    each = record({"id": TEXT, "event": TEXT, "data": data})
    return Success(200, each, "Events, as Server-Sent Events; of each this.", Wrapping.NONE, media_type=MEDIA_TYPE)


class StreamDoor(Door):
    """Streams of the caller's tenant."""

    @takes(SCOPE, query=QUERY, headers=RESUMING, answers=Answers((stream_of(EVENT), OVER)))
    def of_execution(self, execution_id: str) -> HttpResponseBase:
        """Every event of it, up to its end."""
        execution = execution_of(self.tenant, execution_id)
        return execution_stream(self.request._request, execution, shown, self._terms())

    @takes(SCOPE, query=QUERY, headers=RESUMING, answers=Answers((stream_of(EVENT),)))
    def of_tenant(self) -> HttpResponseBase:
        """The events of all executions, from now on or from behind the last one that was received."""
        binding = f"{self.tenant.id}{self.request.path}"
        after = _place_of(self.request._request, binding)
        source = OfTenant(self.tenant.id, partial(shown_to_tenant, binding))
        headers = {HEADER: _sealed(after, binding)}
        return opened(self.request._request, source, after, self._terms(), headers)

    def _terms(self) -> Terms:
        still_allowed = partial(_check, self.request._request, self.tenant.id)
        return Terms(settings.STREAM_HEARTBEAT_SECONDS, still_allowed, self.query.get("max_seconds"))


def execution_stream(request: HttpRequest, execution: Execution, show: Show, terms: Terms) -> HttpResponseBase:
    """The stream of `execution`, each event as `show` has it; 204 where all of it was received. Raises InvalidInput."""
    last = _sequence_of(request)
    if last > execution.event_sequence:
        raise _foreign("this execution has no such event")
    if last == execution.event_sequence and Status(execution.status) in TERMINAL:
        return Answer(None, 204, headers=HEADERS)
    return opened(request, OfExecution(execution.id, show), last, terms, {})


def opened(
    request: HttpRequest, source: OfExecution | OfTenant, after: int | Place, terms: Terms, headers: Mapping[str, str]
) -> HttpResponseBase:
    """The answer that goes on in the server's event loop. To a HEAD, its headers alone."""
    stream = () if request.method == "HEAD" else Stream(settings.DATABASE_URL, source, after, terms)
    return StreamingHttpResponse(stream, content_type=MEDIA_TYPE, headers={**HEADERS, **headers})


def rows_of(told: Told) -> tuple[Execution, Event, Runs]:
    """The event as if it had been read for `/events`."""
    execution = Execution(id=told.execution_id, tenant_id=told.tenant_id, workflow_id=told.workflow_id)
    Submission(execution=execution, request_id=told.request_id)
    event = Event(
        execution=execution,
        sequence=told.sequence,
        type=told.type,
        step=told.step,
        body=told.body,
        created_at=told.created_at,
    )
    return execution, event, Runs(() if told.run_id is None else ((told.created_at, told.run_id),))


def shown(told: Told) -> bytes:
    """An event on the stream of its execution."""
    return sse.frame(str(told.sequence), told.type, json_values.dump(show_event(*rows_of(told))))


def shown_to_tenant(binding: str, told: Told) -> bytes:
    """An event on the stream of its tenant."""
    return sse.frame(_sealed(told.place, binding), told.type, json_values.dump(show_event(*rows_of(told))))


def _check(request: HttpRequest, tenant_id: UUID) -> None:
    """Raises a Refusal unless the credential of `request` is still as good as when the stream was opened."""
    credential = credential_of(request)
    credential.require(SCOPE)
    if credential.tenant.id != tenant_id:
        raise Unauthenticated("the credential has become another tenant's")


def _sequence_of(request: HttpRequest) -> int:
    """The sequence after which an execution's stream goes on: 0 where none is named. Raises InvalidInput."""
    text = request.headers.get(HEADER, "").strip()
    try:
        return int(SEQUENCE.read(text)) if text else 0
    except ValueError as error:
        raise _foreign(str(error)) from error


def _place_of(request: HttpRequest, binding: str) -> Place:
    """The place from behind which a tenant's stream goes on: where none is named, now. Raises InvalidInput."""
    horizon = _horizon()
    text = request.headers.get(HEADER, "").strip()
    if not text:
        return horizon, 0
    try:
        packed = open_cursor(text, binding).int
    except InvalidInput as error:
        raise _foreign(error.message) from error
    if (xid := packed >> 64) > horizon:
        raise _foreign("this is none of this database's events")
    return xid, packed & (2**64 - 1)


def _sealed(place: Place, binding: str) -> str:
    xid, number = place
    return seal_cursor(UUID(int=xid << 64 | number), binding)


def _horizon() -> int:
    """The oldest transaction that has not ended: every event of an older one can be read."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        return int(cursor.fetchone()[0])


def _foreign(message: str) -> InvalidInput:
    return InvalidInput(message, fields=[FieldProblem(f"header.{HEADER}", "invalid_cursor", message)])
