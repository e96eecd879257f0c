"""Whether an agent may carry a step out: its standing first, then its patterns."""

from __future__ import annotations

from typing import Any

import pytest

from contract.json_values import JSON
from executions.allowed import TASKS, action_names, denial
from workflows.definition import parse_definition
from workflows.tools import ToolContext, ToolRegistry

TOOLS = ToolRegistry()


@TOOLS.tool("noop")
def noop(arguments: dict[str, JSON], _context: ToolContext) -> JSON:
    return arguments


def names(**step: Any) -> set[str]:
    return action_names(parse_definition({"name": "w", "steps": [step]}, TOOLS).steps[0])


def test_an_active_agent_whose_patterns_allow_it_is_denied_nothing() -> None:
    assert denial("scout", "active", ["tool_call:*"], {"tool_call:noop"}) is None


@pytest.mark.parametrize("status", ["suspended", "revoked"])
def test_an_agent_that_is_not_active_is_denied_everything(status: str) -> None:
    assert denial("scout", status, ["*"], {"tool_call:noop"}) == f"the agent 'scout' is {status}"


@pytest.mark.parametrize("actions", [[], ["http:run"], ["*", "!agent:run"], ["*", "!agent"]])
def test_what_no_pattern_allows_or_one_denies_is_denied(actions: list[str]) -> None:
    assert denial("scout", "active", actions, TASKS) == "the agent 'scout' may not carry this out"


def test_a_step_goes_by_its_type_its_tool_and_what_was_written() -> None:
    assert names(action="noop") == {"tool_call:run", "tool_call:noop", "noop"}
    assert names(name="t", type="transform", config={"output": 1}) == {"transform:run", "transform"}
    assert names(name="a", type="agent", config={"task": "t"}) == TASKS
    assert names(action="agent", parameters={"task": "t"}) == TASKS
