"""Answers of the API as its pages have them, and events as its streams have them."""

from __future__ import annotations

import json
from typing import Any

from tests.unit.client.wire import Say

EXECUTION: dict[str, Any] = {
    "checkoutSessionId": None,
    "clientSafeMetadata": {},
    "createdAt": "2026-11-22T12:48:01.353Z",
    "externalRef": None,
    "finishedAt": None,
    "id": "01a2034c-9949-77dc-ab16-1a0ece9a725b",
    "idempotencyKey": None,
    "initiatedById": "k",
    "initiatedByType": "api_key",
    "orderId": None,
    "organizationId": "t",
    "paymentStatus": "not_required",
    "requestPayload": {},
    "responsePayload": None,
    "runId": "maip-orch:01M81MS6A9EZEAP5GT1YD1S2XW",
    "sourceEntityId": None,
    "sourceEntityType": "call",
    "sourceSystem": "traceway-python",
    "startedAt": None,
    "status": "workflow_running",
    "statusReason": None,
    "updatedAt": "2026-11-22T12:48:01.353Z",
    "workflowId": "w",
}
ID: str = EXECUTION["id"]


def wrapped(data: Any) -> dict[str, Any]:
    return {"code": 200, "message": "success", "data": data, "requestId": "r"}


def execution(status: str = "workflow_running", **changes: Any) -> dict[str, Any]:
    return {**EXECUTION, "status": status, **changes}


def shown(status: str = "workflow_running", sequence: int = 3) -> Say:
    """The answer of GET /v1/executions/{id}."""
    events = [event(number) for number in range(1, sequence + 1)]
    return Say(200, wrapped({"execution": execution(status), "events": events, "message": "so it stands"}))


def created(**changes: Any) -> Say:
    """The answer of POST /v1/executions."""
    return Say(200, wrapped({"clientToken": "ct_1_abc", "execution": execution("workflow_queued", **changes)}))


def event(sequence: int, kind: str = "step.started", **changes: Any) -> dict[str, Any]:
    return {
        "id": f"e{sequence}",
        "sequence": sequence,
        "executionId": ID,
        "organizationId": "t",
        "workflowId": "w",
        "runId": None,
        "nodeId": "first",
        "requestId": "r",
        "eventType": kind,
        "level": "info",
        "title": "a title",
        "message": "a message",
        "data": {"attempt": 1},
        "createdAt": f"2026-11-22T12:48:{sequence % 60:02}.000Z",
        **changes,
    }


def frame(sequence: int, kind: str = "step.started") -> bytes:
    """One event as it stands on a stream."""
    data = json.dumps(event(sequence, kind), ensure_ascii=False)
    return f"id: {sequence}\nevent: {kind}\ndata: {data}\n\n".encode()


def stream(*chunks: bytes, cut: bool = False) -> Say:
    return Say(200, headers={"Content-Type": "text/event-stream"}, chunks=chunks, cut=cut)
