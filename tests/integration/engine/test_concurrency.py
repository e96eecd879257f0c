"""Who runs at once and who comes first: concurrency keys and priorities."""

from __future__ import annotations

from typing import Any

import pytest

from contract.problems import Refusal
from executions import commands
from executions.models import Execution
from tenants import registry
from tenants.models import Tenant
from tests.integration.engine.world import World, child, ended, failing, noop, published, submitted, wait

LIVE = ("workflow_running", "workflow_waiting")
GO = [wait("go", signal="go")]


def keyed(alice: Tenant, limit: int = 1, steps: Any = None, **members: Any) -> str:
    concurrency = {"key": "input.key", "limit": limit, **members.pop("concurrency", {})}
    return published(alice, steps or GO, concurrency=concurrency, **members)


def live() -> list[Execution]:
    return list(Execution.objects.filter(status__in=LIVE).order_by("created_at"))


def go(world: World, execution: Execution) -> None:
    commands.signal(execution.id, "go", None, "key:k")
    world.drain()


def test_as_many_run_as_the_limit_says_and_the_rest_queue(alice: Tenant, world: World) -> None:
    workflow = keyed(alice, limit=2)
    found = [submitted(alice, workflow, {"key": "k"}) for _ in range(5)]
    world.drain()
    assert live() == found[:2]
    queued = Execution.objects.filter(status="workflow_queued")
    assert queued.count() == 3
    assert {row.status_reason for row in queued} == {
        "it waits for its turn: as many executions with its concurrency key as may run do"
    }
    assert not queued.exclude(due_at=None).exists()


def test_a_slot_is_freed_at_the_end_and_the_oldest_that_queues_takes_it(alice: Tenant, world: World) -> None:
    workflow = keyed(alice)
    found = [submitted(alice, workflow, {"key": "k"}) for _ in range(4)]
    world.drain()
    for execution in found:
        assert live() == [execution]
        assert execution.status_reason is None
        go(world, execution)
        assert ended(execution) == ("workflow_succeeded", None)
    assert live() == []


def test_other_keys_and_executions_without_one_do_not_wait(alice: Tenant, world: World) -> None:
    workflow = keyed(alice)
    submitted(alice, workflow, {"key": "a"})
    submitted(alice, workflow, {"key": "b"})
    submitted(alice, published(alice, GO))
    world.drain()
    assert len(live()) == 3


def test_the_priority_counts_before_the_age(alice: Tenant, world: World) -> None:
    scope = {"scope": "tenant"}
    low, high = keyed(alice, concurrency=scope, priority=1), keyed(alice, concurrency=scope, priority=7)
    first = submitted(alice, low, {"key": "k"})
    world.drain()
    others = [
        submitted(alice, low, {"key": "k"}),
        submitted(alice, high, {"key": "k"}),
        submitted(alice, high, {"key": "k"}),
    ]
    order = [first, others[1], others[2], others[0]]
    for execution in order:
        world.drain()
        assert live() == [execution]
        go(world, execution)


def test_a_key_counts_within_its_workflow_or_within_the_tenant(alice: Tenant, world: World) -> None:
    for workflow in (keyed(alice), keyed(alice)):
        submitted(alice, workflow, {"key": "k"})
    for workflow in (keyed(alice, concurrency={"scope": "tenant"}), keyed(alice, concurrency={"scope": "tenant"})):
        submitted(alice, workflow, {"key": "k"})
    bob = registry.create_tenant("bob", "Bob")
    submitted(bob, keyed(bob, concurrency={"scope": "tenant"}), {"key": "k"})
    world.drain()
    assert len(live()) == 4
    assert Execution.objects.filter(status="workflow_queued").count() == 1


@pytest.mark.parametrize("how", ["cancel", "failure", "deadline"])
def test_however_it_ends_its_slot_is_freed(alice: Tenant, world: World, how: str) -> None:
    workflow = keyed(alice, steps=[*GO, failing("bad", "go")], timeout_seconds=60)
    first, second = (submitted(alice, workflow, {"key": "k"}) for _ in range(2))
    world.drain()
    match how:
        case "cancel":
            commands.cancel(first.id, None, "key:k")
            world.drain()
        case "failure":
            go(world, first)
        case _:
            world.drain_after(61)
    assert ended(first)[0] in {"workflow_cancelled", "workflow_failed"}
    assert live() == [second]


