"""Executions that steps of others start: linked, ended with, cancelled with, refused; one a turn whatever dies."""

from __future__ import annotations

from typing import Any

import pytest

from executions import commands
from executions.children import Turn, start_child
from executions.models import Attempt, Event, Execution, Payment, Submission
from tenants.models import Tenant
from tests.integration.engine.world import (
    World,
    attempts,
    child,
    ended,
    failing,
    lost,
    noop,
    output,
    published,
    result,
    statuses,
    submitted,
    transform,
    wait,
)

SUCCEEDED = ("workflow_succeeded", None)


class Died(BaseException):
    """The process ends on this line."""


def run(alice: Tenant, world: World, *steps: dict[str, Any], **given: Any) -> Execution:
    execution = submitted(alice, published(alice, list(steps)), given)
    world.drain()
    return execution


def children(execution: Execution) -> list[Execution]:
    """The executions that its steps started, the oldest first."""
    return [row.execution for row in execution.children.select_related("execution").order_by("execution_id")]


def test_a_child_and_its_parent_name_each_other(alice: Tenant, world: World) -> None:
    execution = run(alice, world, child("sub", published(alice, [noop("a")])))
    [sub] = children(execution)
    attempt = Attempt.objects.get(execution=execution)
    assert attempt.child == sub.id
    assert (sub.submission.parent_id, sub.submission.parent_step) == (execution.id, 0)
    assert (sub.submission.source_system, sub.submission.source_entity_type) == ("execution", "step")
    assert (sub.submission.root, sub.submission.depth) == (execution.id, 1)
    assert Event.objects.filter(execution=sub, type="execution.created").exists()


def test_the_output_of_the_child_is_that_of_the_step(alice: Tenant, world: World) -> None:
    workflow = published(
        alice, [transform("sum", "${{ input.a + input.b }}")], output={"sum": "${{ steps.sum.output }}"}
    )
    steps = [
        child("sub", workflow, given={"a": 1, "b": "${{ input.b }}"}),
        transform("x", "${{ steps.sub.output.sum }}", "sub"),
    ]
    execution = run(alice, world, *steps, b=41)
    assert output(execution) == {"x": 42}


def test_while_the_child_runs_the_parent_waits_and_holds_no_worker(alice: Tenant, world: World) -> None:
    execution = run(alice, world, child("sub", published(alice, [wait("go", signal="go")])))
    assert ended(execution)[0] == "workflow_waiting"
    assert attempts(execution, "sub") == ["waiting"]
    [sub] = children(execution)
    commands.signal(sub.id, "go", None, "key:k")
    world.drain()
    assert ended(execution) == SUCCEEDED


def test_a_child_that_fails_fails_the_step_with_its_reason(alice: Tenant, world: World) -> None:
    execution = run(alice, world, child("sub", published(alice, [failing("bad")]), on_failure="continue"), noop("b"))
    assert statuses(execution) == {"sub": "failed", "b": "succeeded"}
    [sub] = children(execution)
    error = result(execution, "sub")
    assert error["kind"] == "child_failed"
    assert error["details"] == {
        "execution_id": str(sub.id),
        "status": "workflow_failed",
        "reason": "step bad failed: this tool fails on purpose",
    }


def test_a_child_that_is_cancelled_by_itself_fails_the_step(alice: Tenant, world: World) -> None:
    execution = run(alice, world, child("sub", published(alice, [wait("go", signal="go")])))
    [sub] = children(execution)
    commands.cancel(sub.id, "enough", "key:k")
    world.drain()
    assert ended(execution)[0] == "workflow_failed"
    assert result(execution, "sub")["kind"] == "child_cancelled"


def test_a_cancel_reaches_children_and_their_children(alice: Tenant, world: World) -> None:
    grand = published(alice, [wait("go", signal="go")])
    middle = published(alice, [child("deep", grand), wait("too", signal="go")])
    execution = run(alice, world, child("sub", middle), child("other", grand))
    commands.cancel(execution.id, "no more", "key:k")
    world.drain()
    rows = Execution.objects.exclude(id=execution.id)
    assert rows.count() == 3
    assert set(rows.values_list("status", flat=True)) == {"workflow_cancelled"}
    assert set(rows.values_list("status_reason", flat=True)) == {"no more"}
    assert ended(execution) == ("workflow_cancelled", "no more")


