"""What dies, is lost, doubled or raises, and what then becomes of the execution."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connection
from django.utils import timezone
from psycopg.rows import dict_row

from executions import commands
from executions.models import Arrival, Attempt, DueStep, Event, Execution, Worker
from executions.postgres_store import PostgresStore
from executions.states import AttemptStatus
from executions.store import Session
from orchestrator.held import Held
from orchestrator.leases import Lease
from orchestrator.outcomes import Claim, Outcome, Succeeded
from orchestrator.sweep import forget, sweep
from tenants.models import IdempotentRequest, Tenant
from tests.integration.engine.world import (
    World,
    database_url,
    noop,
    published,
    statuses,
    submitted,
    transform,
)
from workflows.effects import Effect
from workflows.tools import ToolContext, registry


@pytest.fixture(scope="module", autouse=True)
def _once_tool() -> Iterator[None]:
    @registry.tool("once", effect=Effect.AT_MOST_ONCE)
    def once(arguments: dict[str, Any], context: ToolContext) -> Any:
        return arguments

    yield
    del registry._tools["once"]


class Died(BaseException):
    """The process ends on this line."""


def dies(claim: Claim) -> Succeeded:
    raise Died


def die_in_hand() -> World:
    """A worker that claimed an attempt and died in it; its lease ended long ago."""
    world = World(carry_out=dies)
    with pytest.raises(Died):
        world.drain()
    world.close()
    Attempt.objects.update(started_at="2020-01-01T00:00:00Z")
    return world


def swept() -> int:
    with psycopg.connect(database_url(), autocommit=True, row_factory=dict_row) as swept_by:
        return sweep(swept_by).lost


def overdue_now() -> None:
    """A retry's delay is over."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE due_step SET due_at = clock_timestamp() - interval '1 ms'")
        cursor.execute("UPDATE execution SET due_at = clock_timestamp() WHERE due_at IS NOT NULL")


@pytest.fixture(autouse=True)
def _server_is_old_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """The grace after the server's own start is over."""
    monkeypatch.setattr("orchestrator.sweep.GRACE_SECONDS", 0.0)


def test_the_step_of_a_dead_worker_is_carried_out_by_another(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, [noop("a"), noop("b", "a")]))
    die_in_hand()

    assert swept() == 1
    assert world.drain() == 2

    execution.refresh_from_db()
    assert execution.status == "workflow_succeeded"
    assert list(Attempt.objects.order_by("step_index", "number").values_list("status", flat=True)) == [
        "lost",
        "succeeded",
        "succeeded",
    ]


def test_an_effect_that_must_not_be_repeated_is_left_to_an_operator(alice: Tenant, world: World) -> None:
    step = {"name": "a", "type": "tool_call", "config": {"tool": "once"}}
    execution = submitted(alice, published(alice, [step, noop("b", "a")]))
    die_in_hand()

    swept()
    assert world.drain() == 0

    execution.refresh_from_db()
    assert execution.status == "workflow_waiting"
    assert statuses(execution) == {"a": "outcome_unknown", "b": "pending"}


def test_a_step_that_kills_workers_fails_in_the_end(alice: Tenant) -> None:
    execution = submitted(alice, published(alice, [noop("poison")]))
    deaths = 0
    for _ in range(20):
        world = World(carry_out=dies)
        try:
            world.drain()
        except Died:
            deaths += 1
        world.close()
        Attempt.objects.update(started_at="2020-01-01T00:00:00Z")
        overdue_now()
        swept()

    execution.refresh_from_db()
    assert execution.status == "workflow_failed"
    assert deaths == Attempt.objects.filter(status="lost").count() == 5


def test_a_living_worker_keeps_what_it_lists(alice: Tenant, world: World) -> None:
    submitted(alice, published(alice, [noop("a")]))
    dead = die_in_hand()
    attempt = Attempt.objects.get()
    held = Held()
    held.add(f"{attempt.execution_id}:0:1")
    lease = Lease(database_url(), dead.carrier, held, lambda: None)
    lease.start()

    assert swept() == 0
    lease.end()
    assert not Worker.objects.exists()
    assert swept() == 1