def test_one_that_queues_is_cancelled_at_once_and_passed_over(alice: Tenant, world: World) -> None:
    workflow = keyed(alice)
    first, second, third = (submitted(alice, workflow, {"key": "k"}) for _ in range(3))
    world.drain()
    commands.cancel(second.id, "not any more", "key:k")
    world.drain()
    assert ended(second) == ("workflow_cancelled", "not any more")
    assert live() == [first]
    go(world, first)
    assert live() == [third]


def test_one_that_is_paused_in_the_queue_lets_the_next_pass(alice: Tenant, world: World) -> None:
    workflow = keyed(alice)
    first, second, third = (submitted(alice, workflow, {"key": "k"}) for _ in range(3))
    world.drain()
    commands.pause(second.id, "key:k")
    go(world, first)
    assert live() == [third]
    commands.resume(second.id, "key:k")
    world.drain()
    assert live() == [third]
    go(world, third)
    assert live() == [second]


def test_one_that_waits_holds_its_slot_also_while_it_is_paused(alice: Tenant, world: World) -> None:
    workflow = keyed(alice)
    first, _ = (submitted(alice, workflow, {"key": "k"}) for _ in range(2))
    world.drain()
    commands.pause(first.id, "key:k")
    world.drain()
    assert live() == [first]


def test_a_child_runs_within_the_place_that_whoever_started_it_has_under_its_key(alice: Tenant, world: World) -> None:
    given, scope = {"key": "k"}, {"scope": "tenant"}
    inner = keyed(alice, concurrency=scope)
    between = published(alice, [child("inner", inner, given=given)])
    outer = keyed(alice, concurrency=scope, steps=[child("own", inner, given=given), child("between", between)])
    first, second = (submitted(alice, outer, given) for _ in range(2))
    world.drain()
    within = list(Execution.objects.filter(workflow_id=inner))
    assert [row.status for row in within] == ["workflow_waiting", "workflow_waiting"]
    assert {row.concurrency_key for row in within} == {None}
    assert ended(second)[0] == "workflow_queued"

    for execution in within:
        go(world, execution)
    assert ended(first) == ("workflow_succeeded", None)
    assert ended(second)[0] == "workflow_waiting"


def test_a_child_under_a_key_for_which_nobody_above_has_a_place_waits_for_one(alice: Tenant, world: World) -> None:
    inner = keyed(alice)
    steps = [child("a", inner, given={"key": "k"}), child("b", inner, given={"key": "k"})]
    execution = submitted(alice, keyed(alice, steps=steps), {"key": "k"})
    world.drain()
    first, second = Execution.objects.filter(workflow_id=inner).order_by("created_at")
    assert [first.status, second.status] == ["workflow_waiting", "workflow_queued"]
    for one in (first, second):
        go(world, one)
    assert ended(execution) == ("workflow_succeeded", None)


def test_with_two_workers_no_more_run_than_the_limit_says(alice: Tenant, world: World) -> None:
    workflow = keyed(alice, limit=2, steps=[noop("a"), noop("b", "a")])
    for _ in range(6):
        submitted(alice, workflow, {"key": "k"})
    most: list[int] = []
    depth = 0

    def carry_out(claim: Any) -> Any:
        nonlocal depth
        if depth < 3:
            depth += 1
            with World(carry_out=carry_out) as other:
                other.drain()
            depth -= 1
        most.append(len(live()))
        return world.engine.carry_out(claim)

    with World(carry_out=carry_out) as first:
        first.drain()
    assert max(most) == 2
    assert Execution.objects.filter(status="workflow_succeeded").count() == 6


def test_executions_of_a_higher_priority_are_taken_first_and_of_the_same_the_older(alice: Tenant) -> None:
    order: list[Any] = []
    workflows = [published(alice, [noop("a")], priority=priority) for priority in (0, 9, 4)]
    found = [submitted(alice, workflow) for _ in range(2) for workflow in workflows]

    with World() as plain:

        def carry_out(claim: Any) -> Any:
            order.append(claim.execution_id)
            return plain.engine.carry_out(claim)

        with World(carry_out=carry_out) as world:
            world.drain()
    assert order == [found[place].id for place in (1, 4, 2, 5, 0, 3)]


def test_a_key_that_has_no_value_is_refused_when_it_is_created(alice: Tenant) -> None:
    with pytest.raises(Refusal):
        submitted(alice, keyed(alice), {})
    assert not Execution.objects.exists()
