"""/v1/executions: create, list and read, in the executions dialect. What they are told is in commanding.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

from contract import json_values
from contract.answers import PAYMENT_LINK, pages, shown
from contract.http import Answer, absolute
from contract.identifiers import run_name
from contract.json_values import JSON
from contract.pages import open_cursor, seal_cursor
from contract.problems import FieldProblem, InvalidInput, NotFound, UnknownReference
from contract.queries import identifier, listing, one_of, parameters, text, timestamp, whole
from contract.schema import listed
from contract.shapes import ABSENT, FreeObject, Shape, Text
from contract.timestamps import wire
from executions.agents import check_agents
from executions.api.answers import CREATED_EXECUTION, EVENT, EXECUTION, EXECUTION_STEPS, READ_EXECUTION
from executions.api.origins import origin_at
from executions.api.waiting import PREFER, WaitingDoor
from executions.creation import Request, create_execution
from executions.listing import EVERY, Sought, in_status, keys_of
from executions.models import Attempt, Event, Execution
from executions.payloads.reading import value_of
from executions.public import token_of
from executions.reading import (
    Runs,
    events_of,
    execution_of,
    executions_of,
    newest_events,
    payment_of,
    payment_status,
    runs_of,
)
from executions.states import Status
from executions.steps import SteppedOn, steps_from
from executions.telling import EVENTS, STATUSES, body_of, event_message
from tenants.door import Door, takes
from workflows import catalog
from workflows.live import Live, live

METADATA_LIMIT = 16 * 1024
EVENTS_SHOWN = 100


class CreateExecution(Shape):
    """The body of POST /v1/executions."""

    workflowId = Text()
    sourceSystem = Text()
    sourceEntityType = Text()
    sourceEntityId = Text(required=False, empty=ABSENT)
    externalRef = Text(required=False, empty=ABSENT)
    idempotencyKey = Text(required=False, empty=ABSENT)
    requestPayload = FreeObject(required=False, default=dict)
    clientSafeMetadata = FreeObject(required=False, default=dict)


def read_creation(body: JSON) -> dict[str, Any]:
    """The members of a creation. Raises InvalidInput."""
    given = CreateExecution.read(body)
    check_metadata(given["clientSafeMetadata"])
    return given


def check_metadata(metadata: JSON) -> None:
    """Raises InvalidInput where it is too large."""
    if len(json_values.dump(metadata).encode()) > METADATA_LIMIT:
        problem = FieldProblem("/clientSafeMetadata", "too_long", f"at most {METADATA_LIMIT:,} bytes are allowed")
        raise InvalidInput(problem.message, fields=[problem])


FILTERS = {
    "status": one_of(*(status.value for status in Status)),
    "workflowId": identifier,
    "sourceSystem": text,
    "sourceEntityId": text,
    "externalRef": text,
    "createdAfter": timestamp,
    "createdBefore": timestamp,
}
ASKED = {"sourceSystem": "source_system", "sourceEntityId": "source_entity_id", "externalRef": "external_ref"}


class ExecutionDoor(WaitingDoor):
    """Executions of the caller's tenant."""

    key_member = "idempotencyKey"

    @takes(
        "executions:write",
        body=read_creation,
        shape=CreateExecution,
        whole=True,
        headers=PREFER,
        answers=shown(CREATED_EXECUTION, "It was created.", headers=PAYMENT_LINK, refuses=(404,)),
    )
    def create(self) -> Answer:
        """Run a workflow, or have it wait for its payment."""
        given = self.input
        runs = named_workflow(self, given["workflowId"])
        with runs.made_sure():
            check_agents(self.tenant, runs.agent, catalog.spec_of(runs.version.id))
            execution = create_execution(self.tenant, self._request(runs, given))
        return self.reached(execution)

    def _request(self, runs: Live, given: dict[str, Any]) -> Request:
        return Request(
            version=runs.version,
            origin=origin_at(
                self,
                given["sourceSystem"],
                given["sourceEntityType"],
                given.get("sourceEntityId"),
                given.get("externalRef"),
            ),
            input=given["requestPayload"],
            input_at="/requestPayload",
            agent=runs.agent,
            client_safe_metadata=given["clientSafeMetadata"],
            live=runs,
        )

    def made(self, body: JSON) -> str | None:
        """The execution's id."""
        made: str = body["data"]["execution"]["id"]
        return made

    def reached(self, execution: Execution) -> Answer:
        """The execution as it stands, its token and, while it awaits payment, where it is paid for."""
        checkout = checkout_url(execution)
        data = {"clientToken": token_of(execution.id), "execution": show(execution)}
        data |= {"checkoutUrl": checkout} if checkout else {}
        return self.ok(data, unstored=("/clientToken",), headers=payment_link(execution))

    def revive(self, body: JSON) -> JSON:
        """The token of a stored answer, derived again."""
        body["data"]["clientToken"] = token_of(UUID(body["data"]["execution"]["id"]))
        return body

    @takes("executions:read", query=listing(**FILTERS), answers=pages(EXECUTION))
    def index(self) -> Answer:
        """Newest first."""
        rows, among = executions_of(self.tenant), keys_of(self.tenant, sought(self.query.filters))
        return self.page(self.newest_first(rows, self.query.window, among=among), show)

    @takes("executions:read", answers=shown(READ_EXECUTION))
    def show(self, execution_id: str) -> Answer:
        """One, with its newest events."""
        execution = execution_of(self.tenant, execution_id)
        newest = newest_events(execution, EVENTS_SHOWN)
        runs = runs_of(execution, newest)
        return self.ok(
            {
                "execution": show(execution),
                "events": [show_event(execution, event, runs) for event in newest],
                "message": execution.status_reason or STATUSES[Status(execution.status)],
            }
        )

    @takes(
        "executions:read",
        query=parameters(after=whole(0, 2**31 - 1), limit=whole(1, 1000)),
        answers=shown(listed(EVENT, maxItems=1_000), "The events."),
    )
    def events(self, execution_id: str) -> Answer:
        """By sequence, from the one after `after`."""
        execution = execution_of(self.tenant, execution_id)
        rows = events_of(execution).filter(sequence__gt=self.query.get("after", 0))
        events = list(rows[: self.query.get("limit", 100)])
        runs = runs_of(execution, events)
        return self.ok([show_event(execution, event, runs) for event in events])

    @takes(
        "executions:read",
        query=parameters(limit=whole(1, 100), cursor=text),
        answers=shown(EXECUTION_STEPS, "One page of the steps."),
    )
    def steps(self, execution_id: str) -> Answer:
        """In the definition's order, then parts, then compensations, each with its attempts."""
        execution = execution_of(self.tenant, execution_id)
        binding, limit = f"steps:{execution.id}", self.query.get("limit", 20)
        first = open_cursor(self.query["cursor"], binding).int if "cursor" in self.query else 0
        steps = steps_from(execution, first, limit + 1)
        more = seal_cursor(UUID(int=steps[limit].spec.index), binding) if len(steps) > limit else None
        return self.ok({"items": [show_step(step) for step in steps[:limit]], "nextCursor": more})


