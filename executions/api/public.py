"""/v1/public: run a workflow that is open to everybody, and look at that run by its token. Executions dialect.

What is shown is an allow-list: nothing that the workflow read, made or said, and the words of each type of event.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

from contract.answers import PAYMENT_LINK, shown
from contract.http import PUBLIC_LIMIT, Answer
from contract.identifiers import parse_id, run_name
from contract.json_values import JSON
from contract.problems import Conflict, Forbidden
from contract.queries import parameters, text
from contract.schema import TEXT, Schema
from contract.shapes import ABSENT, FreeObject, Shape, Text
from contract.timestamps import wire
from executions.agents import agent_of, check_agents
from executions.api.executions import EVENTS_SHOWN, check_metadata, checkout_url, payment_link
from executions.api.public_answers import PUBLIC_CREATED, PUBLIC_EXECUTION
from executions.creation import Origin, Request, create_execution
from executions.models import Event, Execution
from executions.payloads.reading import value_of
from executions.public import TOKEN_HEADER, opened_by, token_of
from executions.reading import Runs, events_of, payment_of, payment_status, runs_of
from executions.states import Status
from executions.telling import EVENTS, STATUSES
from tenants.door import takes
from tenants.models import Tenant
from tenants.public_door import PublicDoor
from workflows import catalog
from workflows.models import WorkflowVersion

TOKEN: Mapping[str, Schema] = {TOKEN_HEADER: {**TEXT, "description": "The token, where it is not in the query."}}
PUBLIC = "public"
"""Where such an execution comes from, and who started it."""


class CreatePublicExecution(Shape):
    """The body of POST /v1/public/workflows/{id}/executions: what of the published body is a stranger's to say."""

    requestPayload = FreeObject(required=False, default=dict)
    clientSafeMetadata = FreeObject(required=False, default=dict)
    idempotencyKey = Text(required=False, empty=ABSENT)


def read_creation(body: JSON) -> dict[str, Any]:
    """The members of a creation. Raises InvalidInput."""
    given = CreatePublicExecution.read(body)
    check_metadata(given["clientSafeMetadata"])
    return given


class PublicWorkflowDoor(PublicDoor):
    """Workflows that are open to everybody."""

    key_member = "idempotencyKey"

    def check_caller(self) -> None:
        """Anybody, but not too often."""
        self.limit(f"create:{parse_id(self.kwargs['workflow_id'])}")

    def owner(self) -> Tenant:
        """The workflow's tenant. Raises NotFound unless it is open to everybody."""
        self.workflow = catalog.public_workflow(self.kwargs["workflow_id"])
        return self.workflow.tenant

    @takes(
        None,
        body=read_creation,
        shape=CreatePublicExecution,
        limit=PUBLIC_LIMIT,
        answers=shown(PUBLIC_CREATED, "It was created.", headers=PAYMENT_LINK, refuses=(409,)),
    )
    def create(self, workflow_id: str) -> Answer:  # noqa: ARG002 - owner() has looked it up
        """Run it, or have it wait for its payment."""
        version = catalog.live_version_of(self.workflow)
        execution = create_execution(self.tenant, self._request(version))
        checkout = checkout_url(execution)
        data = {"clientToken": token_of(execution.id), "execution": show(execution)}
        data |= {"checkoutUrl": checkout} if checkout else {}
        return self.ok(data, unstored=("/clientToken",), headers=payment_link(execution))

    def revive(self, body: JSON) -> JSON:
        """The token of a stored answer, derived again."""
        body["data"]["clientToken"] = token_of(UUID(body["data"]["execution"]["id"]))
        return body

    def _request(self, version: WorkflowVersion) -> Request:
        agent = agent_of(self.tenant, self.workflow)
        try:
            check_agents(self.tenant, agent, catalog.spec_of(version.id))
        except Forbidden as refusal:
            # Which agent may do what is not for everybody to know.
            raise Conflict("the workflow cannot be run now", reason="not_runnable") from refusal
        return Request(
            version=version,
            origin=Origin(
                source_system=PUBLIC,
                source_entity_type="workflow",
                source_entity_id=str(self.workflow.id),
                idempotency_key=self.idempotency_key(),
                initiated_by_type=PUBLIC,
                initiated_by_id="anonymous",
                request_id=self.request_id,
            ),
            input=self.input["requestPayload"],
            input_at="/requestPayload",
            agent=agent,
            client_safe_metadata=self.input["clientSafeMetadata"],
        )


class PublicExecutionDoor(PublicDoor):
    """One execution, for whoever holds its token."""

    execution: Execution

    def check_caller(self) -> None:
        """The token, then how often its holder came."""
        self.execution = opened_by(self.request._request, self.kwargs["execution_id"])
        self.limit(f"read:{self.execution.workflow_id}")

    @takes(None, query=parameters(token=text), headers=TOKEN, answers=shown(PUBLIC_EXECUTION, refuses=(401,)))
    def show(self, execution_id: str) -> Answer:  # noqa: ARG002 - check_caller() has looked it up
        """Where it stands, with its newest events."""
        return self.ok(show(self.execution))


def show(execution: Execution) -> JSON:
    """An execution as a stranger may see it, with its newest events."""
    newest = list(events_of(execution).order_by("-sequence")[:EVENTS_SHOWN])[::-1]
    runs, payment = runs_of(execution, newest), payment_of(execution)
    return {
        "id": str(execution.id),
        "workflowId": str(execution.workflow_id),
        "status": execution.status,
        "paymentStatus": payment_status(execution),
        "checkoutSessionId": payment.checkout_session_id if payment else None,
        "orderId": str(payment.order_id) if payment else None,
        "runId": run_name(execution.run_id) if execution.run_id else None,
        "clientSafeMetadata": value_of(execution.submission.client_safe_metadata, execution.id),
        "createdAt": wire(execution.created_at),
        "startedAt": wire(execution.started_at),
        "finishedAt": wire(execution.finished_at),
        "message": STATUSES[Status(execution.status)],
        "events": [show_event(event, runs) for event in newest],
    }


def show_event(event: Event, runs: Runs) -> JSON:
    """An event as a stranger may see it: what its type says, and nothing of its own."""
    words, run_id = EVENTS[event.type], runs.at(event.created_at)
    return {
        "id": str(uuid5(event.execution_id, str(event.sequence))),
        "eventType": event.type,
        "level": words.level,
        "title": words.title,
        "message": words.message,
        "nodeId": event.step,
        "runId": run_name(run_id) if run_id else None,
        "createdAt": wire(event.created_at),
    }
