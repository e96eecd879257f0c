"""Agents that may not carry a step out any more: what had not begun fails, what waits for them too."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from executions.commands import claiming
from executions.models import Execution
from tenants import registry
from tenants.models import Agent, Tenant
from tests.integration.engine.tasks import agent_step, claimed, default_of, one_claimed, swept, tasks_of
from tests.integration.engine.test_cost import metered
from tests.integration.engine.world import (
    World,
    attempts,
    child,
    ended,
    failing,
    noop,
    published,
    result,
    statuses,
    submitted,
    transform,
    wait,
)


@pytest.fixture(autouse=True)
def _server_is_old_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming, "AFTER_A_START", timedelta(0))


def run(alice: Tenant, world: World, *steps: dict[str, Any], **members: Any) -> Execution:
    execution = submitted(alice, published(alice, list(steps), **members))
    world.drain()
    return execution


def become(agent: Agent, status: Agent.Status) -> None:
    registry.set_agent_status(agent.tenant, agent.id, status)


def goes_on(alice: Tenant, world: World, agent: Agent | None = None) -> None:
    """What waits for `held` goes on; its agent is suspended by then."""
    become(agent or default_of(alice), Agent.Status.SUSPENDED)
    world.drain_after(61)


HELD = wait("held", seconds=60)
HOOK = {"type": "webhook", "config": {"url": "https://a.example/", "payload": {}}}
EACH = {"type": "map", "config": {"over": [1, 2], "step": {"action": "noop"}}}
AGAIN = {"type": "loop", "config": {"body": [noop("inside")], "until": "true", "max_iterations": 2}}


@pytest.mark.parametrize(
    "step",
    [
        noop("next"),
        transform("next", 1),
        wait("next", signal="go"),
        agent_step("next"),
        child("next", "nobody"),
        {"name": "next", **HOOK},
        {"name": "next", **EACH},
        {"name": "next", **AGAIN},
    ],
    ids=lambda step: step["type"],
)
def test_a_step_of_an_agent_that_was_suspended_meanwhile_does_not_begin(
    alice: Tenant, world: World, step: dict[str, Any]
) -> None:
    execution = run(alice, world, HELD, {**step, "depends_on": ["held"]})
    goes_on(alice, world)
    assert result(execution, "next") == {
        "kind": "agent_denied",
        "message": "the agent 'default' is suspended",
        "details": None,
    }
    assert attempts(execution, "next") == ["failed"]
    assert ended(execution) == ("workflow_failed", "step next failed: the agent 'default' is suspended")
    assert tasks_of(execution) == []


def test_an_agent_that_is_active_again_in_time_is_denied_nothing(alice: Tenant, world: World) -> None:
    execution = run(alice, world, HELD, noop("next", "held"))
    for status in (Agent.Status.SUSPENDED, Agent.Status.ACTIVE):
        become(default_of(alice), status)
    world.drain_after(61)
    assert ended(execution) == ("workflow_succeeded", None)


def test_what_an_agent_may_do_is_asked_again_before_each_step(alice: Tenant, world: World) -> None:
    execution = run(alice, world, HELD, noop("next", "held", on_failure="continue"), transform("after", 1, "next"))
    Agent.objects.filter(id=default_of(alice).id).update(actions=["*", "!tool_call:noop"])
    world.drain_after(61)
    assert statuses(execution) == {"held": "succeeded", "next": "failed", "after": "succeeded"}
    assert result(execution, "next")["message"] == "the agent 'default' may not carry this out"


def test_an_attempt_after_a_failure_is_one_more_beginning(alice: Tenant, world: World) -> None:
    retry = {"max_attempts": 5, "initial_seconds": 30, "jitter": False}
    execution = run(alice, world, failing("next", times=1, retry=retry))
    become(default_of(alice), Agent.Status.REVOKED)
    world.drain_after(31)
    assert attempts(execution, "next") == ["failed", "failed"]
    assert result(execution, "next")["kind"] == "agent_denied"


def test_the_parts_of_a_step_are_asked_for_as_well(alice: Tenant, world: World) -> None:
    each = {"over": [1, 2], "max_parallel": 1, "tolerate": 2, "step": {"type": "wait", "config": {"seconds": 60}}}
    execution = run(alice, world, {"name": "each", "type": "map", "config": each})
    goes_on(alice, world)
    assert statuses(execution) == {"each": "succeeded", "each[0]": "succeeded", "each[1]": "failed"}


def test_a_step_s_own_agent_counts_and_not_the_execution_s(alice: Tenant, world: World) -> None:
    scout = registry.create_agent(alice, "scout")
    named = {"agent_id": str(scout.id), "on_failure": "continue"}
    execution = run(alice, world, HELD, noop("own", "held", **named), noop("other", "held"))
    goes_on(alice, world, scout)
    assert statuses(execution) == {"held": "succeeded", "own": "failed", "other": "succeeded"}


def test_a_named_agent_of_another_tenant_is_none(alice: Tenant, world: World) -> None:
    foreign = registry.create_agent(registry.create_tenant("bob", "Bob"), "scout")
    for agent_id in (str(foreign.id), str(uuid4()), "nobody"):
        execution = run(alice, world, noop("next", agent_id=agent_id))
        assert result(execution, "next")["message"] == "the step names an agent that does not exist"


def test_what_undoes_a_step_is_denied_too(alice: Tenant, world: World) -> None:
    undo = {"action": "noop", "parameters": {}}
    steps = [noop("booked", compensate=undo), wait("held", "booked", seconds=60), noop("next", "held")]
    execution = run(alice, world, *steps)
    goes_on(alice, world)
    assert ended(execution)[0] == "workflow_failed"
    assert result(execution, "compensate[booked]")["kind"] == "agent_denied"


@pytest.mark.parametrize("status", [Agent.Status.SUSPENDED, Agent.Status.REVOKED])
@pytest.mark.parametrize("is_claimed", [True, False])
def test_a_task_of_an_agent_that_is_not_active_any_more_fails_its_step(
    alice: Tenant, world: World, status: Agent.Status, is_claimed: bool
) -> None:
    execution = run(alice, world, agent_step("a", retry={"max_attempts": 3}), agent_step("b", on_failure="continue"))
    if is_claimed:
        one_claimed(alice)
    become(default_of(alice), status)
    assert swept().denied == 2
    assert swept().denied == 0
    world.drain()
    assert statuses(execution) == {"a": "failed", "b": "failed"}
    assert result(execution, "a")["kind"] == "agent_denied"
    assert result(execution, "a")["message"] == f"the agent 'default' is {status.value}"
    assert tasks_of(execution) == ["withdrawn", "withdrawn"]
    assert claimed(alice) == []


def test_a_task_of_an_agent_that_may_carry_out_no_tasks_any_more_fails_its_step(alice: Tenant, world: World) -> None:
    execution = run(alice, world, agent_step("a"))
    Agent.objects.filter(id=default_of(alice).id).update(actions=["http:run"])
    assert swept().denied == 1
    world.drain()
    assert statuses(execution) == {"a": "failed"}


def test_tasks_of_other_agents_are_left_alone(alice: Tenant, world: World) -> None:
    agents = [registry.create_agent(alice, f"scout-{n}") for n in range(3)]
    execution = run(alice, world, *(agent_step(f"s{n}", agent_id=str(a.id)) for n, a in enumerate(agents)))
    become(agents[1], Agent.Status.SUSPENDED)
    assert swept().denied == 1
    assert swept().denied == 0
    assert one_claimed(alice, agents[0]).step == "s0"
    assert execution.inbox.count() == 1


def test_the_execution_s_agent_costs_no_statement_and_a_named_one_costs_one_a_look(
    alice: Tenant, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    scout = registry.create_agent(alice, "scout")

    def cost(**named: Any) -> int:
        steps = [transform(f"s{n}", n, **named) for n in range(30)]
        workflow = published(alice, steps)
        submitted(alice, workflow)
        world.drain()
        submitted(alice, workflow)
        with metered(monkeypatch) as meter:
            world.drain()
        return meter.statements.total()

    assert cost(agent_id=str(scout.id)) == cost() + 1
    assert cost(agent_id=str(default_of(alice).id)) == cost()
