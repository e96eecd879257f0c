"""The whole engine on the store's twin: random graphs, outcomes, orders and deaths, without a database."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract import json_values
from executions.retry import Failure
from executions.states import STEP_TERMINAL, TERMINAL, AttemptStatus, Intent, Status, StepStatus
from executions.survey import survey
from orchestrator.engine import Engine
from orchestrator.outcomes import Claim, Failed, Limits, Succeeded
from tests.unit.orchestrator.memory_store import MemoryStore
from workflows.definition import parse_definition
from workflows.spec import OnFailure, Runnable, Spec
from workflows.tools import ToolRegistry

tools = ToolRegistry()


@tools.tool("effect")
def effect(arguments: Any, context: Any) -> Any:
    """Never called: these tests carry claims out themselves."""


@dataclass
class Only:
    """One definition for whatever runs."""

    spec: Spec

    def kept(self, _version_id: UUID, _parameters: str) -> Runnable | None:
        return Runnable(self.spec, {})

    def load(self, _version_id: UUID, _parameters: str) -> None:
        raise AssertionError("it is always at hand")


class Died(BaseException):
    """The process ends on this line."""


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Any]:
    """A random graph in which pure and effectful steps alternate at random; each reads its first parent."""
    steps: list[dict[str, Any]] = []
    for index in range(draw(st.integers(1, 10))):
        parents = draw(st.lists(st.sampled_from(range(index)), unique=True, max_size=3)) if index else []
        reads = f"${{{{ steps.s{parents[0]}.status }}}}" if parents else "start"
        step: dict[str, Any] = {"name": f"s{index}", "depends_on": [f"s{parent}" for parent in parents]}
        if draw(st.booleans()):
            step |= {"type": "transform", "config": {"output": {"read": reads}}}
        else:
            step |= {"type": "tool_call", "config": {"tool": "effect", "arguments": {"read": reads}}}
            step["retry"] = {"max_attempts": draw(st.integers(1, 3)), "initial_seconds": 1}
        step["on_failure"] = draw(st.sampled_from(["fail", "continue"]))
        steps.append(step)
    return {"name": "random", "steps": steps}


@dataclass
class Fleet:
    """Some worker processes on one memory; `random` decides who does what, what fails and who dies."""

    spec: Spec
    random: random.Random
    dying: float = 0.0
    memory: MemoryStore = field(default_factory=MemoryStore)
    begun: list[tuple[UUID, int, int]] = field(default_factory=list)
    births: int = 0

    def engine(self) -> Engine:
        self.births += 1
        return Engine(
            store=self.memory.seen_by(f"worker-{self.births}"),
            runnables=Only(self.spec),
            carry_out=self.carry_out,
            announce=lambda: None,
            limits=Limits(100_000),
        )

    def carry_out(self, claim: Claim) -> Succeeded | Failed:
        kept = self.memory.executions[claim.execution_id]
        assert all(kept.steps[p].state.status in STEP_TERMINAL for p in claim.step.parents), "begun before its needs"
        self.begun.append((claim.execution_id, claim.step.index, claim.number))
        if self.random.random() < self.dying:
            raise Died
        if self.random.random() < 0.3:
            return Failed(Failure("flaky", "it did not work", retryable=self.random.random() < 0.8))
        return Succeeded(json_values.dump(claim.config["arguments"]))

    def turn(self) -> None:
        """One worker looks; if it dies, the sweep notices; then time passes to whatever is due next."""
        engine = self.engine()
        try:
            engine.drain(60)
        except Died:
            self.sweep(engine)
        self.check()
        waiting = [k.row.standing.due_at for k in self.memory.executions.values() if k.row.standing.due_at]
        self.memory.now = max([self.memory.now, *([min(waiting)] if waiting else [])]) + timedelta(milliseconds=1)

    def sweep(self, dead: Engine) -> None:
        for attempt in dead.store.held():
            payload = {"index": attempt.index, "number": attempt.number}
            self.memory.arrive(attempt.execution_id, "attempt_lost", payload)

    def check(self) -> None:
        """The invariants that hold after every turn."""
        for kept in self.memory.executions.values():
            if not kept.row.standing.steps_made:
                continue
            standing = kept.row.standing
            counted = survey(self.spec, {index: row.state.status for index, row in kept.steps.items()})
            assert {i: row.state for i, row in kept.steps.items()} == dict(counted.steps)
            if standing.status not in TERMINAL:
                assert standing.counters == counted.counters
            assert [event.sequence for event in kept.events] == list(range(1, len(kept.events) + 1))
            for index in kept.steps:
                ends = [a.status for (i, _), a in kept.attempts.items() if i == index]
                assert ends.count(AttemptStatus.SUCCEEDED) <= 1

    def finish(self) -> None:
        for _ in range(500):
            if all(kept.row.standing.status in TERMINAL for kept in self.memory.executions.values()):
                return
            self.turn()
        raise AssertionError("an execution did not come to its end")


@given(definitions(), st.integers(), st.integers(1, 3))
@settings(max_examples=150)
def test_every_execution_ends_whatever_fails(definition: dict[str, Any], seed: int, count: int) -> None:
    fleet = Fleet(parse_definition(definition, tools=tools), random.Random(seed))
    for _ in range(count):
        fleet.memory.create(fleet.spec)
    fleet.finish()
    assert len(fleet.begun) == len(set(fleet.begun)), "an attempt was carried out twice"


@given(definitions(), st.integers())
@settings(max_examples=150)
def test_every_execution_ends_whoever_dies(definition: dict[str, Any], seed: int) -> None:
    fleet = Fleet(parse_definition(definition, tools=tools), random.Random(seed), dying=0.2)
    fleet.memory.create(fleet.spec)
    fleet.finish()
    assert len(fleet.begun) == len(set(fleet.begun))


@given(definitions(), st.integers())
def test_an_execution_fails_exactly_if_a_step_that_must_not_fail_does(definition: dict[str, Any], seed: int) -> None:
    fleet = Fleet(parse_definition(definition, tools=tools), random.Random(seed))
    kept = fleet.memory.executions[fleet.memory.create(fleet.spec)]
    fleet.finish()
    fatal = [
        step.name
        for step in fleet.spec.steps
        if step.on_failure is OnFailure.FAIL and kept.steps[step.index].state.status is StepStatus.FAILED
    ]
    assert (kept.row.standing.status is Status.FAILED) == bool(fatal)
    assert not fatal or kept.row.standing.intent is Intent.FAIL


def test_ten_thousand_pure_steps_are_worked_off_in_bounded_looks() -> None:
    steps = [{"name": f"s{i}", "type": "transform", "config": {"output": i}} for i in range(10_000)]
    spec = parse_definition({"name": "wide", "steps": steps, "output": 1})
    fleet = Fleet(spec, random.Random(0))
    kept = fleet.memory.executions[fleet.memory.create(spec)]
    fleet.finish()
    assert kept.row.standing.status is Status.SUCCEEDED
    assert not kept.due


@pytest.mark.parametrize("path", [True, False])
def test_what_is_retried_waits_its_delay(path: bool) -> None:
    step = {"name": "s", "type": "tool_call", "config": {"tool": "effect"}}
    spec = parse_definition(
        {"name": "r", "steps": [{**step, "retry": {"max_attempts": 2, "initial_seconds": 8, "jitter": False}}]},
        tools=tools,
    )
    fleet = Fleet(spec, random.Random(0))
    kept = fleet.memory.executions[fleet.memory.create(spec)]
    engine = fleet.engine()
    engine.carry_out = lambda _: Failed(Failure("flaky", "no", retryable=path))
    engine.drain(60)
    if path:
        assert kept.row.standing.due_at == fleet.memory.now + timedelta(seconds=8)
        assert kept.row.standing.status is Status.RUNNING
    else:
        assert kept.row.standing.status is Status.FAILED
