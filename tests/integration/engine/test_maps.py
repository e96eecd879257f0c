"""Maps on the real database: their items' order, how many at once, how many may fail, what is recorded of each."""

from __future__ import annotations

import json
from typing import Any

import pytest

from executions import commands
from executions.models import Attempt, Execution
from tenants.models import Tenant
from tests.integration.engine.world import (
    World,
    attempts,
    begun,
    ended,
    noop,
    output,
    published,
    result,
    statuses,
    submitted,
    told,
    transform,
)
from workflows.tools import ToolContext, registry

SUCCEEDED = ("workflow_succeeded", None)
ECHO = {"action": "noop", "parameters": {"item": "${{ item }}", "index": "${{ index }}"}}


@pytest.fixture(scope="module", autouse=True)
def _odd_tool() -> Any:
    @registry.tool("fail_if")
    def fail_if(arguments: dict[str, Any], context: ToolContext) -> Any:
        if arguments["bad"]:
            raise ValueError("bad item")
        return arguments

    yield
    del registry._tools["fail_if"]


def mapped(over: Any, step: Any = None, **config: Any) -> dict[str, Any]:
    return {"name": "each", "type": "map", "config": {"over": over, "step": step or ECHO, **config}}


def picky(**config: Any) -> dict[str, Any]:
    """A map whose items fail that are true."""
    return mapped("input.bad", {"action": "fail_if", "parameters": {"bad": "${{ item }}"}}, **config)


def run(alice: Tenant, world: World, *steps: dict[str, Any], **given: Any) -> Execution:
    execution = submitted(alice, published(alice, list(steps)), given)
    world.drain(60)
    return execution


def parts(execution: Execution) -> list[str]:
    """How the parts stand, in order."""
    rows = execution.steps.filter(index__gte=10_000, index__lt=1_000_000_000).order_by("index")
    return list(rows.values_list("status", flat=True))


def test_results_are_in_the_order_of_the_items_whatever_order_they_end_in(alice: Tenant, world: World) -> None:
    execution = run(alice, world, mapped(["a", "b", "c"], {"type": "wait", "config": {"approval": True}}))
    for number in (2, 0, 1):
        step = f"each[{number}]"
        commands.decide(execution.id, step, approved=True, comment=str(number), actor="key:k", called=None)
        world.drain()
    items = output(execution)["each"]["items"]
    assert [item["payload"]["comment"] for item in items] == ["0", "1", "2"]


def test_item_and_index_are_those_of_the_part_and_each_is_recorded_as_a_step(alice: Tenant, world: World) -> None:
    execution = run(alice, world, mapped("input.list"), list=["a", {"b": 1}, None])
    assert ended(execution) == SUCCEEDED
    assert output(execution)["each"] == {
        "items": [{"item": "a", "index": 0}, {"item": {"b": 1}, "index": 1}, {"item": None, "index": 2}],
        "failed": 0,
    }
    assert begun(execution) == ["each", "each[0]", "each[1]", "each[2]"]
    assert [step for step, _ in told(execution, "step.succeeded")] == ["each[0]", "each[1]", "each[2]", "each"]
    assert attempts(execution, "each[1]") == ["succeeded"]
    recorded = Attempt.objects.get(execution=execution, step_index=execution.steps.get(name="each[1]").index)
    assert json.loads(recorded.input or "")["arguments"] == {"item": {"b": 1}, "index": 1}


def test_a_condition_on_the_item_skips_it_and_leaves_null_in_its_place(alice: Tenant, world: World) -> None:
    step = {"type": "transform", "config": {"output": "${{ item * 10 }}"}, "when": "item > 1"}
    execution = run(alice, world, mapped([1, 2, 3], step))
    assert output(execution)["each"] == {"items": [None, 20, 30], "failed": 0}
    assert parts(execution) == ["skipped", "succeeded", "succeeded"]


def test_never_more_than_max_parallel_items_are_under_way(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, [mapped(list(range(9)), max_parallel=3)]))
    most: list[int] = []
    depth = 0

    def carry_out(claim: Any) -> Any:
        """Four more workers look for something to do while this one is at work."""
        nonlocal depth
        if depth < 4:
            depth += 1
            with World(carry_out=carry_out) as worker:
                worker.drain()
            depth -= 1
        open_ = execution.steps.filter(index__gte=10_000, status="running").count()
        pending = execution.steps.filter(index__gte=10_000, status="pending", parents_left=0).count()
        most.append(open_ + pending)
        return world.engine.carry_out(claim)

    with World(carry_out=carry_out) as first:
        first.drain()
    assert ended(execution) == SUCCEEDED
    assert max(most) == 3


def test_an_empty_list_gives_an_empty_result_at_once(alice: Tenant, world: World) -> None:
    execution = run(alice, world, mapped("input.list"), noop("after") | {"depends_on": ["each"]}, list=[])
    assert result(execution, "each") == {"items": [], "failed": 0}
    assert statuses(execution) == {"each": "succeeded", "after": "succeeded"}


@pytest.mark.parametrize(
    ("given", "kind"), [({"list": 5}, "not_a_list"), ({"list": {"a": 1}}, "not_a_list"), ({}, "expression_error")]
)
def test_what_is_no_list_fails_the_map_and_no_other_branch(
    alice: Tenant, world: World, given: dict[str, Any], kind: str
) -> None:
    execution = run(alice, world, mapped("input.list") | {"on_failure": "continue"}, noop("b"), **given)
    assert statuses(execution) == {"each": "failed", "b": "succeeded"}
    assert result(execution, "each")["kind"] == kind