def named_workflow(door: Door, workflow_id: str) -> Live:
    """What runs of the workflow that a body names. Raises UnknownReference, or Conflict where it may not be run."""
    try:
        return live(door.tenant, workflow_id)
    except NotFound as refusal:
        problem = FieldProblem("/workflowId", refusal.reason, refusal.message)
        raise UnknownReference(refusal.message, fields=[problem]) from refusal


def sought(filters: Mapping[str, Any]) -> Sought:
    """What a query's filters leave of the list."""
    return Sought(
        standing=in_status(Status(filters["status"])) if "status" in filters else EVERY,
        workflow=filters.get("workflowId"),
        asked={column: filters[name] for name, column in ASKED.items() if name in filters},
        after=filters.get("createdAfter"),
        before=filters.get("createdBefore"),
    )


def checkout_url(execution: Execution) -> str | None:
    """Where an execution that awaits payment is paid for: our own page, which leads to the provider."""
    payment = payment_of(execution)
    awaiting = execution.status == Status.AWAITING_PAYMENT
    return absolute(f"/pay/{payment.order_id}") if payment is not None and awaiting else None


def payment_link(execution: Execution) -> dict[str, str]:
    """The Link header of every answer that leaves an execution awaiting its payment."""
    checkout = checkout_url(execution)
    return {"Link": f'<{checkout}>; rel="payment"'} if checkout else {}