def test_a_failure_beside_it_cancels_the_child(alice: Tenant, world: World) -> None:
    steps = [
        child("sub", published(alice, [wait("go", signal="go")])),
        wait("first", signal="x"),
        failing("bad", "first"),
    ]
    execution = run(alice, world, *steps)
    commands.signal(execution.id, "x", None, "key:k")
    world.drain()
    [sub] = children(execution)
    assert ended(execution)[0] == "workflow_failed"
    assert sub.status == "workflow_cancelled"
    assert statuses(execution)["sub"] == "cancelled"


def test_a_join_that_goes_on_without_it_cancels_the_child(alice: Tenant, world: World) -> None:
    sub = child("sub", published(alice, [wait("go", signal="go")]))
    on = noop("on", "sub", "first", join={"n": 1, "rest": "cancel"})
    execution = run(alice, world, sub, wait("first", signal="x"), on)
    commands.signal(execution.id, "x", None, "key:k")
    world.drain()
    [started] = children(execution)
    assert (ended(execution)[0], started.status) == ("workflow_succeeded", "workflow_cancelled")


def test_a_time_out_of_the_step_cancels_the_child(alice: Tenant, world: World) -> None:
    workflow = published(alice, [wait("go", signal="go")])
    execution = run(alice, world, child("sub", workflow, timeout_seconds=60, on_failure="continue"), noop("b"))
    world.drain_after(61)
    [sub] = children(execution)
    assert (statuses(execution)["sub"], sub.status) == ("failed", "workflow_cancelled")
    assert result(execution, "sub")["kind"] == "timeout"


def test_executions_start_each_other_ten_deep_and_no_deeper(alice: Tenant, world: World) -> None:
    published(alice, [child("deeper", "deep")], name="deep")
    execution = run(alice, world, child("down", "deep"))
    assert Execution.objects.count() == 11
    assert Submission.objects.filter(root=execution.id).count() == 10
    assert ended(execution)[0] == "workflow_failed"
    deepest = Execution.objects.get(submission__depth=10)
    error = result(deepest, "deeper")
    assert (error["kind"], error["details"]["reason"]) == ("child_refused", "too_deep")


def test_an_input_that_the_child_s_schema_does_not_take_fails_the_step_for_good(alice: Tenant, world: World) -> None:
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    workflow = published(alice, [noop("a")], input_schema=schema)
    execution = run(alice, world, child("sub", workflow, given={"n": "x"}, retry={"max_attempts": 3}))
    error = result(execution, "sub")
    assert error["kind"] == "child_refused"
    assert error["details"]["errors"][0]["field"] == "/input/n"
    assert attempts(execution, "sub") == ["failed"]
    assert execution.children.count() == 0


def test_a_workflow_that_is_unknown_or_not_published_fails_the_step(alice: Tenant, world: World) -> None:
    for named in ("nobody", "00000000-0000-7000-8000-000000000000"):
        execution = run(alice, world, child("sub", named, on_failure="continue"), noop("b"))
        assert statuses(execution) == {"sub": "failed", "b": "succeeded"}
        assert result(execution, "sub")["kind"] == "child_refused"


@pytest.mark.parametrize("ends_first", [False, True])
def test_a_child_is_started_once_a_turn_even_if_the_worker_dies_after_starting_it(
    alice: Tenant, world: World, ends_first: bool
) -> None:
    def dies(claim: Any) -> Any:
        world.engine.carry_out(claim)
        raise Died

    execution = submitted(alice, published(alice, [child("sub", published(alice, [transform("a", 1)]))]))
    with World(carry_out=dies) as dying, pytest.raises(Died):
        dying.drain()
    assert execution.children.count() == 1
    assert attempts(execution, "sub") == ["running"]
    if ends_first:
        world.drain()
    lost(execution)
    world.drain()
    assert ended(execution) == SUCCEEDED
    assert attempts(execution, "sub") == ["lost", "succeeded"]
    assert execution.children.count() == 1


