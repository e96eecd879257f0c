"""Loops on the real database: rounds, what each reads of the one before, how they end and how they fail."""

from __future__ import annotations

from typing import Any

import pytest

from executions import commands
from executions.models import Execution
from tenants.models import Tenant
from tests.integration.engine.world import (
    World,
    attempts,
    begun,
    ended,
    failing,
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


def looped(until: str, *body: dict[str, Any], most: int = 10, **members: Any) -> dict[str, Any]:
    config = {"until": until, "max_iterations": most, "body": list(body)}
    return {"name": "again", "type": "loop", "config": config, **members}


def handler(step: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in step.items() if name != "depends_on"}


def run(alice: Tenant, world: World, *steps: dict[str, Any], **given: Any) -> Execution:
    execution = submitted(alice, published(alice, list(steps)), given)
    world.drain()
    return execution


def test_rounds_follow_each_other_until_the_condition_holds(alice: Tenant, world: World) -> None:
    execution = run(
        alice,
        world,
        looped("index == 2", noop("first"), noop("second", "first")),
        noop("after") | {"depends_on": ["again"]},
    )
    assert ended(execution) == SUCCEEDED
    assert begun(execution) == [
        "again",
        "again[0].first", "again[0].second",
        "again[1].first", "again[1].second",
        "again[2].first", "again[2].second",
        "after",
    ]  # fmt: skip
    assert execution.steps.count() == 8


def test_a_round_reads_what_the_one_before_came_to_and_the_first_reads_null(alice: Tenant, world: World) -> None:
    body = transform("sum", "${{ item == null ? input.start : item.sum + index }}")
    execution = run(alice, world, looped("steps.sum.output > 10", body), start=1)
    assert output(execution) == {"again": {"sum": 11}}
    assert [result(execution, f"again[{number}].sum") for number in range(5)] == [1, 2, 4, 7, 11]


def test_the_output_is_that_of_the_last_round_by_name(alice: Tenant, world: World) -> None:
    body = [transform("a", "${{ index }}"), transform("b", "${{ steps.a.output * 2 }}", "a")]
    execution = run(alice, world, looped("index == 3", *body))
    assert output(execution) == {"again": {"a": 3, "b": 6}}


def test_a_condition_that_never_holds_fails_after_the_most_rounds(alice: Tenant, world: World) -> None:
    execution = run(alice, world, looped("false", transform("a", 1), most=3, on_failure="continue"), noop("b"))
    assert statuses(execution)["again"] == "failed"
    assert result(execution, "again")["kind"] == "too_many_rounds"
    assert result(execution, "again")["details"] == {"rounds": 3}
    assert execution.steps.filter(index__gte=10_000).count() == 3
    assert ended(execution) == SUCCEEDED


@pytest.mark.parametrize(("until", "word"), [("steps.a.output", "true or false"), ("steps.a.output.none", "none")])
def test_a_condition_that_errors_or_is_no_boolean_fails_the_loop_and_no_other(
    alice: Tenant, world: World, until: str, word: str
) -> None:
    execution = run(alice, world, looped(until, transform("a", {"x": 1}), on_failure="continue"), noop("b"))
    assert statuses(execution) == {"again": "failed", "again[0].a": "succeeded", "b": "succeeded"}
    assert result(execution, "again")["kind"] == "expression_error"
    assert word in result(execution, "again")["message"]


def test_a_step_of_the_body_that_fails_fails_the_loop_and_begins_no_other_round(alice: Tenant, world: World) -> None:
    body = [failing("bad"), wait("open", signal="go"), noop("after", "bad")]
    execution = run(alice, world, looped("false", *body, on_failure="continue"), noop("b"))
    assert statuses(execution) == {
        "again": "failed",
        "again[0].bad": "failed",
        "again[0].open": "cancelled",
        "again[0].after": "skipped",
        "b": "succeeded",
    }
    assert result(execution, "again")["kind"] == "round_failed"
    assert ended(execution) == SUCCEEDED


def test_a_failure_that_the_body_goes_on_with_leaves_the_loop_going(alice: Tenant, world: World) -> None:
    body = [
        failing("bad", on_failure="continue"),
        transform("seen", "${{ steps.bad.status }}", "bad"),
        failing("worse", on_failure="mend"),
        handler(noop("mend")),
    ]
    execution = run(alice, world, looped("index == 1", *body))
    assert ended(execution) == SUCCEEDED
    assert result(execution, "again[1].seen") == "failed"
    assert statuses(execution)["again[1].mend"] == "succeeded"
    assert "again[0].mend" in begun(execution)


def test_steps_of_a_round_that_depend_on_nothing_run_beside_each_other(alice: Tenant, world: World) -> None:
    body = [wait("left", signal="left"), wait("right", signal="right"), noop("both", "left", "right")]
    execution = run(alice, world, looped("index == 1", *body))
    for _ in range(2):
        number = execution.steps.filter(name__endswith=".both").count() - 1
        assert (
            statuses(execution)[f"again[{number}].left"] == statuses(execution)[f"again[{number}].right"] == "waiting"
        )
        for name in ("right", "left"):
            commands.signal(execution.id, name, None, "key:tests")
        world.drain()
    assert ended(execution) == SUCCEEDED


def test_a_step_of_the_body_that_is_skipped_leaves_null_to_the_next_round(alice: Tenant, world: World) -> None:
    body = [noop("odd", when="index == 1"), transform("seen", "${{ item == null || item.odd == null }}", "odd")]
    body[1]["depends_on"] = []
    execution = run(alice, world, looped("index == 2", *body))
    assert [result(execution, f"again[{number}].seen") for number in range(3)] == [True, True, False]


def test_a_step_of_the_body_is_retried_within_its_round(alice: Tenant, world: World) -> None:
    body = failing("flaky", times=1, retry={"max_attempts": 2, "initial_seconds": 1})
    execution = run(alice, world, looped("index == 1", body))
    world.drain_after(2)
    world.drain_after(2)
    assert ended(execution) == SUCCEEDED
    assert attempts(execution, "again[0].flaky") == attempts(execution, "again[1].flaky") == ["failed", "succeeded"]


def test_a_loop_that_is_tried_again_begins_with_its_first_round(alice: Tenant, world: World) -> None:
    body = failing("flaky", times=1)
    execution = run(alice, world, looped("index == 1", body, retry={"max_attempts": 3, "initial_seconds": 1}))
    assert statuses(execution)["again"] == "retrying"
    world.drain_after(2)
    world.drain_after(3)
    assert ended(execution) == SUCCEEDED
    assert attempts(execution, "again") == ["failed", "failed", "succeeded"]


def test_a_join_within_the_body_goes_on_with_the_first_and_cancels_the_rest(alice: Tenant, world: World) -> None:
    body = [noop("quick"), wait("slow", signal="slow"), noop("go", "quick", "slow", join={"n": 1, "rest": "cancel"})]
    execution = run(alice, world, looped("index == 1", *body))
    assert ended(execution) == SUCCEEDED
    found = statuses(execution)
    assert found["again[0].slow"] == found["again[1].slow"] == "cancelled"
    assert found["again[1].go"] == "succeeded"


def test_a_loop_s_time_out_cancels_its_round_and_fails_it(alice: Tenant, world: World) -> None:
    execution = run(
        alice, world, looped("false", wait("go", signal="go"), timeout_seconds=60, on_failure="continue"), noop("b")
    )
    world.drain_after(61)
    assert statuses(execution) == {"again": "failed", "again[0].go": "cancelled", "b": "succeeded"}
    assert result(execution, "again")["kind"] == "timeout"
    assert ended(execution) == SUCCEEDED


def test_a_child_in_each_round_is_an_execution_of_its_own(alice: Tenant, world: World) -> None:
    published(alice, [transform("next", "${{ input.n + 1 }}")], name="next", output={"n": "${{ steps.next.output }}"})
    body = {"name": "step", "type": "workflow",
            "config": {"workflow_id": "next", "input": {"n": "${{ item == null ? 0 : item.step.n }}"}}}  # fmt: skip
    execution = run(alice, world, looped("steps.step.output.n == 3", body))
    assert output(execution) == {"again": {"step": {"n": 3}}}
    assert execution.children.count() == 3


def test_five_hundred_rounds_of_two_steps_come_to_their_end(alice: Tenant, world: World) -> None:
    body = [transform("a", "${{ index }}"), transform("b", "${{ steps.a.output + 1 }}", "a")]
    execution = submitted(alice, published(alice, [looped("index == 499", *body, most=500)]))
    world.drain(60)
    assert output(execution) == {"again": {"a": 499, "b": 500}}
    assert execution.steps.filter(status="succeeded").count() == 1_001