def as_object(value: JSON) -> JSON:
    """A value where the wire has an object or null: anything else stands as {"value": ...}."""
    return value if value is None or isinstance(value, dict) else {"value": value}


def show(execution: Execution) -> JSON:
    """The execution object: exactly the published members."""
    asked, payment = execution.submission, payment_of(execution)
    output = value_of(execution.output, execution.id)
    return {
        "checkoutSessionId": payment.checkout_session_id if payment else None,
        "clientSafeMetadata": value_of(asked.client_safe_metadata, execution.id),
        "createdAt": wire(execution.created_at),
        "externalRef": asked.external_ref,
        "finishedAt": wire(execution.finished_at),
        "id": str(execution.id),
        "idempotencyKey": asked.idempotency_key,
        "initiatedById": asked.initiated_by_id,
        "initiatedByType": asked.initiated_by_type,
        "orderId": str(payment.order_id) if payment else None,
        "organizationId": str(execution.tenant_id),
        "paymentStatus": payment_status(execution),
        "requestPayload": value_of(asked.input, execution.id),
        "responsePayload": as_object(output),
        "runId": run_name(execution.run_id) if execution.run_id else None,
        "sourceEntityId": asked.source_entity_id,
        "sourceEntityType": asked.source_entity_type,
        "sourceSystem": asked.source_system,
        "startedAt": wire(execution.started_at),
        "status": execution.status,
        "statusReason": execution.status_reason,
        "updatedAt": wire(execution.updated_at),
        "workflowId": str(execution.workflow_id),
    }


def show_event(execution: Execution, event: Event, runs: Runs) -> JSON:
    body, words, run_id = body_of(event.body), EVENTS[event.type], runs.at(event.created_at)
    return {
        "id": str(uuid5(execution.id, str(event.sequence))),
        "sequence": event.sequence,
        "executionId": str(execution.id),
        "organizationId": str(execution.tenant_id),
        "workflowId": str(execution.workflow_id),
        "runId": run_name(run_id) if run_id else None,
        "nodeId": event.step,
        "requestId": body["data"].get("request_id") or execution.submission.request_id,
        "eventType": event.type,
        "level": words.level,
        "title": words.title,
        "message": event_message(event.type, body),
        "data": body["data"],
        "createdAt": wire(event.created_at),
    }


def show_step(step: SteppedOn) -> JSON:
    last, parts = step.last, step.parts
    return {
        "id": str(step.id),
        "name": step.spec.name,
        "type": step.spec.type,
        "status": step.status,
        "dependsOn": list(step.spec.depends_on),
        "startedAt": wire(step.started_at),
        "finishedAt": wire(step.finished_at),
        "input": None if last is None else value_of(last.input, last.execution_id),
        "output": step.output,
        "error": None if last is None else value_of(last.error, last.execution_id),
        "parent": step.parent,
        "parts": None if parts is None else {"total": parts.total, "ended": parts.ended, "failed": parts.failed},
        "childExecutionId": str(last.child) if last and last.child else None,
        "attempts": [show_attempt(attempt) for attempt in step.attempts],
    }


def show_attempt(attempt: Attempt) -> JSON:
    ended = attempt.finished_at
    return {
        "number": attempt.number,
        "status": attempt.status,
        "worker": attempt.worker_name,
        "codeVersion": attempt.code_version,
        "startedAt": wire(attempt.started_at),
        "finishedAt": wire(ended),
        "durationMs": None if ended is None else round((ended - attempt.started_at).total_seconds() * 1000),
        "input": value_of(attempt.input, attempt.execution_id),
        "output": value_of(attempt.output, attempt.execution_id),
        "error": value_of(attempt.error, attempt.execution_id),
    }
