"""Whether an agent may carry a step out: its standing, and the patterns of what it may do. Pure."""

from __future__ import annotations

from collections.abc import Collection

from tenants.permissions import permits
from workflows.spec import StepSpec
from workflows.steps.tool_call import ToolCall

ACTIVE = "active"
TASKS = frozenset({"agent:run", "agent"})
"""The names of an `agent` step: what an agent has to be allowed for its workers to claim anything."""


def action_names(step: StepSpec) -> set[str]:
    """The names under which an agent's patterns may mean this step, however it was spelled."""
    names = {f"{step.type}:run", step.action}
    return names | {f"tool_call:{step.program.tool.name}"} if isinstance(step.program, ToolCall) else names


def denial(name: str, status: str, actions: Collection[str], wanted: Collection[str]) -> str | None:
    """Why the agent `name` may do nothing that goes by the names `wanted`; None if it may."""
    if status != ACTIVE:
        return f"the agent {name!r} is {status}"
    return None if permits(actions, wanted) else f"the agent {name!r} may not carry this out"
