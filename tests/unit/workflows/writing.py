"""Writing definitions in tests: tools that exist, steps, what is parsed, what is told."""

from __future__ import annotations

from typing import Any

import pytest

from contract.json_values import JSON
from workflows.definition import DefinitionInvalid, parse_definition
from workflows.spec import Effect, Spec
from workflows.tools import ToolContext, ToolRegistry

TOOLS = ToolRegistry()


@TOOLS.tool("noop")
def noop(arguments: dict[str, JSON], _context: ToolContext) -> JSON:
    return arguments


@TOOLS.tool(
    "charge",
    arguments={"required": ["cents"], "properties": {"cents": {"type": "integer"}}},
    effect=Effect.AT_MOST_ONCE,
)
def charge(arguments: dict[str, JSON], _context: ToolContext) -> JSON:
    return arguments


def parse(*steps: Any, **members: Any) -> Spec:
    return parse_definition({"name": "w", "steps": list(steps), **members}, TOOLS)


def problems(*steps: Any, **members: Any) -> set[tuple[str, str]]:
    """(field, code) of everything that is wrong with a definition."""
    return {(field, code) for field, code, _ in told(*steps, **members)}


def told(*steps: Any, **members: Any) -> set[tuple[str, str, str]]:
    """(field, code, message) of everything that is wrong with a definition."""
    with pytest.raises(DefinitionInvalid) as caught:
        parse(*steps, **members)
    return {(problem.field, problem.code, problem.message) for problem in caught.value.problems}


def named(name: str, **members: Any) -> dict[str, Any]:
    return {"name": name, "type": "tool_call", "config": {"tool": "noop"}, **members}


def typed(kind: str, config: Any, name: str = "s", **members: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "config": config, **members}


def yielding(name: str, output: Any, *after: str, **members: Any) -> dict[str, Any]:
    """A transform, depending on the steps named."""
    return typed("transform", {"output": output}, name, depends_on=list(after), **members)
