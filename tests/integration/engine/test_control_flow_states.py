"""The workflow patterns of docs/control-flow.md: instances, states and cancellation; each runs its excerpt."""

from __future__ import annotations

from typing import Any

import pytest

from executions import commands
from executions.models import Execution
from tenants.models import Tenant
from tests.integration.engine.excerpts import excerpt
from tests.integration.engine.world import World, begun, ended, noop, output, published, result, statuses, submitted

SUCCEEDED = ("workflow_succeeded", None)


def run(alice: Tenant, name: str, **given: Any) -> Execution:
    return submitted(alice, published(alice, excerpt(name)), given)


def signal(execution: Execution, name: str, payload: Any = None) -> None:
    commands.signal(execution.id, name, payload, "key:tests")


def test_instances_without_synchronization(alice: Tenant, world: World) -> None:
    execution = run(alice, "instances-without-synchronization", people=["ann", "bob"])
    world.drain()
    assert statuses(execution)["archive"] == "succeeded"
    assert ended(execution)[0] == "workflow_waiting"
    signal(execution, "read")
    signal(execution, "read")
    world.drain()
    assert ended(execution) == SUCCEEDED


def test_instances_known_at_design_time(alice: Tenant, world: World) -> None:
    execution = run(alice, "instances-at-design-time")
    world.drain()
    assert begun(execution) == ["ask", "ask[0]", "ask[1]", "ask[2]", "count"]
    assert output(execution) == {"count": 3}
    assert result(execution, "ask")["items"][1] == {"office": "south"}


def test_instances_known_at_run_time(alice: Tenant, world: World) -> None:
    lines = [{"count": 1, "price": 10}, {"count": 2, "price": 20}, {"count": 3, "price": 30}]
    execution = run(alice, "instances-at-run-time", lines=lines)
    world.drain()
    assert output(execution) == {"bill": [10, 41, 92]}


def test_instances_not_known_beforehand(alice: Tenant, world: World) -> None:
    execution = run(alice, "instances-not-known")
    world.drain()
    signal(execution, "report", {"who": "ann", "last": False})
    signal(execution, "report", {"who": "bob", "last": False})
    world.drain()
    assert statuses(execution)["conclude"] == "pending"
    signal(execution, "report", {"who": "cyd", "last": True})
    world.drain()
    assert ended(execution) == SUCCEEDED
    heard = [result(execution, f"witnesses[{number}].hear")["who"] for number in range(3)]
    assert heard == ["ann", "bob", "cyd"]


@pytest.mark.parametrize(
    ("comes", "cancelled", "skipped"), [("accept", "declined", "refund"), ("decline", "accepted", "ship")]
)
def test_deferred_choice(alice: Tenant, world: World, comes: str, cancelled: str, skipped: str) -> None:
    execution = run(alice, "deferred-choice")
    world.drain()
    signal(execution, comes)
    world.drain()
    assert ended(execution) == SUCCEEDED
    expected = dict.fromkeys(["accepted", "declined", "chosen", "ship", "refund"], "succeeded")
    assert statuses(execution) == expected | {cancelled: "cancelled", skipped: "skipped"}


def test_interleaved_parallel_routing(alice: Tenant, world: World) -> None:
    concurrency = {"key": "'patient:' + input.patient", "scope": "tenant"}
    for name in ("x-ray", "blood"):
        published(alice, [noop("take"), noop("read", "take")], name=name, concurrency=concurrency)
    execution = run(alice, "interleaved", patient="p1")
    most: list[int] = []

    def carry_out(claim: Any) -> Any:
        """A second worker takes whatever else it finds while this one is at work."""
        world.drain()
        live = Execution.objects.exclude(concurrency_key=None).filter(
            status__in=["workflow_running", "workflow_waiting"]
        )
        most.append(live.count())
        return world.engine.carry_out(claim)

    with World(carry_out=carry_out) as first:
        first.drain()

    assert ended(execution) == SUCCEEDED
    assert execution.children.count() == 2
    assert max(most) == 1


@pytest.mark.parametrize(
    ("signals", "changed"),
    [
        (["order", "change", "ship"], "succeeded"),
        (["change", "order", "ship"], "succeeded"),
        (["order", "ship", "change"], "skipped"),
    ],
)
def test_milestone(alice: Tenant, world: World, signals: list[str], changed: str) -> None:
    execution = run(alice, "milestone")
    for name in signals:
        world.drain()
        signal(execution, name)
    world.drain()
    assert statuses(execution)["change"] == changed
    assert ended(execution) == SUCCEEDED


@pytest.mark.parametrize(
    ("comes", "given_up", "report"), [("call-off", "search", "called off"), ("found", "call-off", "found")]
)
def test_cancel_activity(alice: Tenant, world: World, comes: str, given_up: str, report: str) -> None:
    execution = run(alice, "cancel-activity")
    world.drain()
    signal(execution, comes)
    world.drain()
    assert statuses(execution)[given_up] == "cancelled"
    assert output(execution) == {"report": report}


def test_cancel_case(alice: Tenant, world: World) -> None:
    execution = run(alice, "cancel-case")
    world.drain()
    commands.cancel(execution.id, "no more wanted", "key:tests")
    world.drain()
    assert ended(execution) == ("workflow_cancelled", "no more wanted")
    assert statuses(execution) == {
        "reserve": "succeeded",
        "confirm": "cancelled",
        "meanwhile": "cancelled",
        "compensate[reserve]": "succeeded",
    }
