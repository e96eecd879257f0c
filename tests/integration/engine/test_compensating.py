"""Compensations on the real database: in reverse order of completion, once each, recorded, whatever some come to."""

from __future__ import annotations

from typing import Any

import pytest

from executions import commands
from executions.models import Execution
from executions.retry import Failure
from orchestrator.outcomes import Failed
from tenants.models import Tenant
from tests.integration.engine.world import (
    World,
    attempts,
    begun,
    ended,
    failing,
    lost,
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


class Died(BaseException):
    """The process ends on this line."""


def undone(step: dict[str, Any], **members: Any) -> dict[str, Any]:
    """The step, compensated by a tool that is told what it came to."""
    name = step["name"]
    undoing = {"action": "noop", "parameters": {"undo": name, "came_to": f"${{{{ steps.{name}.output }}}}"}, **members}
    return {**step, "compensate": undoing}


@pytest.fixture(scope="module", autouse=True)
def _once_tool() -> Any:
    @registry.tool("undone_once", effect=Effect.AT_MOST_ONCE)
    def undone_once(arguments: dict[str, Any], context: ToolContext) -> Any:
        return arguments

    yield
    del registry._tools["undone_once"]


def run(alice: Tenant, world: World, *steps: dict[str, Any], **given: Any) -> Execution:
    execution = submitted(alice, published(alice, list(steps)), given)
    world.drain()
    return execution


def undoings(execution: Execution) -> list[str]:
    return [name for name in begun(execution) if name.startswith("compensate[")]


def test_what_succeeded_is_undone_in_reverse_order_of_completion_on_failure(alice: Tenant, world: World) -> None:
    """The order of the definition is another one: c ends first, for the others wait."""
    execution = run(
        alice, world,
        undone(noop("a", "gate")), undone(noop("b", "a")), undone(noop("c")),
        wait("gate", signal="go"), failing("bad", "b"),
    )  # fmt: skip
    commands.signal(execution.id, "go", None, "key:k")
    world.drain()
    assert ended(execution) == ("workflow_failed", "step bad failed: this tool fails on purpose")
    assert undoings(execution) == ["compensate[b]", "compensate[a]", "compensate[c]"]
    assert all(attempts(execution, name) == ["succeeded"] for name in undoings(execution))


def test_what_succeeded_is_undone_when_it_is_cancelled(alice: Tenant, world: World) -> None:
    execution = run(alice, world, undone(noop("a")), undone(noop("b", "a")), wait("open", "b", signal="go"))
    commands.cancel(execution.id, None, "key:k")
    world.drain()
    assert ended(execution) == ("workflow_cancelled", "cancelled by key:k")
    assert undoings(execution) == ["compensate[b]", "compensate[a]"]


def test_it_reads_what_its_step_came_to(alice: Tenant, world: World) -> None:
    execution = run(alice, world, undone(noop("a")), failing("bad", "a"))
    assert result(execution, "compensate[a]") == {"undo": "a", "came_to": {"name": "a"}}


def test_nothing_is_undone_when_it_succeeds(alice: Tenant, world: World) -> None:
    execution = run(alice, world, undone(noop("a")), failing("bad", "a", on_failure="continue"))
    assert ended(execution)[0] == "workflow_succeeded"
    assert undoings(execution) == []


def test_what_did_not_succeed_is_not_undone(alice: Tenant, world: World) -> None:
    execution = run(
        alice, world,
        undone(noop("done")), undone(noop("skipped", when="false")),
        undone(failing("failed", "done")), undone(noop("never", "failed")),
    )  # fmt: skip
    assert ended(execution)[0] == "workflow_failed"
    assert undoings(execution) == ["compensate[done]"]


def test_one_that_fails_does_not_keep_the_others_from_being_undone(alice: Tenant, world: World) -> None:
    bad = {**noop("b", "a"), "compensate": {"action": "fail"}}
    execution = run(alice, world, undone(noop("a")), bad, undone(noop("c", "b")), failing("bad", "c"))
    assert undoings(execution) == ["compensate[c]", "compensate[b]", "compensate[a]"]
    found = statuses(execution)
    assert [found[f"compensate[{name}]"] for name in "cba"] == ["succeeded", "failed", "succeeded"]
    assert ended(execution) == ("workflow_failed", "step bad failed: this tool fails on purpose")


def test_one_whose_input_cannot_be_made_fails_and_the_others_go_on(alice: Tenant, world: World) -> None:
    bad = {**noop("b", "a"), "compensate": {"action": "noop", "parameters": {"x": "${{ steps.b.output.nothing }}"}}}
    execution = run(alice, world, undone(noop("a")), bad, failing("bad", "b"))
    assert statuses(execution)["compensate[b]"] == "failed"
    assert statuses(execution)["compensate[a]"] == "succeeded"


def test_one_is_retried_by_its_own_policy_and_the_others_wait_for_it(alice: Tenant, world: World) -> None:
    retry = {"max_attempts": 3, "initial_seconds": 10, "jitter": False, "backoff": "fixed"}
    flaky = {**noop("b", "a"), "compensate": {"action": "fail", "parameters": {"times": 2}, "retry": retry}}
    execution = run(alice, world, undone(noop("a")), flaky, failing("bad", "b"))
    assert statuses(execution)["compensate[b]"] == "retrying"
    assert ended(execution)[0] == "workflow_running"
    world.drain_after(10.1)
    assert undoings(execution) == ["compensate[b]"] * 2
    world.drain_after(10.1)
    assert attempts(execution, "compensate[b]") == ["failed", "failed", "succeeded"]
    assert undoings(execution)[-1] == "compensate[a]"
    assert ended(execution)[0] == "workflow_failed"


def test_a_compensation_whose_worker_dies_is_carried_out_by_another(alice: Tenant, world: World) -> None:
    def carry_out(claim: Any) -> Any:
        if claim.step.name == "compensate[a]" and claim.number == 1:
            raise Died
        return world.engine.carry_out(claim)

    execution = submitted(alice, published(alice, [undone(noop("a")), failing("bad", "a")]))
    with World(carry_out=carry_out) as first, pytest.raises(Died):
        first.drain()
    lost(execution)
    world.drain()
    assert attempts(execution, "compensate[a]") == ["lost", "succeeded"]
    assert ended(execution)[0] == "workflow_failed"


def test_what_runs_ends_before_anything_is_undone_and_is_then_undone_as_well(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, [undone(noop("slow")), undone(noop("a")), failing("bad", "a")]))

    def carry_out(claim: Any) -> Any:
        if claim.step.name == "slow":
            world.drain()
            assert statuses(execution)["bad"] == "failed"
            assert undoings(execution) == []
        return world.engine.carry_out(claim)

    with World(carry_out=carry_out) as first:
        first.drain()
    assert undoings(execution) == ["compensate[slow]", "compensate[a]"]
    assert ended(execution)[0] == "workflow_failed"


