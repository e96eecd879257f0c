"""The workflows that are executed, as definitions; their steps are those of the published benchmarks of engines."""

from __future__ import annotations

from typing import Any

Definition = dict[str, Any]
Step = dict[str, Any]


def noop(name: str, *depends_on: str) -> Step:
    """An effectful step that does nothing."""
    return _tool(name, "noop", {}, depends_on)


def fib(name: str, n: int, *depends_on: str) -> Step:
    return _tool(name, "fib", {"n": n}, depends_on)


def chain(name: str, steps: int, n: int | None = None) -> Definition:
    """So many effectful steps, each after the one before it: no-ops, or fib(n)."""
    made = []
    for number in range(steps):
        before = [f"s{number - 1}"] if number else []
        made.append(noop(f"s{number}", *before) if n is None else fib(f"s{number}", n, *before))
    return {"name": name, "steps": made}


def pure_chain(name: str, steps: int) -> Definition:
    """So many transforms, each adding one to the output of the one before it."""
    made = [_transform("s0", 0)]
    made += [_transform(f"s{n}", f"${{{{ steps.s{n - 1}.output + 1 }}}}", f"s{n - 1}") for n in range(1, steps)]
    return {"name": name, "steps": made}


def fan(name: str, width: int) -> Definition:
    """1 -> width -> 1, of effectful no-ops."""
    leaves = [f"leaf{n}" for n in range(width)]
    return {"name": name, "steps": [noop("first"), *(noop(leaf, "first") for leaf in leaves), noop("last", *leaves)]}


def layers(name: str, count: int, width: int) -> Definition:
    """`count` layers of `width` no-ops, each step after two of the layer before it."""
    steps = []
    for layer in range(count):
        for at in range(width):
            parents = {f"l{layer - 1}_{at}", f"l{layer - 1}_{(at + 1) % width}"} if layer else set()
            steps.append(noop(f"l{layer}_{at}", *sorted(parents)))
    return {"name": name, "steps": steps}


def map_of(name: str) -> Definition:
    """A pure step for each of the input's numbers."""
    each = {"type": "transform", "config": {"output": "${{ item * 2 }}"}}
    step = {"name": "each", "type": "map", "config": {"over": "input.numbers", "step": each}}
    return {"name": name, "steps": [step]}


def _tool(name: str, tool: str, arguments: dict[str, Any], depends_on: tuple[str, ...]) -> Step:
    config = {"tool": tool, "arguments": arguments}
    return {"name": name, "type": "tool_call", "config": config, "depends_on": list(depends_on)}


def _transform(name: str, output: Any, *depends_on: str) -> Step:
    return {"name": name, "type": "transform", "config": {"output": output}, "depends_on": list(depends_on)}
