"""Claims on a tool of one test's own, and what a Carrier makes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from contract.json_values import JSON
from orchestrator.actions.action import Action
from orchestrator.actions.carrying import Carrier
from orchestrator.actions.tool_call import ToolCallAction
from orchestrator.held import Held
from orchestrator.outcomes import Claim, Failed, Handed, Limits, Succeeded
from workflows.definition import parse_definition
from workflows.effects import Effect
from workflows.spec import Runnable
from workflows.tools import ToolContext, ToolRegistry

EXECUTION = UUID("01990000-0000-7000-8000-000000000001")
LIMIT = 10_000


def claim_on(tools: ToolRegistry, name: str, arguments: dict[str, JSON] | None = None, **members: Any) -> Claim:
    config = {"tool": name, "arguments": arguments or {}}
    steps = [{"name": "only", "type": "tool_call", "config": config, **members}]
    spec = parse_definition({"name": "w", "steps": steps}, tools)
    return Claim(EXECUTION, Runnable(spec, {}), spec.steps[0], 1, config)


def carry(
    function: Callable[[], Any], *, effect: Effect = Effect.IDEMPOTENT, **members: Any
) -> Succeeded | Failed | Handed:
    """What comes of a step whose tool is this function; `members` are the step's."""
    tools = ToolRegistry()

    @tools.tool("own", effect=effect)
    def own(_arguments: dict[str, JSON], _context: ToolContext) -> JSON:
        return function()

    return carrier({"tool_call": ToolCallAction(tools)})(claim_on(tools, "own", **members))


def carrier(actions: dict[str, Action], **secrets: str) -> Carrier:
    """One whose executions are of a tenant with these secrets."""
    return Carrier(
        actions, Limits(LIMIT), Held(), lambda _, names: {name: secrets[name] for name in secrets.keys() & names}
    )


def failed(outcome: Succeeded | Failed | Handed) -> Failed:
    assert isinstance(outcome, Failed), outcome
    return outcome