def test_a_second_cancel_while_it_is_undone_changes_nothing(alice: Tenant, world: World) -> None:
    retry = {"max_attempts": 2, "initial_seconds": 60, "jitter": False}
    flaky = {**noop("a"), "compensate": {"action": "fail", "parameters": {"times": 1}, "retry": retry}}
    execution = run(alice, world, flaky, failing("bad", "a"))
    commands.cancel(execution.id, "me too", "key:k")
    world.drain()
    assert statuses(execution)["compensate[a]"] == "retrying"
    world.drain_after(61)
    assert attempts(execution, "compensate[a]") == ["failed", "succeeded"]
    assert ended(execution) == ("workflow_failed", "step bad failed: this tool fails on purpose")


def test_a_deadline_has_it_undone_as_well(alice: Tenant, world: World) -> None:
    workflow = published(alice, [undone(noop("a")), wait("open", "a", signal="go")], timeout_seconds=60)
    execution = submitted(alice, workflow)
    world.drain()
    world.drain_after(61)
    assert ended(execution) == ("workflow_failed", "deadline_exceeded")
    assert undoings(execution) == ["compensate[a]"]


def test_what_succeeded_is_undone_where_the_output_cannot_be_made(alice: Tenant, world: World) -> None:
    workflow = published(alice, [undone(noop("a"))], output={"x": "${{ steps.a.output.nothing }}"})
    execution = submitted(alice, workflow)
    world.drain()
    assert ended(execution)[0] == "workflow_failed"
    assert undoings(execution) == ["compensate[a]"]


