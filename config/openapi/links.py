"""Which operation follows which: how what one answers is what another is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

_EXECUTION: Final = (
    "executions.get",
    "executions.events",
    "executions.steps",
    "executions.cancel",
    "executions.pause",
    "executions.resume",
    "executions.redrive",
)
_WORKFLOW: Final = (
    "workflows.get",
    "workflows.put",
    "workflows.versions.list",
    "workflows.publish",
    "workflows.execute",
    "workflows.pause",
    "workflows.resume",
    "workflows.archive",
    "workflows.delete",
)
_AGENT: Final = ("agents.get", "agents.suspend", "agents.activate", "agents.revoke")
_ORCHESTRATION: Final = ("orchestrations.get", "orchestrations.cancel")
_ENDPOINT: Final = tuple(
    f"execution_webhooks.{verb}" for verb in ("get", "enable", "disable", "regenerate_secret", "delete")
)


def _with(parameter: str, pointer: str, operations: Iterable[str]) -> dict[str, Any]:
    return {name: {"operationId": name, "parameters": {parameter: f"$response.body#{pointer}"}} for name in operations}


_LINKS: Final[Mapping[str, dict[str, Any]]] = {
    "executions.create": {
        **_with("execution_id", "/data/execution/id", _EXECUTION),
        **_with("orchestration_id", "/data/execution/id", _ORCHESTRATION),
        "public.executions.get": {
            "operationId": "public.executions.get",
            "parameters": {
                "execution_id": "$response.body#/data/execution/id",
                "token": "$response.body#/data/clientToken",
            },
        },
    },
    "workflows.execute": {
        **_with("execution_id", "/execution_id", _EXECUTION),
        **_with("orchestration_id", "/execution_id", _ORCHESTRATION),
    },
    "orchestrations.execute": _with("orchestration_id", "/orchestration_id", _ORCHESTRATION),
    "data_orchestration.execute": _with("execution_id", "/data/id", _EXECUTION),
    "execution_webhooks.create": _with("endpoint_id", "/data/endpoint/id", _ENDPOINT),
    "workflows.create": {
        **_with("workflow_id", "/id", _WORKFLOW),
        "executions.create": {
            "operationId": "executions.create",
            "requestBody": {
                "workflowId": "$response.body#/id",
                "sourceSystem": "crm",
                "sourceEntityType": "lead",
            },
        },
    },
    "workflows.publish": _with("workflow_id", "/id", _WORKFLOW),
    "data_orchestration.templates.create": _with(
        "template_id",
        "/data/id",
        ["data_orchestration.templates.get", "data_orchestration.templates.put", "data_orchestration.templates.delete"],
    ),
    "applications.create": _with("application_id", "/data/id", ["applications.get", "applications.data_orch.list"]),
    "agents.create": _with("agent_id", "/id", _AGENT),
    "api_keys.create": _with("key_id", "/data/id", ["api_keys.get", "api_keys.rotate", "api_keys.revoke"]),
    "executions.list": _with("cursor", "/data/nextCursor", ["executions.list"]),
    "workflows.list": _with("cursor", "/next_cursor", ["workflows.list"]),
}


def of(operation_id: str) -> dict[str, Any]:
    """The links of an operation's success, by the operation that they lead to."""
    return _LINKS.get(operation_id, {})


def followed() -> Mapping[str, dict[str, Any]]:
    """All links, by the operation that they start from."""
    return _LINKS
