"""Cancels, time-outs and deadlines: cooperative first, hard once the grace is over; what waits goes at once."""

from __future__ import annotations

from typing import Any

import pytest

from executions import commands
from executions.models import Attempt, Execution
from executions.retry import Failure
from orchestrator.leases import Lease
from orchestrator.outcomes import Failed, Succeeded
from tenants.models import Tenant
from tests.integration.engine.world import (
    World,
    attempts,
    begun,
    database_url,
    ended,
    failing,
    noop,
    published,
    result,
    statuses,
    submitted,
    told,
    wait,
)
from workflows.effects import Effect
from workflows.tools import ToolContext, registry

CANCELLED = ("workflow_cancelled", "enough")


@pytest.fixture(scope="module", autouse=True)
def _once_tool() -> Any:
    @registry.tool("done_once", effect=Effect.AT_MOST_ONCE)
    def done_once(arguments: dict[str, Any], context: ToolContext) -> Any:
        return arguments

    yield
    del registry._tools["done_once"]


def run(alice: Tenant, world: World, *steps: dict[str, Any], **members: Any) -> Execution:
    execution = submitted(alice, published(alice, list(steps), **members))
    world.drain()
    return execution


def cancel(execution: Execution) -> None:
    commands.cancel(execution.id, "enough", "key:k")


def test_one_that_is_queued_ends_without_having_begun(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, [noop("a")]))
    cancel(execution)
    world.drain()
    assert ended(execution) == CANCELLED
    assert begun(execution) == []
    assert execution.due_at is None


def test_what_waits_and_what_waits_for_a_retry_is_cancelled_at_once(alice: Tenant, world: World) -> None:
    each = {
        "name": "each",
        "type": "map",
        "config": {"over": [1, 2], "step": {"type": "wait", "config": {"signal": "s"}}},
    }
    again = {
        "name": "again",
        "type": "loop",
        "config": {"body": [wait("round", signal="s")], "until": "false", "max_iterations": 2},
    }
    flaky = failing("flaky", retry={"max_attempts": 2, "initial_seconds": 60})
    execution = run(
        alice, world, wait("timer", seconds=60), wait("ok", approval=True), flaky, each, again, noop("b", "timer")
    )
    cancel(execution)
    world.drain()
    assert ended(execution) == CANCELLED
    found = statuses(execution)
    waited = ["timer", "ok", "each", "each[0]", "each[1]", "again", "again[0].round"]
    assert {name: found[name] for name in waited} == dict.fromkeys(waited, "cancelled")
    assert not execution.due_steps.exists()
    assert not Attempt.objects.filter(status__in=["running", "waiting"]).exists()


def test_what_runs_may_end_within_its_grace_and_nothing_begins_after_it(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, [noop("slow"), noop("after", "slow")]))

    def carry_out(claim: Any) -> Any:
        cancel(execution)
        world.drain()
        assert ended(execution)[0] == "workflow_running"
        world.drain_after(9)
        assert statuses(execution)["slow"] == "running"
        return world.engine.carry_out(claim)

    with World(carry_out=carry_out) as first:
        first.drain()
    assert ended(execution) == CANCELLED
    assert statuses(execution) == {"slow": "succeeded", "after": "pending"}


def test_what_still_runs_when_the_grace_is_over_is_closed_and_comes_late(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, [noop("slow"), noop("after", "slow")]))

    def carry_out(claim: Any) -> Any:
        cancel(execution)
        world.drain()
        world.drain_after(10.1)
        assert ended(execution) == CANCELLED
        assert attempts(execution, "slow") == ["cancelled"]
        return world.engine.carry_out(claim)

    with World(carry_out=carry_out) as first:
        first.drain()
    assert statuses(execution) == {"slow": "cancelled", "after": "skipped"}
    assert [step for step, _ in told(execution, "step.late_outcome")] == ["slow"]
    assert ended(execution) == CANCELLED


def test_an_at_most_once_effect_that_is_closed_stays_unknown(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, [{"name": "a", "action": "done_once"}]))

    def carry_out(claim: Any) -> Any:
        cancel(execution)
        world.drain()
        world.drain_after(10.1)
        return Succeeded("1")

    with World(carry_out=carry_out) as first:
        first.drain()
    assert ended(execution) == CANCELLED
    assert attempts(execution, "a") == ["outcome_unknown"]


def test_an_unknown_outcome_does_not_keep_it_from_being_cancelled(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, [{"name": "a", "action": "done_once"}]))
    with World(carry_out=lambda _: Failed(Failure("timeout", "slow", ambiguous=True))) as first:
        first.drain()
    cancel(execution)
    world.drain()
    assert ended(execution) == CANCELLED
    assert statuses(execution) == {"a": "outcome_unknown"}


def test_a_tool_that_asks_is_told_and_may_stop_by_itself(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, [{"name": "nap", "action": "sleep", "parameters": {"seconds": 30}}]))

    def carry_out(claim: Any) -> Any:
        cancel(execution)
        world.drain()
        return stopping(claim)

    with World() as first:
        stopping, first.engine.carry_out = first.engine.carry_out, carry_out
        lease = Lease(database_url(), first.carrier, first.engine.held, lambda: None)
        lease.start()
        first.drain()
        lease.end()
    assert ended(execution) == CANCELLED
    assert result(execution, "nap")["kind"] == "cancelled"
    assert (statuses(execution), attempts(execution, "nap")) == ({"nap": "cancelled"}, ["cancelled"])