def test_what_a_living_worker_does_not_list_any_more_is_lost(alice: Tenant, world: World) -> None:
    submitted(alice, published(alice, [noop("a")]))
    dead = die_in_hand()
    lease = Lease(database_url(), dead.carrier, Held(), lambda: None)
    lease.start()

    assert swept() == 1
    lease.end()


def test_a_late_outcome_becomes_an_event_and_changes_nothing(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, [noop("a")]))
    late: list[int] = []

    def slow(claim: Claim) -> Succeeded:
        if not late:
            late.append(claim.number)
            Attempt.objects.update(started_at="2020-01-01T00:00:00Z")
            assert swept() == 1
            assert world.drain() == 1
        return Succeeded('{"from":"the late one"}')

    slow_world = World(carry_out=slow)
    slow_world.drain()
    slow_world.close()

    execution.refresh_from_db()
    assert json.loads(execution.output or "") == {"a": {"name": "a"}}
    assert Event.objects.filter(type="step.late_outcome").count() == 1


def test_a_late_outcome_does_not_end_the_attempt_that_replaced_its_own(alice: Tenant, world: World) -> None:
    submitted(alice, published(alice, [noop("a")]))
    late_world = World()
    late = late_world.engine._take(float("inf"))
    assert late is not None
    Attempt.objects.update(started_at="2020-01-01T00:00:00Z")
    assert swept() == 1
    current = world.engine._take(float("inf"))
    assert current is not None

    late_world.engine._record(late, _outcome(late, Succeeded('"late"')), 0)
    late_world.close()

    assert list(Attempt.objects.order_by("number").values_list("number", "status")) == [(1, "lost"), (2, "running")]
    assert Event.objects.filter(type="step.late_outcome").count() == 1


def test_an_outcome_that_comes_before_its_loss_was_worked_in_is_recorded(alice: Tenant, world: World) -> None:
    step = {"name": "a", "type": "tool_call", "config": {"tool": "once"}}
    execution = submitted(alice, published(alice, [step]))
    claim = world.engine._take(float("inf"))
    assert claim is not None
    Attempt.objects.update(started_at="2020-01-01T00:00:00Z")
    assert swept() == 1

    world.engine._record(claim, _outcome(claim, Succeeded("{}")), 0)

    execution.refresh_from_db()
    assert execution.status == "workflow_succeeded"
    assert Attempt.objects.get().status == "succeeded"
    assert not Arrival.objects.filter(consumed_at=None).exists()


