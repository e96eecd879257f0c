"""The tools that ship with the product."""

from __future__ import annotations

import time

from contract.json_values import JSON
from orchestrator.actions.action import ActionFailed
from workflows.tools import ToolContext, tool

MAX_FIB = 40
LOOK_EVERY_SECONDS = 0.25


@tool("noop", arguments={"type": "object"})
def noop(arguments: dict[str, JSON], context: ToolContext) -> JSON:  # noqa: ARG001 - what every tool takes
    """Return the arguments."""
    return arguments


@tool(
    "sleep",
    arguments={
        "type": "object",
        "properties": {"seconds": {"type": "number", "minimum": 0, "maximum": 3600}},
        "required": ["seconds"],
        "additionalProperties": False,
    },
)
def sleep(arguments: dict[str, JSON], context: ToolContext) -> JSON:
    """Hold a worker for `seconds`, or until the execution is cancelled; for trying things out."""
    until = time.monotonic() + arguments["seconds"]
    while (left := until - time.monotonic()) > 0:
        if context.cancelled():
            raise ActionFailed("cancelled", "the execution is to end", retryable=False)
        time.sleep(min(left, LOOK_EVERY_SECONDS))
    return {"seconds": arguments["seconds"]}


@tool(
    "fib",
    arguments={
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 0, "maximum": MAX_FIB}},
        "required": ["n"],
        "additionalProperties": False,
    },
)
def fib(arguments: dict[str, JSON], context: ToolContext) -> JSON:  # noqa: ARG001
    """The n-th Fibonacci number by naive recursion: work that costs CPU, as benchmarks of workflow engines use it."""
    return {"n": arguments["n"], "value": _fib(arguments["n"])}


@tool(
    "fail",
    arguments={
        "type": "object",
        "properties": {"message": {"type": "string"}, "times": {"type": "integer", "minimum": 1}},
        "additionalProperties": False,
    },
)
def fail(arguments: dict[str, JSON], context: ToolContext) -> JSON:
    """Fail the first `times` attempts (all of them, without `times`), then return; for trying retries out."""
    times = arguments.get("times")
    if times is None or context.attempt <= times:
        raise ActionFailed("failed_on_purpose", arguments.get("message") or "this tool fails on purpose")
    return {"attempts": context.attempt}


def _fib(n: int) -> int:
    return n if n < 2 else _fib(n - 1) + _fib(n - 2)
