"""The workflow patterns of docs/control-flow.md that order, split, choose and join; each runs its excerpt."""

from __future__ import annotations

from typing import Any

import pytest

from contract.problems import Refusal
from executions import commands
from executions.models import Execution
from tenants.models import Tenant
from tests.integration.engine.excerpts import excerpt
from tests.integration.engine.world import World, begun, ended, output, published, statuses, submitted

SUCCEEDED = ("workflow_succeeded", None)


def run(alice: Tenant, name: str, **given: Any) -> Execution:
    return submitted(alice, published(alice, excerpt(name)), given)


def signal(execution: Execution, *names: str) -> None:
    for name in names:
        commands.signal(execution.id, name, None, "key:tests")


def test_sequence(alice: Tenant, world: World) -> None:
    execution = run(alice, "sequence")
    world.drain()
    assert ended(execution) == SUCCEEDED
    assert begun(execution) == ["check", "book", "tell"]


def test_parallel_split(alice: Tenant, world: World) -> None:
    execution = run(alice, "parallel-split")
    seen: list[dict[str, str]] = []

    def carry_out(claim: Any) -> Any:
        """Two workers: while the first has its step in hand, the second takes up the other."""
        seen.append(statuses(execution))
        if claim.step.name in {"pack", "bill"} and world.drain():
            seen.append(statuses(execution))
        return world.engine.carry_out(claim)

    with World(carry_out=carry_out) as first:
        first.drain()

    assert [sorted(each.values()) for each in seen] == [
        ["pending", "pending", "running"],
        ["pending", "running", "succeeded"],
        ["running", "succeeded", "succeeded"],
    ]
    assert ended(execution) == SUCCEEDED


def test_synchronization(alice: Tenant, world: World) -> None:
    execution = run(alice, "synchronization")
    world.drain()
    assert begun(execution) == ["pack", "bill", "ship"]
    assert output(execution) == {"ship": 80}


@pytest.mark.parametrize(("amount", "chosen"), [(5000, "board"), (500, "manager"), (50, "clerk")])
def test_exclusive_choice_and_simple_merge(alice: Tenant, world: World, amount: int, chosen: str) -> None:
    execution = run(alice, "exclusive-choice", amount=amount)
    world.drain()
    assert begun(execution) == ["size", chosen, "file"]
    others = {"board", "manager", "clerk"} - {chosen}
    assert {name for name, status in statuses(execution).items() if status == "skipped"} == others
    assert ended(execution) == SUCCEEDED


@pytest.mark.parametrize(
    ("injured", "damaged", "ran"),
    [
        (True, True, ["claim", "doctor", "garage", "settle"]),
        (True, False, ["claim", "doctor", "settle"]),
        (False, True, ["claim", "garage", "settle"]),
        (False, False, ["claim"]),
    ],
)
def test_multi_choice_and_synchronizing_merge(
    alice: Tenant, world: World, injured: bool, damaged: bool, ran: list[str]
) -> None:
    execution = run(alice, "multi-choice", injured=injured, damaged=damaged)
    world.drain()
    assert begun(execution) == ran
    assert ended(execution) == SUCCEEDED
    if "settle" in ran:
        words = {True: "succeeded", False: "skipped"}
        assert output(execution) == {"settle": {"doctor": words[injured], "garage": words[damaged]}}


def test_multi_merge_is_a_child_for_each_branch(alice: Tenant, world: World) -> None:
    echo = [{"name": "echo", "type": "transform", "config": {"output": "${{ input.of }}"}}]
    published(alice, echo, name="after")
    execution = run(alice, "multi-merge")
    world.drain()
    assert output(execution) == {"after-audit": {"echo": "audit"}, "after-review": {"echo": "review"}}
    assert execution.children.count() == 2


def test_discriminator(alice: Tenant, world: World) -> None:
    execution = run(alice, "discriminator")
    world.drain()
    signal(execution, "b")
    world.drain()
    assert statuses(execution) == {"mirror-a": "waiting", "mirror-b": "succeeded", "first": "succeeded"}
    assert ended(execution)[0] == "workflow_waiting"
    signal(execution, "a")
    world.drain()
    assert ended(execution) == SUCCEEDED
    assert begun(execution).count("first") == 1


def test_n_out_of_m(alice: Tenant, world: World) -> None:
    execution = run(alice, "n-out-of-m")
    world.drain()
    signal(execution, "c")
    world.drain()
    assert statuses(execution)["award"] == "pending"
    signal(execution, "a")
    world.drain()
    assert ended(execution) == SUCCEEDED
    assert statuses(execution) == {
        "bid-a": "succeeded",
        "bid-b": "cancelled",
        "bid-c": "succeeded",
        "award": "succeeded",
    }


def test_arbitrary_cycles_are_refused_and_written_as_a_loop(alice: Tenant, world: World) -> None:
    circle = [
        {"name": "draft", "action": "noop", "depends_on": ["review"]},
        {"name": "review", "action": "noop", "depends_on": ["draft"]},
    ]
    with pytest.raises(Refusal) as refused:
        published(alice, circle)
    assert [problem.code for problem in refused.value.fields] == ["cycle"]
    assert "draft -> review -> draft" in refused.value.fields[0].message

    execution = run(alice, "loop", good_enough=3)
    world.drain()
    assert output(execution) == {"revise": {"draft": 3, "review": {"approved": True}}}


def test_implicit_termination(alice: Tenant, world: World) -> None:
    execution = run(alice, "implicit-termination")
    world.drain()
    assert ended(execution)[0] == "workflow_waiting"
    signal(execution, "right")
    world.drain()
    assert ended(execution) == SUCCEEDED
    assert output(execution)["left"] == 1
    assert output(execution)["right"]["by"] == "signal"