def test_an_attempt_that_could_not_be_recorded_is_listed_no_more(
    alice: Tenant, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(alice, published(alice, [noop("a")]))
    claim = world.engine._take(float("inf"))
    assert claim is not None

    def raising(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(type(world.engine), "_decide", raising)
    monkeypatch.setattr(world.engine.store, "push_back", raising)
    with pytest.raises(MemoryError):
        world.engine._record(claim, _outcome(claim, Succeeded("{}")), 0)

    assert world.engine.held.all() == []


def test_an_ended_execution_leaves_no_step_due(alice: Tenant, world: World) -> None:
    bad = {"name": "bad", "type": "tool_call", "config": {"tool": "fail"}}
    execution = submitted(alice, published(alice, [bad, *(noop(f"s{i}") for i in range(100))]))

    assert world.drain() == 1

    execution.refresh_from_db()
    assert execution.status == "workflow_failed"
    assert not DueStep.objects.exists()


def test_a_step_scheduled_in_the_moment_of_the_end_is_not_left_behind(alice: Tenant, world: World) -> None:
    guard = {"name": "c", "type": "guardrail_check", "depends_on": ["a"], "config": {"checks": [{"assert": "false"}]}}
    execution = submitted(alice, published(alice, [noop("a"), noop("b", "a"), guard]))
    claim = world.engine._take(float("inf"))
    assert claim is not None

    world.engine._record(claim, _outcome(claim, Succeeded("{}")), 0)

    execution.refresh_from_db()
    assert execution.status == "workflow_failed"
    assert not DueStep.objects.exists()


def test_steps_left_for_others_are_announced(alice: Tenant, world: World) -> None:
    submitted(alice, published(alice, [noop("a"), noop("b")]))

    assert world.engine._take(float("inf")) is not None

    assert world.announced == [0.0]


def test_the_lease_lists_an_attempt_before_it_is_begun_and_not_after(alice: Tenant) -> None:
    listed: list[list[str]] = []

    def carry(claim: Claim) -> Succeeded:
        listed.append(world.engine.held.all())
        return Succeeded("{}")

    world = World(carry_out=carry)
    execution = submitted(alice, published(alice, [noop("a"), noop("b", "a")]))
    world.drain()
    world.close()

    assert listed == [[f"{execution.id}:0:1"], [f"{execution.id}:1:1"]]
    assert world.engine.held.all() == []


@contextmanager
def commit_answer_lost(store: PostgresStore, times: int = 1) -> Iterator[None]:
    """The next COMMITs reach the server, their answers do not reach the worker."""
    session = store.session
    left = [times]

    @contextmanager
    def losing() -> Iterator[Session]:
        with session() as opened:
            commit = opened.commit

            def commit_and_lose() -> None:
                commit()
                if left[0] and left[0] > 0:
                    left[0] -= 1
                    opened._connection.execute("SELECT 1").fetchall()  # type: ignore[attr-defined]
                    raise psycopg.OperationalError("the connection was lost")

            opened.commit = commit_and_lose  # type: ignore[method-assign]
            yield opened

    store.session = losing  # type: ignore[method-assign]
    yield
    store.session = session  # type: ignore[method-assign]


def test_a_commit_whose_answer_is_lost_neither_repeats_nor_forgets(alice: Tenant) -> None:
    carried: list[tuple[str, int]] = []

    def carry(claim: Claim) -> Succeeded:
        carried.append((claim.step.name, claim.number))
        return Succeeded("{}")

    world = World(carry_out=carry)
    execution = submitted(alice, published(alice, [noop("a"), noop("b", "a"), noop("c", "b")]))
    engine_take = world.engine._take(float("inf"))
    assert engine_take is not None
    with commit_answer_lost(world.store):
        outcome = _outcome(engine_take, carry(engine_take))
        following = world.engine._record(engine_take, outcome, float("inf"))

    # The commit took effect: a is recorded, and b, which was claimed unseen, was handed back unbegun.
    assert following is None
    overdue_now()
    world.drain()
    world.close()
    execution.refresh_from_db()
    assert execution.status == "workflow_succeeded"
    assert [name for name, _ in carried] == ["a", "b", "c"]


def _outcome(claim: Claim, result: Succeeded) -> Any:
    return Outcome(claim.execution_id, claim.step.index, claim.number, result)


def test_an_outage_while_recording_is_waited_out(alice: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    execution = submitted(alice, published(alice, [noop("a")]))
    failing = iter([True, True])
    record_once = world.engine._record_once

    def record(*arguments: Any) -> Any:
        if next(failing, False):
            raise psycopg.OperationalError("the server is restarting")
        return record_once(*arguments)

    monkeypatch.setattr(type(world.engine), "_record_once", lambda _, *arguments: record(*arguments))
    assert world.drain() == 1
    world.close()
    execution.refresh_from_db()
    assert execution.status == "workflow_succeeded"


def test_an_execution_whose_planning_raises_blocks_nobody_and_is_quarantined(
    alice: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = submitted(alice, published(alice, [noop("a")]))
    good = submitted(alice, published(alice, [noop("a")]))
    world = World()
    kept = world.engine.runnables.load

    def raising(version_id: Any, parameters: str) -> None:
        if version_id == bad.version_id:
            raise RuntimeError("no plan")
        kept(version_id, parameters)

    monkeypatch.setattr(world.engine.runnables, "load", raising)
    world.drain()
    good.refresh_from_db()
    assert good.status == "workflow_succeeded"

    for _ in range(6):
        overdue_now()
        world.drain()
    world.close()

    bad.refresh_from_db()
    assert bad.quarantined_at is not None
    assert bad.due_at is None
    assert bad.status_reason == "quarantined: RuntimeError: no plan"


def test_a_doubled_hint_does_nothing_twice(alice: Tenant, world: World) -> None:
    submitted(alice, published(alice, [noop("a")]))
    world.drain()

    assert world.drain() == 0
    assert Attempt.objects.count() == 1


def test_without_any_hint_the_sweep_finds_what_is_due(alice: Tenant) -> None:
    execution = submitted(alice, published(alice, [noop("a")]))
    with psycopg.connect(database_url(), autocommit=True, row_factory=dict_row) as swept_by:
        assert sweep(swept_by).due
        Execution.objects.filter(id=execution.id).update(due_at=execution.created_at + timedelta(hours=1))
        found = sweep(swept_by)
        assert not found.due
        assert 3500 < found.next_due <= 3600


def test_what_nobody_can_need_any_more_is_forgotten(alice: Tenant) -> None:
    for number, age in enumerate([timedelta(days=29), timedelta(days=31)]):
        answer = IdempotentRequest.objects.create(
            tenant=alice, method="POST", path="/", key=str(number), body_digest="", status=200, headers={}
        )
        IdempotentRequest.objects.filter(id=answer.id).update(created_at=timezone.now() - age)
    for days in (0, 2):
        moment = timezone.now() - timedelta(days=days)
        Worker.objects.create(boot_id=uuid4(), name="w", started_at=moment, beat_at=moment, expires_at=moment)

    with psycopg.connect(database_url(), autocommit=True, row_factory=dict_row) as swept_by:
        forget(swept_by)

    assert [answer.key for answer in IdempotentRequest.objects.all()] == ["0"]
    assert Worker.objects.count() == 1


def test_two_parents_that_finish_at_the_same_moment_both_reach_their_join(alice: Tenant) -> None:
    steps = [noop("a"), noop("b"), transform("join", "${{ steps.a.output.name + steps.b.output.name }}", "a", "b")]
    barrier = threading.Barrier(2)

    def carry(claim: Claim) -> Succeeded:
        barrier.wait(timeout=20)
        return Succeeded(json.dumps({"name": claim.step.name}))

    for _ in range(10):
        execution = submitted(alice, published(alice, steps))
        workers = [World(carry_out=carry), World(carry_out=carry)]
        claims = [world.engine._take(float("inf")) for world in workers]
        assert all(claims)
        threads = [
            threading.Thread(target=_carry_and_record, args=(world, claim))
            for world, claim in zip(workers, claims, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for world in workers:
            world.close()
        execution.refresh_from_db()
        assert execution.status == "workflow_succeeded"
        assert json.loads(execution.output or "") == {"join": "ab"}


def _carry_and_record(world: World, claim: Claim) -> None:
    outcome = _outcome(claim, world.engine.carry_out(claim))  # type: ignore[arg-type]
    world.engine._record(claim, outcome, float("inf"))


def test_a_cancelled_execution_begins_nothing_new(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, [noop("a"), noop("b", "a")]))
    commands.cancel(execution.id, "not wanted any more", "api_key:tests")

    assert world.drain() == 0

    execution.refresh_from_db()
    assert (execution.status, execution.status_reason) == ("workflow_cancelled", "not wanted any more")
    assert not Arrival.objects.filter(consumed_at=None).exists()
    assert not Attempt.objects.exists()


def test_a_cancel_lets_the_running_step_end_and_begins_no_other(alice: Tenant) -> None:
    execution = submitted(alice, published(alice, [noop("a"), noop("b", "a")]))

    def carry(claim: Claim) -> Succeeded:
        commands.cancel(execution.id, None, "api_key:tests")
        return Succeeded("{}")

    world = World(carry_out=carry)
    assert world.drain() == 1
    world.close()

    execution.refresh_from_db()
    assert (execution.status, execution.status_reason) == ("workflow_cancelled", "cancelled by api_key:tests")
    assert Attempt.objects.get().status == AttemptStatus.SUCCEEDED


def test_an_execution_past_its_deadline_fails_and_says_so(alice: Tenant, world: World) -> None:
    step = {"name": "a", "type": "tool_call", "config": {"tool": "fail"}, "retry": {"max_attempts": 9}}
    execution = submitted(alice, published(alice, [step], timeout_seconds=60))
    world.drain()
    Execution.objects.update(deadline_at=execution.created_at, due_at=execution.created_at)

    world.drain()

    execution.refresh_from_db()
    assert (execution.status, execution.status_reason) == ("workflow_failed", "deadline_exceeded")