def test_the_same_turn_gives_the_same_child_and_another_turn_another(alice: Tenant, world: World) -> None:
    workflow = published(alice, [noop("a")])
    execution = submitted(alice, published(alice, [child("a", workflow)]))
    assert world.engine._take(float("inf")) is not None
    turn = Turn(execution.id, 0, "a", "1.0")
    first = start_child(turn, workflow, None, {})
    assert start_child(turn, workflow, None, {}) == first
    assert start_child(Turn(execution.id, 0, "a", "1.1"), workflow, None, {}) != first


def test_a_retry_of_the_step_starts_a_child_anew(alice: Tenant, world: World) -> None:
    workflow = published(alice, [failing("bad")])
    execution = run(alice, world, child("sub", workflow, retry={"max_attempts": 2, "initial_seconds": 1}))
    world.drain_after(2)
    assert attempts(execution, "sub") == ["failed", "failed"]
    found = children(execution)
    assert [row.submission.parent_turn for row in found] == ["1.0", "1.1"]
    assert {row.status for row in found} == {"workflow_failed"}


def test_a_child_that_ends_before_it_is_recorded_that_it_was_started_is_not_lost(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, [child("sub", published(alice, [transform("a", 1)]))]))

    def carry_out(claim: Any) -> Any:
        handed = world.engine.carry_out(claim)
        world.drain()
        return handed

    with World(carry_out=carry_out) as first:
        first.drain()
    assert ended(execution) == SUCCEEDED


def test_a_child_never_charges(alice: Tenant, world: World) -> None:
    workflow = published(alice, [noop("a")], price={"amount": 100, "currency": "EUR"})
    execution = run(alice, world, child("sub", workflow))
    assert ended(execution) == SUCCEEDED
    [sub] = children(execution)
    assert not Payment.objects.exists()
    assert sub.status == "workflow_succeeded"


@pytest.mark.parametrize("started_before", [True, False])
def test_no_child_outlives_a_parent_that_ended_while_it_was_started(
    alice: Tenant, world: World, started_before: bool
) -> None:
    execution = submitted(alice, published(alice, [child("sub", published(alice, [wait("go", signal="go")]))]))

    def carry_out(claim: Any) -> Any:
        before = world.engine.carry_out(claim) if started_before else None
        commands.cancel(execution.id, "no more", "key:k")
        world.drain()
        world.drain_after(10.1)
        assert ended(execution)[0] == "workflow_cancelled"
        return before or world.engine.carry_out(claim)

    with World(carry_out=carry_out) as first:
        first.drain()
        first.drain()
    assert [row.status for row in children(execution)] == ["workflow_cancelled"] * started_before


def test_children_of_a_map_that_is_tried_again_are_started_anew(alice: Tenant, world: World) -> None:
    workflow = published(alice, [failing("bad")])
    each = {"name": "each", "type": "map", "config": {"over": [1, 2], "workflow_id": workflow},
            "retry": {"max_attempts": 2, "initial_seconds": 1}}  # fmt: skip
    execution = run(alice, world, each)
    world.drain_after(2)
    assert attempts(execution, "each") == ["failed", "failed"]
    assert execution.children.count() == 4
    assert set(attempts(execution, "each[0]")) == {"failed"}


def test_of_a_child_that_a_retry_replaced_the_end_comes_too_late(alice: Tenant, world: World) -> None:
    """The step's time-out cancels the first child, which still has something running."""
    workflow = published(alice, [wait("go", signal="go")])
    step = child("sub", workflow, timeout_seconds=60, retry={"max_attempts": 2, "initial_seconds": 1})
    execution = run(alice, world, step)
    world.drain_after(61)
    world.drain_after(2)
    first, second = children(execution)
    assert (first.status, second.status) == ("workflow_cancelled", "workflow_waiting")
    commands.signal(second.id, "go", None, "key:k")
    world.drain()
    assert ended(execution) == SUCCEEDED
    assert attempts(execution, "sub") == ["failed", "succeeded"]
