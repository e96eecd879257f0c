"""One process's engine on the simulator's memory: how much it does in one look, and when it comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from executions.change import Asked
from executions.retry import Failure
from executions.states import Status
from orchestrator.advance import AT_ONCE
from orchestrator.engine import CarryOut, Engine
from orchestrator.outcomes import Claim, Failed, Limits, Succeeded
from tests.simulator.memory import Kept, Memory
from tests.simulator.session import TICK, MemoryStore
from workflows.definition import parse_definition
from workflows.spec import Runnable, Spec
from workflows.tools import ToolRegistry

tools = ToolRegistry()
STEP = {"name": "s", "type": "tool_call", "config": {"tool": "effect"}}


@tools.tool("effect")
def effect(arguments: Any, context: Any) -> Any:
    """Never called: these tests carry claims out themselves."""


class Alone:
    """The only process: nobody interrupts it, and there is nobody to wait for."""

    name = "alone"

    def at(self, point: str) -> None:
        """Go on."""

    def until(self, condition: Callable[[], bool]) -> None:
        assert condition(), "nobody else holds a lock"


@dataclass
class Only:
    """One execution of one definition, and the engine that carries it out."""

    definition: dict[str, Any]
    carry_out: CarryOut = lambda _: Succeeded("null")
    memory: Memory = field(default_factory=Memory)
    spec: Spec = field(init=False)
    id: UUID = field(default_factory=uuid4)

    def __post_init__(self) -> None:
        self.spec = parse_definition(self.definition, tools=tools)
        self.memory.create(self.spec, self.id, self.id, Asked("{}"))

    def kept(self, _version_id: UUID, _parameters: str) -> Runnable | None:
        return Runnable(self.spec, {})

    def load(self, _version_id: UUID, _parameters: str) -> None:
        raise AssertionError("it is always at hand")

    def drain(self) -> Kept:
        """What stands there once nothing is due."""
        Engine(MemoryStore(self.memory, Alone()), self, self.carry_out, lambda _=0.0: None, Limits(100_000)).drain(60)
        return self.memory.executions[self.id]


def test_many_pure_steps_are_worked_off_in_bounded_looks() -> None:
    steps = [{"name": f"s{i}", "type": "transform", "config": {"output": i}} for i in range(2_000)]
    only = Only({"name": "wide", "steps": steps, "output": 1})
    looks: list[int] = []

    def committed(before: dict[UUID, Kept]) -> None:
        looks.append(len(only.memory.executions[only.id].attempts) - len(before[only.id].attempts))

    only.memory.committed = committed
    kept = only.drain()
    assert kept.standing.status is Status.SUCCEEDED
    assert not kept.due
    assert sum(looks) == 2_000
    assert max(looks) <= AT_ONCE


def failing(retryable: bool) -> Kept:
    """What stands there when the only attempt made so far has failed."""

    def fail(_: Claim) -> Failed:
        return Failed(Failure("flaky", "no", retryable=retryable))

    retry = {"max_attempts": 2, "initial_seconds": 8, "jitter": False}
    return Only({"name": "r", "steps": [{**STEP, "retry": retry}]}, fail).drain()


def test_what_is_retried_waits_its_delay() -> None:
    kept = failing(retryable=True)
    assert kept.standing.status is Status.RUNNING
    assert kept.standing.due_at is not None
    waited = kept.standing.due_at - kept.started[0, 1]
    assert timedelta(seconds=8) <= waited <= timedelta(seconds=8) + 9 * TICK


def test_what_is_not_retried_fails_at_once() -> None:
    assert failing(retryable=False).standing.status is Status.FAILED
