"""The workflows that are executed under faults: small shapes made here, and real traces where the checkout has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from config.stack.data_dir import CHECKOUT
from contract import json_values
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
    """One workflow: its definition, how often it is chosen against the others, and the sink's path it calls, if any."""

    name: str
    steps: list[Step]
    share: float
    path: str | None = None

    def needs(self) -> Needs:
        """What must have ended before each step may start."""
        return {step["name"]: Need(frozenset(step["depends_on"]), _enough(step)) for step in self.steps}


def shapes(sink: str, *, traces: bool) -> list[Shape]:
    """Every shape; `sink` is the address of the sink. The traces together are chosen one time in thirty."""
    made = [
        Shape("chain", [_sleep(f"s{n}", *([f"s{n - 1}"] if n else [])) for n in range(5)], 4),
        Shape("diamond", _diamond(), 5),
        Shape("fan", _fan(8), 3),
        Shape("retries", _retries(), 3),
        Shape("idempotent effect", _effect(sink + AGAIN, "idempotent"), 8, AGAIN),
        Shape("at-most-once effect", _effect(sink + ONCE, "at_most_once"), 8, ONCE),
    ]
    found = list(_traces()) if traces else []
    return made + [Shape(name, steps, 1 / len(found)) for name, steps in found]


def _enough(step: Step) -> int:
    join = step.get("join", "all")
    asked = join["n"] if isinstance(join, dict) else join
    words = {"all": len(step["depends_on"]), "any": 1}
    return int(words.get(asked, asked))


def _step(name: str, tool: str, arguments: dict[str, Any], depends_on: tuple[str, ...], **members: Any) -> Step:
    config = {"tool": tool, "arguments": arguments}
    return {"name": name, "type": "tool_call", "config": config, "depends_on": list(depends_on), **members}


def _sleep(name: str, *depends_on: str) -> Step:
    """A step that holds its worker for a moment, so that faults meet something running."""
    return _step(name, "sleep", {"seconds": _SLEEP_SECONDS}, depends_on)


def _diamond() -> list[Step]:
    return [_sleep("first"), _sleep("left", "first"), _sleep("right", "first"), _sleep("last", "left", "right")]


def _fan(width: int) -> list[Step]:
    leaves = [f"leaf{n}" for n in range(width)]
    return [_sleep("split"), *(_sleep(leaf, "split") for leaf in leaves), _sleep("join", *leaves)]


def _retries() -> list[Step]:
    retry = {"max_attempts": 10, "backoff": "fixed", "initial_seconds": 0.1}
    return [_step("stubborn", "fail", {"times": 2}, (), retry=retry), _sleep("after", "stubborn")]


def _effect(url: str, effect: str) -> list[Step]:
    config = {"method": "POST", "url": url, "effect": effect}
    call: Step = {"name": "call", "type": "http", "config": config, "depends_on": ["before"]}
    return [_sleep("before"), call, _sleep("after", "call")]


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
