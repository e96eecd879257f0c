"""A worker goes on with what it left itself, without asking again: unless somebody else was there meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import psycopg
import pytest

from contract import clock
from executions.change import Change
from executions.commands import ending, pausing
from executions.models import Execution
from orchestrator.advance import Advance, Decided
from orchestrator.outcomes import Claim, Outcome, Succeeded
from tenants.models import Agent, Tenant
from tests.integration.engine.tasks import default_of
from tests.integration.engine.test_cost import metered
from tests.integration.engine.world import World, begun, ended, noop, published, result, statuses, submitted, transform

THREE = [noop("a"), noop("b", "a"), noop("c", "b")]


def while_carried_out(acts: Mapping[str, Callable[[Claim], None]]) -> World:
    """A worker during whose steps of these names something else happens."""

    def carry(claim: Claim) -> Succeeded:
        if (act := acts.get(claim.step.name)) is not None:
            act(claim)
        return Succeeded('{"said":"' + claim.step.name + '"}')

    return World(carry_out=carry)


def test_what_was_cancelled_while_a_step_ran_begins_no_other(alice: Tenant) -> None:
    execution = submitted(alice, published(alice, THREE))
    with while_carried_out({"b": lambda claim: ending.cancel(claim.execution_id, "enough", "user:alice")}) as world:
        world.drain()
    assert ended(execution) == ("workflow_cancelled", "enough")
    assert statuses(execution) == {"a": "succeeded", "b": "succeeded", "c": "pending"}
    assert begun(execution) == ["a", "b"]


def test_what_was_paused_while_a_step_ran_stays_there_until_it_is_resumed(alice: Tenant) -> None:
    execution = submitted(alice, published(alice, THREE))
    with while_carried_out({"a": lambda claim: pausing.pause(claim.execution_id, "user:alice")}) as world:
        world.drain()
        assert begun(execution) == ["a"]
        pausing.resume(execution.id, "user:alice")
        world.drain()
    assert begun(execution) == ["a", "b", "c"]
    assert ended(execution) == ("workflow_succeeded", None)


def test_an_agent_that_is_suspended_while_a_step_runs_begins_no_other(alice: Tenant) -> None:
    def suspend(_claim: Claim) -> None:
        Agent.objects.filter(id=default_of(alice).id).update(status=Agent.Status.SUSPENDED)

    execution = submitted(alice, published(alice, THREE))
    with while_carried_out({"b": suspend}) as world:
        world.drain()
    assert statuses(execution) == {"a": "succeeded", "b": "succeeded", "c": "failed"}
    assert result(execution, "c")["kind"] == "agent_denied"


def test_an_agent_that_may_do_less_while_a_step_runs_does_no_more(alice: Tenant) -> None:
    def forbid(_claim: Claim) -> None:
        Agent.objects.filter(id=default_of(alice).id).update(actions=["*", "!tool_call:noop"])

    execution = submitted(alice, published(alice, THREE))
    with while_carried_out({"a": forbid}) as world:
        world.drain()
    assert statuses(execution)["b"] == "failed"


def test_what_somebody_else_wrote_meanwhile_is_neither_lost_nor_written_over(alice: Tenant) -> None:
    def touch(claim: Claim) -> None:
        Execution.objects.filter(id=claim.execution_id).update(seq=1_000, status_reason="seen")

    execution = submitted(alice, published(alice, THREE))
    with while_carried_out({"b": touch}) as world:
        world.drain()
        assert world.engine.held.all() == []
    assert ended(execution)[0] == "workflow_succeeded"
    assert execution.seq > 1_000
    assert list(execution.attempts.values_list("status", flat=True)) == ["succeeded"] * 3


def test_another_execution_is_not_gone_on_with_when_the_first_was_changed(alice: Tenant) -> None:
    def touch(claim: Claim) -> None:
        Execution.objects.filter(id=claim.execution_id).update(seq=1_000)

    first, second = (submitted(alice, published(alice, [noop(name)])) for name in ("one", "two"))
    with while_carried_out({"one": touch}) as world:
        world.drain()
        assert world.engine.held.all() == []
    assert ended(first) == ended(second) == ("workflow_succeeded", None)


def test_what_is_staged_and_not_committed_is_undone_however_the_session_went_on(alice: Tenant, world: World) -> None:
    """A session that looked for another execution has asked whether its change applied, and still committed nothing."""
    first, second = (submitted(alice, published(alice, [noop(name)])) for name in ("one", "two"))
    with world.store.session() as session:
        loaded = session.take(())
        assert loaded is not None
        change = Change(loaded.row, loaded.now, loaded.row.standing._replace(due_at=None), (), ())
        session.stage(change)
        taken = session.take(())
    assert taken is not None
    assert {loaded.row.id, taken.row.id} == {first.id, second.id}
    assert set(Execution.objects.values_list("seq", flat=True)) == {0}
    world.drain()
    assert ended(first) == ended(second) == ("workflow_succeeded", None)


def test_the_server_is_asked_for_the_time_again_after_a_second(
    alice: Tenant, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow = published(alice, THREE)
    submitted(alice, workflow)
    world.drain()
    submitted(alice, workflow)
    monkeypatch.setattr(clock, "KNOWN_SECONDS", -1.0)
    with metered(monkeypatch) as meter:
        world.drain()
    # Each of three outcomes is recorded under the lock.
    assert meter.statements["BEGIN"] == 1 + 3


def test_times_on_record_never_go_back_and_are_never_ahead_of_the_server(alice: Tenant, world: World) -> None:
    steps = [noop("s0"), *(noop(f"s{i}", f"s{i - 1}") for i in range(1, 30))]
    execution = submitted(alice, published(alice, steps))
    world.drain()
    times = list(execution.events.order_by("sequence").values_list("created_at", flat=True))
    with psycopg.connect(world.store._url, autocommit=True) as connection:
        now = connection.execute("SELECT clock_timestamp()").fetchall()[0][0]
    assert times == sorted(times)
    assert times[-1] <= now
    assert len(set(times)) >= 31


def test_more_than_a_window_of_what_is_due_is_worked_off_in_its_order(alice: Tenant, world: World) -> None:
    fan = [noop("first"), *(noop(f"m{i}", "first") for i in range(150))]
    fan += [transform(f"t{i}", i, "first") for i in range(150)]
    execution = submitted(alice, published(alice, fan))
    world.drain(60)
    assert ended(execution) == ("workflow_succeeded", None)
    assert [name for name in begun(execution) if name.startswith("m")] == [f"m{i}" for i in range(150)]


def test_a_wide_execution_is_gone_on_with_too(alice: Tenant, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "KNOWN_SECONDS", 600.0)
    fan = [noop("first"), *(noop(f"m{i}", "first") for i in range(300))]
    submitted(alice, published(alice, fan))
    with metered(monkeypatch) as meter:
        world.drain(60)
    # One lock and one reload for each window of what is due, and the last look that finds nothing.
    assert meter.statements["BEGIN"] < 15


def test_what_cannot_be_decided_without_the_lock_is_decided_with_it(
    alice: Tenant, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read beside what was known may be newer than that, and make no sense."""
    decide = Advance.decide
    raised: list[Outcome] = []

    def torn(advance: Advance, outcome: Outcome | None, *, may_claim: bool) -> Decided:
        if outcome is not None and outcome.index == 1 and not raised:
            raised.append(outcome)
            raise ValueError("it makes no sense")
        return decide(advance, outcome, may_claim=may_claim)

    monkeypatch.setattr(Advance, "decide", torn)
    execution = submitted(alice, published(alice, THREE))
    world.drain()
    assert raised
    assert ended(execution) == ("workflow_succeeded", None)
    assert list(execution.attempts.values_list("status", flat=True)) == ["succeeded"] * 3
    assert world.engine.held.all() == []
