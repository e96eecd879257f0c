"""The workflows that are executed under faults: small shapes made here, and real traces where the checkout has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from config.stack.data_dir import CHECKOUT
from contract import json_values
from executions.states import Status
from workflows.wfformat import definition_of

AGAIN, ONCE = "/again", "/once"
"""Where the sink takes effects that may be repeated, and those that must not be."""

TRACES = CHECKOUT.parent / "shared" / "data" / "wfinstances"
_SLEEP_SECONDS = 0.1
_SECONDS_OF_A_TRACE = 0.01
_LONGEST_SLEEP = 0.2

Step = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Need:
    """The parents of a step, and how many of them are enough."""

    parents: frozenset[str]
    enough: int


Needs = Mapping[str, Need]


@dataclass(frozen=True, slots=True)
class Shape:
    """One workflow: its steps, how often it is chosen against the others, its end, and the effect it has by then.

    `effect` is the sink's path and the name of the step that calls it.
    """

    name: str
    steps: list[Step]
    share: float
    effect: tuple[str, str] | None = None
    end: Status = Status.SUCCEEDED

    def needs(self) -> Needs:
        """What must have ended before each step may start."""
        return {step["name"]: Need(frozenset(step["depends_on"]), _enough(step)) for step in self.steps}


def shapes(sink: str, *, traces: bool) -> list[Shape]:
    """Every shape; `sink` is the address of the sink. The traces together are chosen as often as one share."""
    once = _call(sink + ONCE, "at_most_once")
    made = [
        Shape("chain", [_sleep(f"s{n}", *([f"s{n - 1}"] if n else [])) for n in range(5)], 4),
        Shape("diamond", _diamond(), 5),
        Shape("any", _diamond(join="any"), 2),
        Shape("fan", _fan(8), 3),
        Shape("retries", _retries(), 3),
        Shape("idempotent effect", _around("call", _call(sink + AGAIN, "idempotent")), 8, (AGAIN, "call")),
        Shape("at-most-once effect", _around("call", once), 8, (ONCE, "call")),
        Shape("map", _around("each", _map(9)), 2),
        Shape("loop", _around("rounds", _loop(3)), 2),
        Shape("timer", _around("pause", {"type": "wait", "config": {"seconds": 0.5}}), 2),
        Shape("child", _around("child", {"type": "workflow", "config": {"workflow_id": "chain"}}), 2),
        Shape("compensation", _compensated(once), 3, (ONCE, "compensate[done]"), Status.FAILED),
    ]
    found = list(_traces()) if traces else []
    return made + [Shape(name, steps, 1 / len(found)) for name, steps in found]


def _enough(step: Step) -> int:
    join = step.get("join", "all")
    asked = join["n"] if isinstance(join, dict) else join
    words = {"all": len(step["depends_on"]), "any": 1}
    return words[asked] if asked in words else int(asked)


def _step(name: str, tool: str, arguments: dict[str, Any], depends_on: tuple[str, ...], **members: Any) -> Step:
    config = {"tool": tool, "arguments": arguments}
    return {"name": name, "type": "tool_call", "config": config, "depends_on": list(depends_on), **members}


def _sleep(name: str, *depends_on: str) -> Step:
    """A step that holds its worker for a moment, so that faults meet something running."""
    return _step(name, "sleep", {"seconds": _SLEEP_SECONDS}, depends_on)


def _around(name: str, step: Step) -> list[Step]:
    """The step under this name, with one before and one after it."""
    return [_sleep("before"), {"name": name, "depends_on": ["before"], **step}, _sleep("after", name)]


def _diamond(**last: Any) -> list[Step]:
    ends = {**_sleep("last", "left", "right"), **last}
    return [_sleep("first"), _sleep("left", "first"), _sleep("right", "first"), ends]


def _fan(width: int) -> list[Step]:
    leaves = [f"leaf{n}" for n in range(width)]
    return [_sleep("split"), *(_sleep(leaf, "split") for leaf in leaves), _sleep("join", *leaves)]


def _retries() -> list[Step]:
    retry = {"max_attempts": 10, "backoff": "fixed", "initial_seconds": 0.1}
    return [_step("stubborn", "fail", {"times": 2}, (), retry=retry), _sleep("after", "stubborn")]


def _call(url: str, effect: str) -> Step:
    return {"type": "http", "config": {"method": "POST", "url": url, "effect": effect}}


def _map(width: int) -> Step:
    each = {"type": "tool_call", "config": {"tool": "sleep", "arguments": {"seconds": "${{ item }}"}}}
    return {"type": "map", "config": {"over": [_SLEEP_SECONDS] * width, "max_parallel": 3, "step": each}}


def _loop(rounds: int) -> Step:
    count: Step = {
        "name": "count",
        "type": "transform",
        "config": {"output": "${{ index + 1 }}"},
        "depends_on": ["turn"],
    }
    config = {"body": [_sleep("turn"), count], "until": f"steps.count.output >= {rounds}", "max_iterations": 10}
    return {"type": "loop", "config": config}


def _compensated(undo: Step) -> list[Step]:
    """What succeeded is undone because the step after it fails for good."""
    return [{**_sleep("done"), "compensate": undo}, _step("doomed", "fail", {}, ("done",))]


def _traces() -> Iterator[tuple[str, list[Step]]]:
    """Each trace's steps, sleeping a hundredth of what the task took, a fifth of a second at most."""
    for path in sorted(TRACES.glob("*.json")):
        definition = definition_of(json_values.parse(path.read_bytes()))
        steps: list[Step] = definition["steps"]
        for step in steps:
            took = step["config"]["arguments"].get("runtime_seconds") or 0
            seconds = min(took * _SECONDS_OF_A_TRACE, _LONGEST_SLEEP)
            step["config"] = {"tool": "sleep", "arguments": {"seconds": seconds}}
        yield path.stem, steps
