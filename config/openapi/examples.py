"""Bodies as examples of the operations: those of the three published pages, and a good one for whatever is made."""

from __future__ import annotations

from typing import Any, Final

_AN_ID: Final = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
_A_TEMPLATE: Final = "0190163d-8694-739b-aea5-966c26f8ad90"
_A_RUN: Final = "maip-orch:7WJ31WQM0N9E8AH1R2Q6ZWNT51"
_AN_AGENT: Final = "maip-agent:5J0KHWS3A49D0TNNXQA9RP8GYR"
_THEN: Final = "2023-11-07T05:31:56.000Z"

_EXECUTION: Final[dict[str, Any]] = {
    "checkoutSessionId": None,
    "clientSafeMetadata": {},
    "createdAt": _THEN,
    "externalRef": None,
    "finishedAt": None,
    "id": _AN_ID,
    "idempotencyKey": None,
    "initiatedById": _AN_ID,
    "initiatedByType": "api_key",
    "orderId": _AN_ID,
    "organizationId": _AN_ID,
    "paymentStatus": "unpaid",
    "requestPayload": {},
    "responsePayload": None,
    "runId": None,
    "sourceEntityId": None,
    "sourceEntityType": "lead",
    "sourceSystem": "crm",
    "startedAt": None,
    "status": "awaiting_payment",
    "statusReason": None,
    "updatedAt": _THEN,
    "workflowId": _AN_ID,
}
_DEFINITION: Final[dict[str, Any]] = {
    "name": "greeting",
    "input_schema": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
    "steps": [
        {"name": "greet", "type": "transform", "config": {"output": "Hello, ${{ input.name }}!"}},
        {"action": "noop", "parameters": {"said": "${{ steps.greet.output }}"}},
    ],
}
_REQUESTS: Final[dict[str, dict[str, Any]]] = {
    "executions.create": {
        "published": {"workflowId": _AN_ID, "sourceSystem": "crm", "sourceEntityType": "lead", "requestPayload": {}}
    },
    "workflows.execute": {
        "published": {"parameters": {}, "dry_run": False},
        "withAgent": {"agent_id": _AN_AGENT, "input": {}, "parameters": {}},
    },
    "data_orchestration.execute": {"published": {"template_id": _A_TEMPLATE, "application_id": _AN_ID}},
    "workflows.create": {"greeting": _DEFINITION},
    "workflows.put": {"greeting": _DEFINITION | {"version": "1.1.0"}},
    "workflows.validate": {"greeting": _DEFINITION},
    "orchestrations.execute": {"inline": {"steps": [{"action": "noop", "parameters": {"a": 1}}]}},
    "data_orchestration.templates.create": {
        "score": {
            "name": "score",
            "workflow_id": _AN_ID,
            "input": {"amount": "${{ application.amount }}"},
            "outcome": "output.score > 600 ? 'pass' : 'refer'",
        }
    },
    "applications.create": {"loan": {"external_ref": "loan-7", "data": {"amount": 1169}}},
    "agents.create": {"clerk": {"name": "clerk", "actions": ["transform:run", "tool_call:*", "!tool_call:fail"]}},
    "api_keys.create": {"reader": {"name": "reader", "scopes": ["executions:read"]}},
    "execution_webhooks.create": {"all": {"name": "all", "url": "https://example.com/events"}},
}
_ANSWERS: Final[dict[str, Any]] = {
    "executions.create": {
        "code": 200,
        "data": {
            "clientToken": "ct_1_xQ2vVnLq0m8",
            "execution": _EXECUTION,
            "checkoutUrl": "https://example.com/pay/1",
        },
        "message": "success",
        "requestId": "abc-123",
    },
    "workflows.execute": {
        "execution_id": _AN_ID,
        "run_id": _A_RUN,
        "workflow_id": _AN_ID,
        "workflow_version": "1.0.0",
        "agent_id": _AN_AGENT,
        "status": "running",
        "steps": [{"name": "noop", "action": "noop", "agent_id": _AN_ID, "status": "pending", "result": None}],
        "created_at": _THEN,
        "started_at": _THEN,
        "checkout_url": None,
    },
    "data_orchestration.execute": {
        "data": {
            "id": _AN_ID,
            "outcome": None,
            "internal_error": None,
            "status": 1,
            "created_at": _THEN,
            "started_at": None,
            "finished_at": None,
            "master_status": "workflow_queued",
        }
    },
}


def of_request(operation_id: str) -> dict[str, Any]:
    """The examples of a request body, by name."""
    return {name: {"value": value} for name, value in _REQUESTS.get(operation_id, {}).items()}


def of_answer(operation_id: str) -> dict[str, Any]:
    """The examples of a success, by name."""
    return {"published": {"value": _ANSWERS[operation_id]}} if operation_id in _ANSWERS else {}
