"""What is sent of an event: as the API shows it, with a summary of its execution; or as a run event of OpenLineage."""

from __future__ import annotations

from uuid import UUID, uuid5

from contract import json_values
from contract.identifiers import run_name
from contract.json_values import JSON
from contract.timestamps import wire
from executions.api.executions import show_event
from executions.models import Event, Execution
from executions.open_lineage import run_event
from executions.payloads.reading import value_of
from executions.reading import payment_of, payment_status, runs_of
from executions.webhooks.words import Format


def event_id(execution_id: UUID, sequence: int) -> str:
    """The event's id in the API. It is the message's too: whoever is told of an event twice, or at two endpoints,
    can see that it is the same one."""
    return str(uuid5(execution_id, str(sequence)))


def content(event: Event, form: Format) -> str:
    """The JSON text of the message."""
    return json_values.dump(run_event(event) if form is Format.OPEN_LINEAGE else _told(event))


def _told(event: Event) -> JSON:
    """{type, timestamp, data}, `timestamp` the event's own."""
    execution = event.execution
    shown = show_event(execution, event, runs_of(execution, [event]))
    data = {**shown, "execution": summary(execution)}
    return {"type": event.type, "timestamp": wire(event.created_at), "data": data}


def summary(execution: Execution) -> JSON:
    """The execution as it stands now, without what went in and what came out."""
    asked, payment = execution.submission, payment_of(execution)
    return {
        "id": str(execution.id),
        "workflowId": str(execution.workflow_id),
        "runId": run_name(execution.run_id) if execution.run_id else None,
        "status": execution.status,
        "statusReason": execution.status_reason,
        "paymentStatus": payment_status(execution),
        "orderId": str(payment.order_id) if payment else None,
        "sourceSystem": asked.source_system,
        "sourceEntityType": asked.source_entity_type,
        "sourceEntityId": asked.source_entity_id,
        "externalRef": asked.external_ref,
        "clientSafeMetadata": value_of(asked.client_safe_metadata, execution.id),
        "createdAt": wire(execution.created_at),
        "startedAt": wire(execution.started_at),
        "finishedAt": wire(execution.finished_at),
        "updatedAt": wire(execution.updated_at),
    }
