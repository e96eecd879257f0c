"""Definitions written by hand: the shapes at which an engine breaks first."""

from __future__ import annotations

from typing import Any

Step = dict[str, Any]


def tool(name: str, *after: str, tool: str = "again", **members: Any) -> Step:
    config = {"tool": tool, "arguments": {}}
    return {"name": name, "type": "tool_call", "config": config, "depends_on": list(after), **members}


def once(name: str, *after: str, **members: Any) -> Step:
    return tool(name, *after, tool="once", **members)


def pure(name: str, *after: str, **members: Any) -> Step:
    return {"name": name, "type": "transform", "config": {"output": name}, "depends_on": list(after), **members}


def wait(name: str, *after: str, **config: Any) -> Step:
    return {"name": name, "type": "wait", "config": config, "depends_on": list(after)}


def mapped(name: str, items: int, body: Step, *after: str, **config: Any) -> Step:
    step = {member: value for member, value in body.items() if member not in {"name", "depends_on"}}
    config = {"over": list(range(items)), "step": step, **config}
    return {"name": name, "type": "map", "config": config, "depends_on": list(after)}


def loop(name: str, body: list[Step], *after: str, until: str = "index >= 1", most: int = 3) -> Step:
    config = {"body": body, "until": until, "max_iterations": most}
    return {"name": name, "type": "loop", "config": config, "depends_on": list(after)}


def child(name: str, workflow: str, *after: str, **members: Any) -> Step:
    config = {"workflow_id": workflow, "input": {"key": "a"}}
    return {"name": name, "type": "workflow", "config": config, "depends_on": list(after), **members}


def agent(name: str, *after: str, **members: Any) -> Step:
    config = {"task": "see to it", "arguments": {"name": name}}
    return {"name": name, "type": "agent", "config": config, "depends_on": list(after), **members}


RETRY = {"max_attempts": 3, "initial_seconds": 1}
IN_HASTE = {"timeout_seconds": 2, "retry": {"max_attempts": 3, "initial_seconds": 8}}
UNDO = {"type": "tool_call", "config": {"tool": "again", "arguments": {}}}
UNDO_ONCE = {"type": "tool_call", "config": {"tool": "once", "arguments": {}}}


def definition(name: str, *steps: Step, **members: Any) -> dict[str, Any]:
    return {"name": name, "steps": list(steps), **members}


WRITTEN = [
    definition("one", tool("a", retry=RETRY)),
    definition("one once", once("a", retry=RETRY)),
    definition("chain", tool("a"), once("b", "a"), tool("c", "b")),
    definition("diamond", pure("a"), tool("b", "a", retry=RETRY), tool("c", "a", retry=RETRY), tool("d", "b", "c")),
    definition("two of three", *(tool(n) for n in "abc"), tool("j", "a", "b", "c", join={"n": 2, "rest": "cancel"})),
    definition(
        "any of waits",
        wait("t", seconds=5),
        wait("s", signal="go"),
        tool("w"),
        pure("j", "t", "s", "w", join={"n": "any", "rest": "cancel"}),
    ),
    definition("handled", tool("a", on_failure="h"), tool("b", "a"), once("h"), pure("end", "b", "h", join="any")),
    definition(
        "handled together", tool("a", on_failure="h"), tool("b", on_failure="h"), tool("h"), pure("end", "a", "b", "h")
    ),
    definition(
        "saga",
        tool("a", compensate=UNDO),
        once("b", "a", compensate=UNDO_ONCE),
        tool("c", "b", compensate=UNDO),
        tool("d", "c"),
    ),
    definition(
        "any saga",
        tool("a"),
        tool("b"),
        tool("j", "a", "b", join="any", compensate=UNDO),
        tool("k", "j", compensate=UNDO),
    ),
    definition("wide saga", *(tool(n, compensate=UNDO) for n in "abcd"), tool("e", "a", "b", "c", "d")),
    definition("map", mapped("m", 5, tool("x", retry=RETRY), max_parallel=2), tool("after", "m")),
    definition("map of once", mapped("m", 4, once("x"), max_parallel=3, tolerate=1)),
    definition("map of waits", mapped("m", 3, wait("x", seconds=2, signal="go"), max_parallel=2)),
    definition("map of pure", mapped("m", 40, pure("x"))),
    definition("loop", loop("l", [tool("a"), once("b", "a")], until="index >= 2")),
    definition("loop of waits", loop("l", [wait("a", seconds=1), tool("b")], until="steps.b.status == 'succeeded'")),
    definition("parent", tool("a", compensate=UNDO), child("c", "saga", "a", retry=RETRY), tool("d", "c")),
    definition("parents of two", child("c", "one"), child("d", "any of waits"), pure("j", "c", "d", join="any")),
    definition("map of children", mapped("m", 3, child("x", "chain"), max_parallel=2, tolerate="50%")),
    definition("map in haste", mapped("m", 3, wait("x", signal="go"), max_parallel=2) | IN_HASTE, tool("after", "m")),
    definition("loop in haste", loop("l", [tool("a", retry=RETRY), wait("b", "a", approval=True)]) | IN_HASTE),
    definition(
        "children in haste",
        mapped("m", 2, child("x", "approved")) | {"timeout_seconds": 2, "retry": RETRY, "on_failure": "continue"},
        child("c", "approved", on_failure="continue", timeout_seconds=2, retry=RETRY),
        wait("w", "m", "c", signal="stop"),
    ),
    definition("approved", wait("a", approval=True, timeout_seconds=20), once("b", "a")),
    definition("agents", agent("a", retry=RETRY), agent("b", "a"), tool("c", "b")),
    definition("agents in haste", agent("a", retry=RETRY, timeout_seconds=9), agent("b", "a", timeout_seconds=9)),
    definition(
        "map of agents", mapped("m", 4, agent("x", retry=RETRY), max_parallel=2, tolerate=1), tool("after", "m")
    ),
    definition("loop of agents", loop("l", [agent("a"), tool("b", "a")], until="index >= 1")),
    definition("any agent", agent("a"), agent("b"), tool("j", "a", "b", join={"n": "any", "rest": "cancel"})),
    definition("agents undone", agent("a", compensate=UNDO), agent("b", "a", compensate=UNDO_ONCE), tool("c", "b")),
    definition("signalled twice", wait("a", signal="go"), wait("b", "a", signal="go"), tool("c", "b")),
    definition("in line", tool("a"), wait("b", "a", seconds=1), concurrency={"key": "${{ input.key }}", "limit": 1}),
    definition("in line twice", tool("a"), concurrency={"key": "${{ input.key }}", "limit": 2}, priority=3),
    definition("in time", tool("a", retry=RETRY), wait("b", "a", seconds=30), timeout_seconds=10),
    definition("in time undone", tool("a", compensate=UNDO), wait("b", "a", signal="stop"), timeout_seconds=4),
]