def test_a_cancelled_parent_is_undone_after_its_child_was_told(alice: Tenant, world: World) -> None:
    sub = published(alice, [undone(noop("inner")), wait("go", "inner", signal="go")])
    step = {"name": "sub", "type": "workflow", "config": {"workflow_id": sub}, "depends_on": ["a"]}
    execution = run(alice, world, undone(noop("a")), step)
    commands.cancel(execution.id, "enough", "key:k")
    world.drain()
    child = Execution.objects.exclude(id=execution.id).get()
    assert undoings(execution) == ["compensate[a]"]
    assert undoings(child) == ["compensate[inner]"]
    assert (ended(execution)[0], ended(child)[0]) == ("workflow_cancelled", "workflow_cancelled")


def test_each_undoing_is_told_in_events(alice: Tenant, world: World) -> None:
    execution = run(alice, world, undone(noop("a")), failing("bad", "a"))
    assert [step for step, _ in told(execution, "step.started")] == ["a", "bad", "compensate[a]"]
    assert [step for step, _ in told(execution, "step.succeeded")] == ["a", "compensate[a]"]
    kinds = list(execution.events.order_by("sequence").values_list("type", flat=True))
    assert kinds[-1] == "execution.failed"


def test_while_a_compensation_runs_nobody_else_has_anything_to_do(alice: Tenant, world: World) -> None:
    """The grace is over that the cancel gave to what ran; a compensation takes as long as it takes."""
    execution = submitted(alice, published(alice, [undone(noop("a")), noop("slow", "a")]))
    due: list[Any] = []

    def carry_out(claim: Any) -> Any:
        if claim.step.name == "slow":
            commands.cancel(execution.id, "enough", "key:k")
            world.drain()
            world.drain_after(10.1)
        return world.engine.carry_out(claim)

    def compensating(claim: Any) -> Any:
        if claim.step.name == "compensate[a]":
            execution.refresh_from_db()
            due.append(execution.due_at)
        return plain(claim)

    plain, world.engine.carry_out = world.engine.carry_out, compensating
    with World(carry_out=carry_out) as first:
        first.drain()
    assert undoings(execution) == ["compensate[a]"]
    assert due == [None]
    assert ended(execution) == ("workflow_cancelled", "enough")


def test_a_compensation_of_which_nobody_knows_waits_for_an_operator(alice: Tenant) -> None:
    step = {**noop("b", "a"), "compensate": {"action": "undone_once"}}
    execution = submitted(alice, published(alice, [undone(noop("a")), step, failing("bad", "b")]))

    def carry_out(claim: Any) -> Any:
        if claim.step.name == "compensate[b]":
            return Failed(Failure("timeout", "slow", ambiguous=True))
        return plain(claim)

    with World() as world:
        plain, world.engine.carry_out = world.engine.carry_out, carry_out
        world.drain()
        assert statuses(execution)["compensate[b]"] == "outcome_unknown"
        assert ended(execution)[0] == "workflow_waiting"
        commands.resolve(execution.id, "compensate[b]", "succeeded", {}, reason="it was", actor="key:k")
        world.drain()
    assert undoings(execution) == ["compensate[b]", "compensate[a]"]
    assert ended(execution)[0] == "workflow_failed"
