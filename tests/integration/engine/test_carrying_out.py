"""Executions carried out by one engine on the real database, from their creation to their end."""

from __future__ import annotations

import json

from executions.models import Attempt, DueStep, Event, Execution
from tenants.models import Tenant
from tests.integration.engine.world import World, noop, published, statuses, submitted, transform


def test_a_chain_of_effectful_steps_is_carried_out_in_order(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, [noop("a"), noop("b", "a"), noop("c", "b")]))

    assert world.drain() == 3

    execution.refresh_from_db()
    assert execution.status == "workflow_succeeded"
    assert json.loads(execution.output or "") == {"c": {"name": "c"}}
    assert statuses(execution) == {"a": "succeeded", "b": "succeeded", "c": "succeeded"}
    assert [row.step_index for row in Attempt.objects.order_by("id")] == [0, 1, 2]
    assert not DueStep.objects.exists()


def test_values_flow_from_the_input_through_steps_to_the_output(alice: Tenant, world: World) -> None:
    steps = [
        transform("double", "${{ input.amount * 2 }}"),
        {"name": "ask", "type": "tool_call", "depends_on": ["double"],
         "config": {"tool": "noop", "arguments": {"got": "${{ steps.double.output }}"}}},
        transform("sum", "${{ steps.ask.output.got + steps.double.output }}", "ask"),
    ]  # fmt: skip
    execution = submitted(alice, published(alice, steps), {"amount": 21})

    world.drain()

    execution.refresh_from_db()
    assert json.loads(execution.output or "") == {"sum": 84}
    assert json.loads(Attempt.objects.get(step_index=2).input or "") == {
        "steps.ask.output.got": 42,
        "steps.double.output": 42,
    }


def test_a_join_sees_the_outputs_of_all_its_parents(alice: Tenant, world: World) -> None:
    steps = [
        noop("a"),
        noop("b"),
        transform("join", "${{ steps.a.output.name + steps.b.output.name }}", "a", "b"),
    ]
    execution = submitted(alice, published(alice, steps))

    world.drain()

    execution.refresh_from_db()
    assert json.loads(execution.output or "") == {"join": "ab"}


def test_events_are_gapless_and_each_names_the_one_before(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, [noop("a"), transform("b", 1, "a")]))

    world.drain()

    events = list(Event.objects.filter(execution=execution).order_by("sequence"))
    assert [event.type for event in events] == [
        "execution.created",
        "execution.queued",
        "execution.started",
        "step.started",
        "step.succeeded",
        "step.started",
        "step.succeeded",
        "execution.succeeded",
    ]
    assert [event.sequence for event in events] == list(range(1, 9))
    previous = "00" * 32
    for event in events:
        assert json.loads(event.body)["previous"] == previous
        previous = bytes(event.hash).hex()
    execution.refresh_from_db()
    assert bytes(execution.chain_head).hex() == previous


def test_ten_executions_are_drained_by_one_message(alice: Tenant, world: World) -> None:
    workflow = published(alice, [noop("only")])
    for _ in range(10):
        submitted(alice, workflow)

    assert world.drain() == 10
    assert set(Execution.objects.values_list("status", flat=True)) == {"workflow_succeeded"}


def test_a_failing_step_fails_its_execution_with_a_readable_reason(alice: Tenant, world: World) -> None:
    steps = [{"name": "bad", "type": "tool_call", "config": {"tool": "fail", "arguments": {"message": "no way"}}}]
    execution = submitted(alice, published(alice, [*steps, noop("after", "bad")]))

    world.drain()

    execution.refresh_from_db()
    assert execution.status == "workflow_failed"
    assert execution.status_reason == "step bad failed: no way"
    assert statuses(execution) == {"bad": "failed", "after": "skipped"}
    error = json.loads(Attempt.objects.get().error or "")
    assert (error["kind"], error["message"]) == ("failed_on_purpose", "no way")


def test_a_failing_step_with_continue_lets_the_others_go_on(alice: Tenant, world: World) -> None:
    bad = {"name": "bad", "type": "tool_call", "config": {"tool": "fail"}, "on_failure": "continue"}
    execution = submitted(alice, published(alice, [bad, transform("after", "${{ steps.bad.status }}", "bad")]))

    world.drain()

    execution.refresh_from_db()
    assert json.loads(execution.output or "") == {"after": "failed"}


def test_a_handler_runs_when_its_step_fails_and_only_then(alice: Tenant, world: World) -> None:
    bad = {"name": "bad", "type": "tool_call", "config": {"tool": "fail"}, "on_failure": "mend"}
    good = noop("good", on_failure="unused")
    mend, unused = noop("mend"), noop("unused")
    mend.pop("depends_on")
    unused.pop("depends_on")
    execution = submitted(alice, published(alice, [bad, mend, noop("next", "bad"), good, unused]))

    world.drain()

    execution.refresh_from_db()
    assert execution.status == "workflow_succeeded"
    assert statuses(execution) == {
        "bad": "failed",
        "mend": "succeeded",
        "next": "skipped",
        "good": "succeeded",
        "unused": "skipped",
    }


def test_a_condition_that_is_false_skips_the_step_and_what_hangs_on_it(alice: Tenant, world: World) -> None:
    steps = [noop("a", when="input.go"), noop("b", "a"), noop("c")]
    execution = submitted(alice, published(alice, steps), {"go": False})

    world.drain()

    assert statuses(execution) == {"a": "skipped", "b": "skipped", "c": "succeeded"}


def test_an_execution_without_effects_needs_no_worker_but_the_one_that_takes_it(alice: Tenant, world: World) -> None:
    execution = submitted(
        alice, published(alice, [transform("a", 1), transform("b", "${{ steps.a.output + 1 }}", "a")])
    )

    assert world.drain() == 0

    execution.refresh_from_db()
    assert (execution.status, json.loads(execution.output or "")) == ("workflow_succeeded", {"b": 2})