def test_more_than_ten_thousand_items_are_refused_as_the_step_s_failure(alice: Tenant, world: World) -> None:
    execution = run(alice, world, mapped("input.list"), list=[0] * 10_001)
    assert ended(execution)[0] == "workflow_failed"
    assert result(execution, "each")["kind"] == "too_many_items"


@pytest.mark.parametrize(("tolerate", "bad"), [(2, 2), ("50%", 2), ("100%", 4)])
def test_so_many_items_as_are_tolerated_may_fail(alice: Tenant, world: World, tolerate: Any, bad: int) -> None:
    flags = [number < bad for number in range(4)]
    execution = run(alice, world, picky(tolerate=tolerate), bad=flags)
    assert ended(execution) == SUCCEEDED
    assert output(execution)["each"]["failed"] == bad
    assert output(execution)["each"]["items"] == [None if flag else {"bad": False} for flag in flags]


@pytest.mark.parametrize(("tolerate", "bad"), [(0, 1), (1, 2), ("50%", 3), ("30%", 2)])
def test_one_more_than_is_tolerated_fails_the_map(alice: Tenant, world: World, tolerate: Any, bad: int) -> None:
    execution = run(alice, world, picky(tolerate=tolerate), bad=[number < bad for number in range(4)])
    assert ended(execution)[0] == "workflow_failed"
    error = result(execution, "each")
    assert error["kind"] == "items_failed"
    assert error["details"] == {"failed": bad, "items": 4}


def test_a_map_that_gives_up_begins_no_further_item_and_cancels_those_that_wait(alice: Tenant, world: World) -> None:
    execution = run(alice, world, picky(max_parallel=2), noop("b"), bad=[False, True, False, False, False])
    assert ended(execution)[0] == "workflow_failed"
    assert parts(execution)[1] == "failed"
    assert set(parts(execution)[3:]) == {"pending"}
    assert not execution.due_steps.exists()


def test_items_that_wait_are_cancelled_once_too_many_others_failed(alice: Tenant, world: World) -> None:
    step = {"type": "wait", "config": {"approval": True}}
    execution = run(alice, world, mapped([1, 2, 3], step) | {"on_failure": "continue"}, noop("b"))
    commands.decide(execution.id, "each[1]", approved=False, comment=None, actor="key:k", called=None)
    world.drain()
    assert parts(execution) == ["cancelled", "failed", "cancelled"]
    assert statuses(execution)["each"] == "failed"
    assert ended(execution) == SUCCEEDED


def test_a_failing_item_is_retried_by_its_own_policy(alice: Tenant, world: World) -> None:
    step = {"action": "fail", "parameters": {"times": 2}, "retry": {"max_attempts": 3, "initial_seconds": 1}}
    execution = run(alice, world, mapped([1, 2], step))
    world.drain_after(2)
    world.drain_after(3)
    assert ended(execution) == SUCCEEDED
    assert attempts(execution, "each[0]") == ["failed", "failed", "succeeded"]


def test_a_map_that_is_tried_again_begins_from_its_first_item(alice: Tenant, world: World) -> None:
    step = {"action": "fail", "parameters": {"times": 1}}
    retried = mapped([1, 2], step) | {"retry": {"max_attempts": 2, "initial_seconds": 1}}
    execution = run(alice, world, retried)
    assert statuses(execution)["each"] == "retrying"
    world.drain_after(2)
    assert ended(execution) == SUCCEEDED
    assert attempts(execution, "each") == ["failed", "succeeded"]
    assert attempts(execution, "each[0]")[-1] == "succeeded"


def test_a_map_may_start_an_execution_for_each_item(alice: Tenant, world: World) -> None:
    double = [transform("twice", "${{ input.item * 2 + input.index }}")]
    published(alice, double, name="double", output={"twice": "${{ steps.twice.output }}"})
    step = {"name": "each", "type": "map", "config": {"over": [1, 2, 3], "workflow_id": "double"}}
    execution = run(alice, world, step)
    assert output(execution)["each"]["items"] == [{"twice": 2}, {"twice": 5}, {"twice": 8}]
    assert execution.children.count() == 3


def test_a_map_s_time_out_cancels_its_items_and_fails_it(alice: Tenant, world: World) -> None:
    step = {"type": "wait", "config": {"signal": "go"}}
    execution = run(alice, world, mapped([1, 2], step) | {"timeout_seconds": 60, "on_failure": "continue"}, noop("b"))
    world.drain_after(61)
    assert statuses(execution)["each"] == "failed"
    assert result(execution, "each")["kind"] == "timeout"
    assert parts(execution) == ["cancelled", "cancelled"]
    assert ended(execution) == SUCCEEDED


def test_two_thousand_items_end_in_order_and_leave_nothing_behind(alice: Tenant, world: World) -> None:
    step = {"type": "transform", "config": {"output": "${{ item + 1 }}"}}
    execution = run(alice, world, mapped("input.list", step, max_parallel=500), list=list(range(2_000)))
    assert ended(execution) == SUCCEEDED
    assert output(execution)["each"]["items"] == list(range(1, 2_001))
    assert not execution.due_steps.exists()
    sequences = list(execution.events.order_by("sequence").values_list("sequence", flat=True))
    assert sequences == list(range(1, len(sequences) + 1))


def test_names_of_the_greatest_length_are_recorded(alice: Tenant) -> None:
    with World() as first:  # an error of the database ends its connection
        execution = submitted(alice, published(alice, [mapped([1]) | {"name": "n" * 100}]))
        first.drain()
    assert ended(execution) == SUCCEEDED
    assert begun(execution) == ["n" * 100, "n" * 100 + "[0]"]
