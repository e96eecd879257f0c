"""The tool_call step: a registered Python function, its arguments checked against its schema."""

from __future__ import annotations

from contract.json_values import JSON
from orchestrator.actions.action import ActionFailed, Attempted
from workflows.tools import ToolContext, ToolRegistry


class ToolCallAction:
    """Carries tool_call steps out from one registry. Output: what the function returns."""

    def __init__(self, tools: ToolRegistry) -> None:
        self._tools = tools

    def __call__(self, config: dict[str, JSON], attempted: Attempted) -> JSON:
        context = ToolContext(
            attempt=attempted.number,
            execution_id=attempted.execution_id,
            step=attempted.step,
            idempotency_key=attempted.idempotency_key,
            cancelled=attempted.cancelled,
        )
        tool = self._tools.get(config["tool"])
        if tool is None:
            raise ActionFailed("unknown_tool", f"this worker has no tool {config['tool']!r}")
        return tool.function(config["arguments"], context)