def test_a_cancel_that_comes_with_the_last_outcome_still_cancels(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, [noop("a"), noop("b", "a")]))

    def carry_out(claim: Any) -> Any:
        cancel(execution)
        return world.engine.carry_out(claim)

    with World(carry_out=carry_out) as first:
        first.drain()
    assert ended(execution) == CANCELLED
    assert statuses(execution) == {"a": "succeeded", "b": "pending"}


def test_a_failure_elsewhere_lets_what_runs_end_however_long_it_takes(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, [noop("slow"), failing("bad"), noop("after", "slow")]))

    def carry_out(claim: Any) -> Any:
        world.drain()
        world.drain_after(3600)
        assert (ended(execution)[0], statuses(execution)["slow"]) == ("workflow_running", "running")
        return world.engine.carry_out(claim)

    with World(carry_out=carry_out) as first:
        first.drain()
    assert ended(execution) == ("workflow_failed", "step bad failed: this tool fails on purpose")
    assert statuses(execution)["slow"] == "succeeded"


def test_a_deadline_fails_what_waits(alice: Tenant, world: World) -> None:
    execution = run(alice, world, wait("w", signal="s"), noop("after", "w"), timeout_seconds=60)
    world.drain_after(59)
    assert ended(execution)[0] == "workflow_waiting"
    world.drain_after(2)
    assert ended(execution) == ("workflow_failed", "deadline_exceeded")
    assert statuses(execution)["w"] == "cancelled"


def test_a_deadline_closes_what_runs_after_its_grace(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, [noop("slow")], timeout_seconds=60))

    def carry_out(claim: Any) -> Any:
        world.drain_after(61)
        assert statuses(execution) == {"slow": "running"}
        world.drain_after(9)
        assert ended(execution)[0] == "workflow_running"
        world.drain_after(1.1)
        assert ended(execution) == ("workflow_failed", "deadline_exceeded")
        return world.engine.carry_out(claim)

    with World(carry_out=carry_out) as first:
        first.drain()
    assert statuses(execution) == {"slow": "cancelled"}


def test_a_deadline_counts_from_the_start_and_not_from_the_queue(alice: Tenant, world: World) -> None:
    workflow = published(alice, [wait("w", seconds=30)], timeout_seconds=60, concurrency={"key": "'one'"})
    submitted(alice, workflow)
    second, third = submitted(alice, workflow), submitted(alice, workflow)
    world.drain()
    for _ in range(3):
        world.drain_after(31)
    assert ended(second)[0] == ended(third)[0] == "workflow_succeeded"


def test_a_deadline_that_passes_while_it_is_paused_still_fails_it(alice: Tenant, world: World) -> None:
    execution = run(alice, world, wait("w", signal="s"), timeout_seconds=60)
    commands.pause(execution.id, "key:k")
    world.drain_after(61)
    assert ended(execution) == ("workflow_failed", "deadline_exceeded")


def test_a_cancel_after_the_end_changes_nothing(alice: Tenant, world: World) -> None:
    """It was accepted while the execution was live, and came after its end."""
    execution = run(alice, world, noop("a"))
    before = execution.events.count()
    execution.inbox.create(kind="cancel", payload="{}", actor="k", created_at=execution.created_at)
    Execution.objects.filter(id=execution.id).update(seq=execution.seq + 1)
    world.drain()
    assert ended(execution)[0] == "workflow_succeeded"
    assert execution.events.count() == before


def test_items_and_rounds_that_run_are_cancelled_like_other_steps(alice: Tenant, world: World) -> None:
    each = {"name": "each", "type": "map", "config": {"over": [1, 2, 3], "max_parallel": 2, "step": {"action": "noop"}}}
    execution = submitted(alice, published(alice, [each, noop("after") | {"depends_on": ["each"]}]))

    def carry_out(claim: Any) -> Any:
        cancel(execution)
        world.drain()
        return world.engine.carry_out(claim)

    with World(carry_out=carry_out) as first:
        first.drain()
    assert ended(execution) == CANCELLED
    found = statuses(execution)
    assert (found["each"], found["each[0]"], found["each[2]"]) == ("cancelled", "succeeded", "pending")


def test_a_step_whose_failure_comes_after_the_cancel_is_not_retried(alice: Tenant, world: World) -> None:
    bad = failing("bad", on_failure="mend", retry={"max_attempts": 5, "initial_seconds": 0})
    execution = submitted(alice, published(alice, [bad, {"name": "mend", "action": "noop"}]))

    def carry_out(claim: Any) -> Any:
        cancel(execution)
        world.drain()
        return world.engine.carry_out(claim)

    with World(carry_out=carry_out) as first:
        first.drain()
    assert ended(execution) == CANCELLED
    assert attempts(execution, "bad") == ["failed"]
    assert begun(execution) == ["bad"]
