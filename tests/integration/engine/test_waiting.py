"""Waits on the real database: timers, signals and approvals, racing each other, early, late, twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from executions import commands
from executions.models import Arrival, Execution
from tenants.models import Tenant
from tests.integration.engine.world import (
    World,
    attempts,
    ended,
    noop,
    output,
    published,
    result,
    statuses,
    submitted,
    told,
    transform,
    wait,
)

SUCCEEDED = ("workflow_succeeded", None)


def run(alice: Tenant, world: World, *steps: dict[str, Any], **given: Any) -> Execution:
    execution = submitted(alice, published(alice, list(steps)), given)
    world.drain()
    return execution


def signal(execution: Execution, name: str, payload: Any = None) -> None:
    commands.signal(execution.id, name, payload, "key:tests")


def decide(execution: Execution, step: str, *, approved: bool, comment: str | None = None) -> None:
    commands.decide(execution.id, step, approved=approved, comment=comment, actor="key:ann", called={"ann"})


def events(execution: Execution) -> list[str]:
    return list(execution.events.order_by("sequence").values_list("type", flat=True))


def test_a_wait_of_seconds_ends_when_they_are_over_and_no_sooner(alice: Tenant, world: World) -> None:
    execution = run(alice, world, wait("pause", seconds=60), noop("after", "pause"))
    assert ended(execution)[0] == "workflow_waiting"
    assert execution.due_at is not None
    world.drain_after(50)
    assert statuses(execution) == {"pause": "waiting", "after": "pending"}
    world.drain_after(11)
    assert statuses(execution) == {"pause": "succeeded", "after": "succeeded"}
    assert result(execution, "pause") == {"by": "timer"}


def test_a_wait_holds_no_worker_and_has_one_attempt(alice: Tenant, world: World) -> None:
    execution = run(alice, world, wait("pause", seconds="${{ input.n * 2 }}"), n=30)
    assert attempts(execution, "pause") == ["waiting"]
    assert world.drain() == 0
    assert world.store.held() == []
    world.drain_after(61)
    assert attempts(execution, "pause") == ["succeeded"]


@pytest.mark.parametrize("minutes", [-10, 0])
def test_a_wait_until_a_moment_that_is_past_ends_at_once(alice: Tenant, world: World, minutes: int) -> None:
    moment = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
    execution = run(alice, world, wait("until", until="${{ input.at }}"), at=moment)
    assert ended(execution) == SUCCEEDED


def test_a_wait_of_no_seconds_ends_at_once(alice: Tenant, world: World) -> None:
    assert ended(run(alice, world, wait("pause", seconds=0))) == SUCCEEDED


def test_a_wait_until_a_moment_ends_then(alice: Tenant, world: World) -> None:
    moment = (datetime.now(UTC) + timedelta(hours=5)).isoformat()
    execution = run(alice, world, wait("until", until="${{ input.at }}"), at=moment)
    world.drain_after(3600 * 4)
    assert statuses(execution) == {"until": "waiting"}
    world.drain_after(3601)
    assert ended(execution) == SUCCEEDED


@pytest.mark.parametrize(
    "config",
    [{"seconds": "${{ input.x }}"}, {"until": "${{ input.x }}"}, {"timeout_seconds": "${{ input.x }}", "signal": "s"}],
)
def test_what_is_no_duration_or_moment_fails_the_wait_and_no_other(
    alice: Tenant, world: World, config: dict[str, Any]
) -> None:
    execution = run(alice, world, wait("w", **config) | {"on_failure": "continue"}, noop("b"), x="soon")
    assert statuses(execution) == {"w": "failed", "b": "succeeded"}
    assert result(execution, "w")["kind"] == "invalid_wait"


def test_a_signal_ends_the_wait_and_its_payload_goes_on(alice: Tenant, world: World) -> None:
    execution = run(
        alice, world, wait("paid", signal="paid"), transform("sum", "${{ steps.paid.output.payload.amount }}", "paid")
    )
    signal(execution, "paid", {"amount": 5})
    world.drain()
    assert output(execution) == {"sum": 5}
    assert result(execution, "paid") == {"by": "signal", "payload": {"amount": 5}}


def test_signals_that_come_early_are_kept_and_taken_in_order_one_by_each_wait(alice: Tenant, world: World) -> None:
    execution = submitted(
        alice,
        published(alice, [wait("gate", signal="open"), wait("a", "gate", signal="s"), wait("b", "a", signal="s")]),
    )
    for number in (1, 2, 3):
        signal(execution, "s", number)
    world.drain()
    signal(execution, "open")
    world.drain()
    assert ended(execution) == SUCCEEDED
    assert (result(execution, "a")["payload"], result(execution, "b")["payload"]) == (1, 2)
    assert Arrival.objects.filter(consumed_at__isnull=True).count() == 1


def test_the_second_of_two_signals_is_kept_for_the_next_wait(alice: Tenant, world: World) -> None:
    execution = run(
        alice, world, wait("a", signal="s"), wait("gate", "a", signal="open"), wait("b", "gate", signal="s")
    )
    signal(execution, "s", "first")
    signal(execution, "s", "second")
    world.drain()
    assert result(execution, "a")["payload"] == "first"
    assert Arrival.objects.exclude(kept_at=None).filter(consumed_at=None).count() == 1
    signal(execution, "open")
    world.drain()
    assert ended(execution) == SUCCEEDED
    assert result(execution, "b")["payload"] == "second"


@pytest.mark.parametrize("at_once", [True, False])
def test_two_waits_for_one_signal_take_one_each_the_longest_waiting_first(
    alice: Tenant, world: World, at_once: bool
) -> None:
    execution = run(
        alice, world, wait("gate", signal="open"), wait("young", "gate", signal="s"), wait("old", signal="s")
    )
    signal(execution, "open")
    world.drain()
    signal(execution, "s", 1)
    if not at_once:
        world.drain()
        assert (statuses(execution)["old"], statuses(execution)["young"]) == ("succeeded", "waiting")
    signal(execution, "s", 2)
    world.drain()
    assert (result(execution, "old")["payload"], result(execution, "young")["payload"]) == (1, 2)
    assert ended(execution) == SUCCEEDED


def test_a_signal_and_what_opens_its_wait_in_one_look_find_each_other(alice: Tenant, world: World) -> None:
    execution = run(alice, world, wait("gate", signal="open"), wait("b", "gate", signal="s"))
    signal(execution, "s", "early")
    signal(execution, "open")
    world.drain()
    assert ended(execution) == SUCCEEDED
    assert result(execution, "b")["payload"] == "early"


def test_of_a_timer_and_a_signal_the_signal_wins_if_it_comes_first(alice: Tenant, world: World) -> None:
    execution = run(alice, world, wait("w", signal="s", seconds=60))
    signal(execution, "s", 7)
    world.drain_after(50)
    assert result(execution, "w")["by"] == "signal"
    assert not execution.due_steps.exists()
    assert ended(execution) == SUCCEEDED


def test_of_a_timer_and_a_signal_the_timer_wins_if_none_comes(alice: Tenant, world: World) -> None:
    execution = run(alice, world, wait("w", signal="s", seconds=60), wait("later", "w", signal="s"))
    world.drain_after(61)
    assert result(execution, "w") == {"by": "timer"}
    signal(execution, "s", "late")
    world.drain()
    assert result(execution, "later")["payload"] == "late"


def test_a_signal_that_is_there_when_the_timer_is_over_still_wins(alice: Tenant, world: World) -> None:
    """What came is worked in before what is due: the caller was answered that it was taken."""
    execution = run(alice, world, wait("w", signal="s", seconds=60, timeout_seconds=30))
    signal(execution, "s")
    world.drain_after(90)
    assert result(execution, "w")["by"] == "signal"


def test_a_wait_that_takes_too_long_fails_with_timeout(alice: Tenant, world: World) -> None:
    execution = run(
        alice,
        world,
        wait("w", signal="s", timeout_seconds=60) | {"on_failure": "late"},
        {"name": "late", "action": "noop"},
    )
    world.drain_after(61)
    assert ended(execution) == SUCCEEDED
    assert statuses(execution) == {"w": "failed", "late": "succeeded"}
    assert result(execution, "w")["kind"] == "timeout"


def test_a_wait_that_timed_out_may_be_tried_again(alice: Tenant, world: World) -> None:
    step = wait("w", signal="s") | {"timeout_seconds": 60, "retry": {"max_attempts": 2, "initial_seconds": 1}}
    execution = run(alice, world, step)
    world.drain_after(61)
    assert statuses(execution) == {"w": "retrying"}
    world.drain_after(2)
    assert attempts(execution, "w") == ["failed", "waiting"]
    signal(execution, "s")
    world.drain()
    assert ended(execution) == SUCCEEDED


def test_an_approval_ends_the_wait_with_who_gave_it(alice: Tenant, world: World) -> None:
    step = wait("ok", approval={"approvers": ["ann"]}, seconds=3600)
    execution = run(alice, world, step, transform("by", "${{ steps.ok.output.payload.by }}", "ok"))
    decide(execution, "ok", approved=True, comment="fine")
    world.drain()
    assert output(execution) == {"by": "key:ann"}
    assert result(execution, "ok")["by"] == "approval"


def test_a_rejection_fails_the_step_for_good_and_its_handler_runs(alice: Tenant, world: World) -> None:
    step = wait("ok", approval=True) | {"retry": {"max_attempts": 3}, "on_failure": "decline"}
    execution = run(alice, world, step, noop("after", "ok"), {"name": "decline", "action": "noop"})
    decide(execution, "ok", approved=False, comment="too dear")
    world.drain()
    assert statuses(execution) == {"ok": "failed", "after": "skipped", "decline": "succeeded"}
    error = result(execution, "ok")
    assert (error["kind"], error["message"]) == ("rejected", "rejected by key:ann: too dear")
    assert attempts(execution, "ok") == ["failed"]


def test_an_approval_whose_deadline_passes_fails(alice: Tenant, world: World) -> None:
    execution = run(alice, world, wait("ok", approval=True, timeout_seconds=60))
    world.drain_after(61)
    assert ended(execution)[0] == "workflow_failed"
    assert result(execution, "ok")["kind"] == "timeout"


def test_the_execution_waits_once_its_last_step_does(alice: Tenant, world: World) -> None:
    execution = run(alice, world, wait("w", signal="s"), wait("v", signal="t"))
    told_in_order = ["step.started", "step.waiting", "step.started", "step.waiting", "execution.waiting"]
    assert events(execution)[-5:] == told_in_order


def test_a_loop_that_waits_for_nothing_outside_never_says_that_it_waits(alice: Tenant, world: World) -> None:
    rounds = {"body": [transform("n", "${{ index }}")], "until": "steps.n.output == 2", "max_iterations": 5}
    execution = run(alice, world, {"name": "again", "type": "loop", "config": rounds})
    assert ended(execution) == ("workflow_succeeded", None)
    assert {"execution.waiting", "execution.resumed"}.isdisjoint(events(execution))


def test_the_execution_says_that_it_waits_and_that_it_goes_on(alice: Tenant, world: World) -> None:
    execution = run(alice, world, wait("w", signal="s"), noop("after", "w"))
    assert len(told(execution, "execution.waiting")) == 1
    signal(execution, "s")
    world.drain()
    assert len(told(execution, "execution.resumed")) == 1
    [(step, data)] = told(execution, "step.waiting")
    assert (step, data["signal"], data["until"]) == ("w", "s", None)


def test_a_paused_wait_ends_once_it_is_resumed(alice: Tenant, world: World) -> None:
    execution = run(alice, world, wait("w", seconds=60), noop("after", "w"))
    commands.pause(execution.id, "key:k")
    world.drain_after(61)
    assert statuses(execution)["after"] == "pending"
    commands.resume(execution.id, "key:k")
    world.drain()
    assert ended(execution) == SUCCEEDED


def test_a_payload_goes_to_a_wait_whose_schema_takes_it(alice: Tenant, world: World) -> None:
    number = wait("number", signal="s", schema={"type": "integer"})
    text = wait("text", signal="s", schema={"type": "string"})
    execution = run(alice, world, number, text)
    signal(execution, "s", "five")
    world.drain()
    assert statuses(execution) == {"number": "waiting", "text": "succeeded"}
    signal(execution, "s", 5)
    world.drain()
    assert (result(execution, "number")["payload"], result(execution, "text")["payload"]) == (5, "five")
