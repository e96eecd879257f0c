"""Clocks that step, and two versions of the code or of a workflow at work side by side."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.utils import timezone

from executions import commands
from executions.change import Carrier
from executions.models import Execution
from orchestrator.outcomes import Claim, Failed, Succeeded
from tenants.models import Tenant
from tests.integration.engine.moments import at_once
from tests.integration.engine.world import (
    World,
    attempts,
    begun,
    ended,
    failing,
    noop,
    output,
    published,
    statuses,
    submitted,
    transform,
    wait,
)
from tests.waiting import eventually
from workflows import authoring

GO = wait("go", signal="go")


@dataclass
class Clock:
    """A clock that steps when it is told to."""

    off: timedelta = timedelta()

    def __call__(self) -> datetime:
        return timezone.now() + self.off

    def step(self, **by: float) -> None:
        self.off += timedelta(**by)


def has_a_whole_history(execution: Execution) -> bool:
    """Whether no event is missing, and each names the one before."""
    execution.refresh_from_db()
    events = list(execution.events.order_by("sequence"))
    hashes = [bytes(event.hash) for event in events]
    named = [bytes.fromhex(json.loads(event.body)["previous"]) for event in events]
    return (
        [event.sequence for event in events] == list(range(1, execution.event_sequence + 1))
        and [hashlib.sha256(event.body.encode()).digest() for event in events] == hashes
        and [*named[1:], bytes(execution.chain_head)] == hashes
    )


def test_a_clock_that_steps_back_between_looks_loses_nothing_and_is_waited_for(alice: Tenant, world: World) -> None:
    clock = Clock()
    retried = failing("flaky", "pause", times=1, retry={"max_attempts": 2, "initial_seconds": 30})
    steps = [noop("a"), noop("b", "a"), wait("pause", "b", seconds=60), retried, noop("last", "flaky")]
    execution = submitted(alice, published(alice, steps))

    def an_hour_back(claim: Claim) -> Succeeded | Failed:
        clock.step(hours=-1)
        found = world.engine.carry_out(claim)
        assert isinstance(found, Succeeded | Failed)
        return found

    with World(now=clock, carry_out=an_hour_back) as stepping:
        assert stepping.drain() == 2
        clock.step(hours=-1)
        assert stepping.drain() == 0
        clock.step(hours=1, seconds=50)
        assert stepping.drain() == 0
        assert statuses(execution)["pause"] == "waiting"
        clock.step(seconds=11)
        assert stepping.drain() == 1
        assert attempts(execution, "flaky") == ["failed"]
        clock.step(seconds=9)
        assert stepping.drain() == 0
        clock.step(seconds=21)
        assert stepping.drain() == 2

    assert ended(execution) == ("workflow_succeeded", None)
    assert begun(execution) == ["a", "b", "pause", "flaky", "flaky", "last"]
    assert has_a_whole_history(execution)


def test_a_clock_that_steps_forward_a_day_fires_timers_and_keeps_deadlines(alice: Tenant) -> None:
    timer = submitted(alice, published(alice, [wait("t", seconds=80_000), noop("after", "t")]))
    early = submitted(alice, published(alice, [GO, noop("after", "go")], timeout_seconds=80_000))
    late = submitted(alice, published(alice, [GO, noop("after", "go")], timeout_seconds=100_000))
    clock = Clock()
    with World(now=clock) as stepping:
        stepping.drain()
        clock.step(days=1)
        stepping.drain()

    assert ended(timer) == ("workflow_succeeded", None)
    assert ended(early) == ("workflow_failed", "deadline_exceeded")
    assert ended(late)[0] == "workflow_waiting"
    assert all(has_a_whole_history(execution) for execution in (timer, early, late))


def of_version(version: str, **members: Any) -> World:
    """An engine of a process that runs this version of the code."""
    return World(carrier=Carrier(uuid4(), f"{version}:1", version), **members)


def test_old_and_new_code_carry_out_steps_of_one_execution_side_by_side(alice: Tenant, world: World) -> None:
    both = threading.Barrier(2)

    def together(claim: Claim) -> Succeeded:
        both.wait(timeout=20)
        return Succeeded(json.dumps({"name": claim.step.name}))

    joined = transform("join", "${{ steps.left.output.name + steps.right.output.name }}", "left", "right")
    workflow = published(alice, [noop("left"), noop("right"), joined])
    for _ in range(5):
        execution = submitted(alice, workflow)
        with of_version("old", carry_out=together) as old, of_version("new", carry_out=together) as new:
            # Which of them finds it locked by the other looks again.
            at_once(lambda: eventually(old.drain), lambda: eventually(new.drain))

        assert output(execution) == {"join": "leftright"}
        carried = execution.attempts.filter(step_index__lt=2).values_list("code_version", flat=True)
        assert sorted(carried) == ["new", "old"]
        assert has_a_whole_history(execution)


def test_an_execution_keeps_its_version_while_the_next_is_published_whoever_carries_it_out(alice: Tenant) -> None:
    def steps(value: int) -> list[dict[str, Any]]:
        return [GO, noop("act", "go"), transform("value", value, "act")]

    workflow = published(alice, steps(1), name="moving", version="1.0.0")
    with of_version("old") as old, of_version("new") as new:
        first = submitted(alice, workflow)
        old.drain()
        written = authoring.read_definition({"name": "moving", "version": "2.0.0", "steps": steps(2)})
        authoring.put(alice, workflow, written)
        authoring.publish(alice, workflow)
        second = submitted(alice, workflow)
        new.drain()
        commands.signal(first.id, "go", None, "key:k")
        new.drain()
        commands.signal(second.id, "go", None, "key:k")
        old.drain()

    assert (output(first), output(second)) == ({"value": 1}, {"value": 2})
    assert [versions(first), versions(second)] == [["old", "new", "new"], ["new", "old", "old"]]


def versions(execution: Execution) -> list[str]:
    """Which code carried out its attempts, in order."""
    return list(execution.attempts.order_by("step_index", "number").values_list("code_version", flat=True))
