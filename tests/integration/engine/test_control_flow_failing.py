"""Conditions, joins, handlers and `continue`: what becomes of a step, and of the others, when something goes wrong."""

from __future__ import annotations

from typing import Any

import pytest

from executions import commands
from executions.models import Execution
from tenants.models import Tenant
from tests.integration.engine.world import (
    World,
    begun,
    ended,
    failing,
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


def signal(world: World, execution: Execution, name: str) -> None:
    commands.signal(execution.id, name, None, "key:tests")
    world.drain()


def without_place(step: dict[str, Any]) -> dict[str, Any]:
    """A handler: it depends on nothing."""
    return {name: value for name, value in step.items() if name != "depends_on"}


@pytest.mark.parametrize(
    ("given", "word"), [({"go": "yes"}, "true or false"), ({"go": None}, "true or false"), ({}, "there is no member")]
)
def test_a_condition_that_errors_or_is_no_boolean_fails_its_step_and_no_other(
    alice: Tenant, world: World, given: dict[str, Any], word: str
) -> None:
    execution = run(alice, world, noop("a", when="input.go", on_failure="continue"), noop("b"), noop("c", "a"), **given)
    assert statuses(execution) == {"a": "failed", "b": "succeeded", "c": "succeeded"}
    assert ended(execution) == SUCCEEDED
    error = result(execution, "a")
    assert error["kind"] == "expression_error"
    assert "`input.go`" in error["message"]
    assert word in error["message"]


def test_a_condition_that_errors_is_not_tried_again(alice: Tenant, world: World) -> None:
    execution = run(alice, world, noop("a", when="input.go", retry={"max_attempts": 5}))
    assert statuses(execution) == {"a": "failed"}
    assert ended(execution)[0] == "workflow_failed"


def test_a_step_whose_condition_is_false_begins_no_attempt_and_says_so(alice: Tenant, world: World) -> None:
    execution = run(alice, world, noop("a", when="false"), noop("b"))
    assert begun(execution) == ["b"]
    assert told(execution, "step.skipped") == [("a", {"reason": "condition_false"})]


def test_without_continue_a_failure_ends_the_execution_and_what_has_not_begun_stays(
    alice: Tenant, world: World
) -> None:
    execution = run(alice, world, failing("a"), wait("b", signal="b"), noop("c", "b"))
    assert ended(execution) == ("workflow_failed", "step a failed: this tool fails on purpose")
    assert statuses(execution) == {"a": "failed", "b": "cancelled", "c": "skipped"}


def test_a_join_of_any_begins_with_the_first_that_succeeds_not_the_first_that_ends(alice: Tenant, world: World) -> None:
    execution = run(
        alice, world,
        failing("a", on_failure="mend"), without_place(noop("mend")),
        wait("b", signal="b"), noop("c", "a", "b", join="any"),
    )  # fmt: skip
    assert statuses(execution)["c"] == "pending"
    signal(world, execution, "b")
    assert statuses(execution)["c"] == "succeeded"
    assert ended(execution) == SUCCEEDED


def test_a_parent_that_fails_with_continue_counts_among_those_that_are_enough(alice: Tenant, world: World) -> None:
    execution = run(
        alice, world, failing("a", on_failure="continue"), wait("b", signal="b"), noop("c", "a", "b", join="any")
    )
    assert statuses(execution) == {"a": "failed", "b": "waiting", "c": "succeeded"}


def test_a_join_is_skipped_once_too_few_parents_can_come(alice: Tenant, world: World) -> None:
    execution = run(
        alice, world,
        noop("a", when="false"), noop("b", when="false"), wait("c", signal="c"),
        noop("two", "a", "b", "c", join=2), noop("after", "two"), noop("one", "a", "b", "c", join=1),
    )  # fmt: skip
    assert statuses(execution) == {
        "a": "skipped", "b": "skipped", "c": "waiting", "two": "skipped", "after": "skipped", "one": "pending",
    }  # fmt: skip
    signal(world, execution, "c")
    assert statuses(execution)["one"] == "succeeded"
    assert ended(execution) == SUCCEEDED


def test_the_rest_that_is_left_goes_on_and_its_failure_still_counts(alice: Tenant, world: World) -> None:
    join = {"n": 1, "rest": "leave"}
    execution = run(alice, world, noop("a"), wait("b", signal="b"), noop("c", "a", "b", join=join), failing("d", "b"))
    assert statuses(execution) == {"a": "succeeded", "b": "waiting", "c": "succeeded", "d": "pending"}
    signal(world, execution, "b")
    assert ended(execution)[0] == "workflow_failed"


def test_the_rest_that_is_cancelled_takes_what_hangs_on_it_along(alice: Tenant, world: World) -> None:
    join = {"n": 1, "rest": "cancel"}
    execution = run(
        alice, world,
        noop("a"), wait("b", signal="b"), failing("c", retry={"max_attempts": 2}),
        noop("d", "b"), noop("never", "d", "c"),
        noop("join", "a", "b", "c", "d", join=join),
    )  # fmt: skip
    assert ended(execution) == SUCCEEDED
    assert statuses(execution) == {
        "a": "succeeded", "b": "cancelled", "c": "cancelled", "d": "skipped", "never": "skipped", "join": "succeeded",
    }  # fmt: skip
    reasons = {data["reason"] for _, data in told(execution, "step.cancelled")}
    assert reasons == {"enough other steps ended"}
    assert not execution.due_steps.exists()


def test_a_running_parent_that_a_join_cancels_may_end_and_changes_nothing(alice: Tenant, world: World) -> None:
    execution = submitted(
        alice,
        published(
            alice, [noop("slow"), wait("b", signal="b"), noop("c", "slow", "b", join={"n": 1, "rest": "cancel"})]
        ),
    )

    def carry_out(claim: Any) -> Any:
        world.drain()
        signal(world, execution, "b")
        assert statuses(execution) == {"slow": "cancelled", "b": "succeeded", "c": "succeeded"}
        return world.engine.carry_out(claim)

    with World(carry_out=carry_out) as first:
        first.drain()
    assert ended(execution) == SUCCEEDED
    assert statuses(execution)["slow"] == "cancelled"
    assert [step for step, _ in told(execution, "step.late_outcome")] == ["slow"]


def test_a_handler_handles_several_steps_and_runs_once_all_have_ended(alice: Tenant, world: World) -> None:
    execution = run(
        alice, world,
        failing("a", on_failure="mend"), wait("b", signal="b"), noop("c", "b", on_failure="mend"),
        {"name": "mend", "type": "transform", "config": {"output": "${{ steps.a.status }}"}}, noop("after", "mend"),
    )  # fmt: skip
    assert statuses(execution)["mend"] == "pending"
    signal(world, execution, "b")
    assert ended(execution) == SUCCEEDED
    assert result(execution, "mend") == "failed"
    assert begun(execution)[-2:] == ["mend", "after"]


def test_a_handler_that_fails_fails_the_execution(alice: Tenant, world: World) -> None:
    execution = run(alice, world, failing("a", on_failure="mend"), without_place(failing("mend")))
    assert ended(execution) == ("workflow_failed", "step mend failed: this tool fails on purpose")


def test_an_input_that_cannot_be_made_fails_the_step_and_names_the_expression(alice: Tenant, world: World) -> None:
    execution = run(alice, world, transform("a", "${{ input.missing + 1 }}", on_failure="continue"), noop("b"))
    assert statuses(execution) == {"a": "failed", "b": "succeeded"}
    assert "input.missing + 1" in result(execution, "a")["message"]


def test_an_output_that_cannot_be_made_fails_the_execution(alice: Tenant, world: World) -> None:
    workflow = published(alice, [noop("a", when="false"), noop("b")], output={"name": "${{ steps.a.output.name }}"})
    execution = submitted(alice, workflow)
    world.drain()
    status, reason = ended(execution)
    assert status == "workflow_failed"
    assert reason is not None
    assert reason.startswith("the output could not be made")
    assert statuses(execution) == {"a": "skipped", "b": "succeeded"}
    assert output(execution) is None


def test_the_output_is_mapped_as_the_definition_says(alice: Tenant, world: World) -> None:
    execution = submitted(
        alice,
        published(alice, [noop("a")], output={"of": "${{ steps.a.output.name }}", "for": "${{ input.who }}"}),
        {"who": "ann"},
    )
    world.drain()
    assert output(execution) == {"of": "a", "for": "ann"}
