"""What is carried out in the simulator: definitions made from a seed, over everything that one may say."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

from contract.json_values import JSON
from tests.simulator.written import WRITTEN
from workflows.definition import DefinitionInvalid, parse_definition
from workflows.effects import Effect
from workflows.spec import Runnable, Spec
from workflows.tools import ToolContext, ToolRegistry

Step = dict[str, Any]

MADE = 260
"""How many definitions are made beside those that are written by hand."""
TIERS = 3
"""Definitions of one tier start children of the tiers below."""

TOOLS = ToolRegistry()


@TOOLS.tool("again")
def again(_arguments: dict[str, JSON], _context: ToolContext) -> JSON:
    raise AssertionError("the simulator carries claims out itself")


@TOOLS.tool("once", effect=Effect.AT_MOST_ONCE)
def once(_arguments: dict[str, JSON], _context: ToolContext) -> JSON:
    raise AssertionError("the simulator carries claims out itself")


@dataclass(frozen=True)
class Pool:
    """Compiled definitions: by name for those that start them as children, by version for those that carry them out."""

    names: list[str]
    specs: dict[str, Spec]
    runnables: dict[UUID, Runnable]
    versions: dict[str, UUID]


@cache
def pool() -> Pool:
    """The definitions of every simulated world: always the same ones."""
    made = random.Random("traceway")
    specs: dict[str, Spec] = {}
    for definition in WRITTEN:
        specs[definition["name"]] = parse_definition(definition, TOOLS)
    for number in range(MADE):
        tier = number * TIERS // MADE
        below = [name for name in specs if name.startswith("made") and int(name[4:]) * TIERS // MADE < tier]
        spec = None
        while spec is None:
            spec = _parsed(_Maker(made, below).definition(f"made{number}"))
        specs[spec.name] = spec
    versions = {name: UUID(int=number + 1) for number, name in enumerate(specs)}
    runnables = {versions[name]: Runnable(spec, {}) for name, spec in specs.items()}
    return Pool(list(specs), specs, runnables, versions)


def _parsed(definition: dict[str, Any]) -> Spec | None:
    """None for what the maker put together against the rules: it knows few of them."""
    try:
        return parse_definition(definition, TOOLS)
    except DefinitionInvalid:
        return None


@dataclass
class _Maker:
    """Makes one definition. `below` are the names of those that it may start as children."""

    random: random.Random
    below: list[str]
    handlers: set[str] = field(default_factory=set)

    def definition(self, name: str) -> dict[str, Any]:
        choose = self.random
        size = min(12, 1 + int(choose.expovariate(0.4)))
        steps = [self._step(f"s{number}", [f"s{before}" for before in range(number)]) for number in range(size)]
        self._add_handlers(steps)
        made: dict[str, Any] = {"name": name, "steps": steps}
        if choose.random() < 0.15:
            made["concurrency"] = {"key": "${{ input.key }}", "limit": choose.randint(1, 2)}
        if choose.random() < 0.1:
            made["timeout_seconds"] = choose.choice([3, 20])
        if choose.random() < 0.15:
            made["priority"] = choose.randint(1, 9)
        if choose.random() < 0.2:
            made["output"] = {"last": f"${{{{ steps.s{size - 1}.status }}}}"}
        return made

    def _step(self, name: str, before: list[str]) -> Step:
        choose = self.random
        parents = choose.sample(before, min(len(before), choose.choice([0, 1, 1, 1, 2, 3])))
        step = self._typed(name, parents, inside=False)
        step["depends_on"] = parents
        if len(parents) > 1 and choose.random() < 0.4:
            count = choose.choice(["any", choose.randint(1, len(parents))])
            step["join"] = {"n": count, "rest": choose.choice(["cancel", "leave"])}
        self._policies(step, parents)
        return step

    def _typed(self, name: str, parents: list[str], *, inside: bool) -> Step:
        """A step of any type; inside a map or a loop only of those that may stand there."""
        choose = self.random
        kinds = {"tool": 10, "transform": 4, "wait": 3, "agent": 2, "workflow": 2 if self.below else 0}
        if not inside:
            kinds |= {"map": 3, "loop": 2}
        kind = choose.choices(list(kinds), list(kinds.values()))[0]
        match kind:
            case "tool":
                return self._tool(name, parents)
            case "transform":
                return {"name": name, "type": "transform", "config": {"output": self._read(parents)}}
            case "wait":
                return {"name": name, "type": "wait", "config": self._wait()}
            case "agent":
                return {"name": name, "type": "agent", "config": {"task": "see to it"}, **self._tried_again()}
            case "workflow":
                config = {"workflow_id": choose.choice(self.below), "input": {"key": choose.choice(["a", "b"])}}
                return {"name": name, "type": "workflow", "config": config}
            case "map":
                return {"name": name, "type": "map", "config": self._map()}
            case _:
                return {"name": name, "type": "loop", "config": self._loop(name)}

    def _tool(self, name: str, parents: list[str]) -> Step:
        tool = "once" if self.random.random() < 0.3 else "again"
        step: Step = {
            "name": name,
            "type": "tool_call",
            "config": {"tool": tool, "arguments": self._arguments(parents)},
        }
        if self.random.random() < 0.6:
            step["retry"] = self._retry()
        return step

    def _tried_again(self) -> dict[str, JSON]:
        return {"retry": self._retry()} if self.random.random() < 0.4 else {}

    def _arguments(self, parents: list[str]) -> dict[str, JSON]:
        return {"read": self._read(parents)} if parents else {}

    def _read(self, parents: list[str]) -> JSON:
        if not parents or self.random.random() < 0.5:
            return "nothing"
        return f"${{{{ steps.{self.random.choice(parents)}.{self.random.choice(['status', 'output'])} }}}}"

    def _retry(self) -> dict[str, JSON]:
        choose = self.random
        retry = {"max_attempts": choose.randint(1, 4), "initial_seconds": choose.choice([0.5, 1, 8])}
        return retry | ({"on": ["flaky"]} if choose.random() < 0.2 else {})

    def _wait(self) -> dict[str, JSON]:
        choose = self.random
        ends: dict[str, JSON] = {}
        if choose.random() < 0.5:
            ends["seconds"] = choose.choice([0, 0.5, 5, 40])
        if choose.random() < 0.4:
            ends["signal"] = choose.choice(["go", "stop"])
        if choose.random() < 0.3 or not ends:
            ends["approval"] = True
        if choose.random() < 0.3:
            ends["timeout_seconds"] = choose.choice([1, 10])
        return ends

    def _map(self) -> dict[str, JSON]:
        choose = self.random
        body = self._typed("x", [], inside=True)
        body = {member: value for member, value in body.items() if member != "name"}
        over: JSON = "${{ 'no list' }}" if choose.random() < 0.05 else list(range(choose.choice([0, 1, 2, 3, 5])))
        config: dict[str, JSON] = {"over": over, "step": body}
        if choose.random() < 0.6:
            config["max_parallel"] = choose.randint(1, 3)
        if choose.random() < 0.5:
            config["tolerate"] = choose.choice([1, 2, "50%"])
        return config

    def _loop(self, name: str) -> dict[str, JSON]:
        choose = self.random
        body: list[Step] = []
        for number in range(choose.randint(1, 3)):
            before = [step["name"] for step in body]
            parents = choose.sample(before, min(len(before), choose.choice([0, 1, 2])))
            step = self._typed(f"{name}b{number}", parents, inside=True)
            step["depends_on"] = parents
            if choose.random() < 0.2:
                step["on_failure"] = "continue"
            body.append(step)
        until = choose.choice(["index >= 1", "index >= 0", f"steps.{body[-1]['name']}.status == 'succeeded'", "false"])
        return {"body": body, "until": until, "max_iterations": choose.randint(1, 3)}

    def _policies(self, step: Step, parents: list[str]) -> None:
        choose = self.random
        if choose.random() < 0.25:
            step["on_failure"] = "continue"
        if parents and choose.random() < 0.15:
            step["when"] = f"steps.{choose.choice(parents)}.status == '{choose.choice(['succeeded', 'failed'])}'"
        if step["type"] in {"agent", "map", "loop", "workflow"} and choose.random() < 0.25:
            step["timeout_seconds"] = choose.choice([2, 15])
        if step["type"] in {"map", "loop", "workflow"} and choose.random() < 0.3:
            step["retry"] = {"max_attempts": 2, "initial_seconds": 1}
        if step["type"] in {"agent", "tool_call", "workflow"} and choose.random() < 0.3:
            step["compensate"] = self._compensation()

    def _compensation(self) -> dict[str, JSON]:
        if self.random.random() < 0.2:
            return {"type": "transform", "config": {"output": "undone"}}
        tool = self.random.choice(["again", "again", "once"])
        undo: dict[str, JSON] = {"type": "tool_call", "config": {"tool": tool, "arguments": {}}}
        if self.random.random() < 0.5:
            undo["retry"] = {"max_attempts": 2, "initial_seconds": 1}
        return undo

    def _add_handlers(self, steps: list[Step]) -> None:
        """Have some steps handled by a later one that depends on nothing."""
        for place, step in enumerate(steps):
            later = [s for s in steps[place + 1 :] if not s["depends_on"] and "compensate" not in s]
            if later and self.random.random() < 0.3:
                step["on_failure"] = self.random.choice(later)["name"]
