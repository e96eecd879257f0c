"""Agents' tasks on the real database: claimed once, kept by a lease, reported once, withdrawn when nobody answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connection
from django.db.models import F

from contract.problems import Conflict, InvalidContent
from executions import awaiting, commands
from executions.commands import claiming
from executions.commands.claiming import Claimed
from executions.models import Execution, Task
from tenants.models import Tenant
from tests.integration.engine.moments import at_once, in_turn
from tests.integration.engine.tasks import (
    agent_step,
    beaten,
    claimed,
    completed,
    default_of,
    failed,
    one_claimed,
    silent_for,
    swept,
    tasks_of,
)
from tests.integration.engine.world import (
    World,
    attempts,
    child,
    database_url,
    ended,
    noop,
    output,
    published,
    result,
    statuses,
    submitted,
    told,
    wait,
)

SUCCEEDED = ("workflow_succeeded", None)


@pytest.fixture(autouse=True)
def _server_is_old_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time after the server's own start in which no lease ends is over."""
    monkeypatch.setattr(claiming, "AFTER_A_START", timedelta(0))


def run(alice: Tenant, world: World, *steps: dict[str, Any], **members: Any) -> Execution:
    execution = submitted(alice, published(alice, list(steps), **members))
    world.drain()
    return execution


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(Conflict) as caught:
        act()
    return caught.value.reason


def refused_in_all(alice: Tenant, task: Claimed) -> set[str]:
    """Why the lease may neither beat, nor complete, nor fail the task."""
    return {refused(lambda act=act: act(alice, task)) for act in (beaten, completed, failed)}  # type: ignore[misc]


def test_a_task_is_claimed_and_its_outcome_is_the_step_s(alice: Tenant, world: World) -> None:
    step = agent_step("look") | {"config": {"task": "Look at ${{ input.a }}", "arguments": {"b": "${{ input.a }}"}}}
    execution = submitted(alice, published(alice, [step, noop("after", "look")]), {"a": "it"})
    assert world.drain() == 0
    assert ended(execution)[0] == "workflow_waiting"
    assert world.store.held() == []

    task = one_claimed(alice)
    assert (task.task, task.arguments, task.step, task.attempt) == ("Look at it", {"b": "it"}, "look", 1)
    assert (task.execution_id, task.deadline) == (execution.id, None)
    assert claimed(alice) == []
    completed(alice, task, {"seen": [1]})
    world.drain()

    assert ended(execution) == SUCCEEDED
    assert result(execution, "look") == {"seen": [1]}
    assert told(execution, "step.waiting")[0][1]["agent"] == str(default_of(alice).id)
    assert told(execution, "step.succeeded")[0][1]["by"] == "api_key:worker"
    assert tasks_of(execution) == ["closed"]


def test_tasks_are_claimed_by_priority_and_then_by_age(alice: Tenant, world: World) -> None:
    steps = [agent_step("a")]
    made = [run(alice, world, *steps, priority=priority) for priority in (0, 9, 0, 9)]
    order = [task.execution_id for task in claimed(alice, 3) + claimed(alice, 3)]
    assert order == [made[1].id, made[3].id, made[0].id, made[2].id]


def test_at_most_so_many_are_claimed_as_are_wanted(alice: Tenant, world: World) -> None:
    run(alice, world, *(agent_step(f"s{i}") for i in range(5)))
    assert [len(claimed(alice, 2)) for _ in range(4)] == [2, 2, 1, 0]


def test_claimers_at_the_same_moment_never_get_the_same_task(alice: Tenant, world: World) -> None:
    run(alice, world, *(agent_step(f"s{i}") for i in range(40)))
    found: list[Claimed] = []

    def work() -> None:
        for _ in range(5):
            found.extend(claimed(alice, 2))

    at_once(*[work] * 4)
    assert len(found) == 40
    assert len({task.task_id for task in found}) == len({task.lease for task in found}) == 40


def test_a_task_that_another_claimer_is_about_to_have_is_passed_over(alice: Tenant, world: World) -> None:
    run(alice, world, agent_step("first"), agent_step("second"))
    with psycopg.connect(database_url()) as other:
        [(taken,)] = other.execute("SELECT id FROM task ORDER BY opened_at, id LIMIT 1 FOR UPDATE").fetchall()
        [task] = claimed(alice, 2)
        assert task.task_id != taken


def test_a_claim_whose_transaction_is_undone_claims_nothing(alice: Tenant, world: World) -> None:
    run(alice, world, agent_step("a"))
    with psycopg.connect(database_url()) as other:
        other.execute("UPDATE task SET status = 'claimed', lease = gen_random_uuid(), leased_until = now()")
        assert claimed(alice) == []
        other.rollback()
    assert len(claimed(alice)) == 1


def test_a_task_whose_worker_falls_silent_is_claimed_anew_and_the_old_lease_counts_no_more(
    alice: Tenant, world: World
) -> None:
    execution = run(alice, world, agent_step("a"))
    first = one_claimed(alice)
    silent_for(0.001)
    assert refused_in_all(alice, first) == {"stale_lease"}
    assert swept().lost == 1
    assert refused_in_all(alice, first) == {"stale_lease"}
    world.drain()
    second = one_claimed(alice)
    assert (second.attempt, second.lease != first.lease) == (2, True)
    assert refused_in_all(alice, first) == {"stale_lease"}
    completed(alice, second, "done")
    world.drain()
    assert ended(execution) == SUCCEEDED
    assert attempts(execution, "a") == ["lost", "succeeded"]
    assert tasks_of(execution) == ["withdrawn", "closed"]


def test_a_heartbeat_makes_the_lease_longer(alice: Tenant, world: World) -> None:
    execution = run(alice, world, agent_step("a"))
    task = one_claimed(alice)
    Task.objects.update(leased_until=F("leased_until") - timedelta(seconds=59))
    before = Task.objects.get().leased_until
    until = beaten(alice, task).leased_until
    assert before is not None
    assert until is not None
    assert until == Task.objects.get().leased_until
    assert timedelta(seconds=50) < until - before <= timedelta(seconds=60)
    assert swept().lost == 0
    completed(alice, task)
    world.drain()
    assert ended(execution) == SUCCEEDED


def test_no_lease_ends_soon_after_the_server_s_own_start(
    alice: Tenant, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claiming, "AFTER_A_START", timedelta(days=1))
    run(alice, world, agent_step("a"))
    task = one_claimed(alice)
    silent_for()
    assert swept().lost == 0
    beaten(alice, task)
    silent_for()
    completed(alice, task)


def test_a_task_that_no_worker_survives_fails_after_five_losses(alice: Tenant, world: World) -> None:
    execution = run(alice, world, agent_step("a"))
    for _ in range(5):
        one_claimed(alice)
        silent_for()
        assert swept().lost == 1
        world.drain()
        world.drain_after(60)
    assert claimed(alice) == []
    assert statuses(execution) == {"a": "failed"}
    assert attempts(execution, "a") == ["lost"] * 5
    assert "step a failed" in str(ended(execution)[1])


def test_what_is_told_as_failed_is_tried_again_by_the_step_s_policy(alice: Tenant, world: World) -> None:
    retry = {"max_attempts": 3, "initial_seconds": 10, "jitter": False, "backoff": "fixed"}
    execution = run(alice, world, agent_step("a", retry=retry))
    failed(alice, one_claimed(alice))
    world.drain()
    assert claimed(alice) == []
    assert statuses(execution) == {"a": "retrying"}
    world.drain_after(11)
    failed(alice, one_claimed(alice), retryable=False)
    world.drain()
    assert statuses(execution) == {"a": "failed"}
    assert result(execution, "a") == {"kind": "agent_failed", "message": "it went wrong", "details": {"n": 1}}
    assert [data["by"] for _, data in told(execution, "step.failed")] == ["api_key:worker"]


def test_the_policy_names_the_kinds_that_a_worker_tells(alice: Tenant, world: World) -> None:
    retry = {"max_attempts": 2, "initial_seconds": 0, "on": ["tired"]}
    execution = run(alice, world, agent_step("a", retry=retry), agent_step("b", retry=retry, on_failure="continue"))
    kinds = {"a": "tired", "b": "bored"}
    for task in claimed(alice, 2):
        failed(alice, task, kinds[task.step])
    world.drain_after(1)
    assert statuses(execution) == {"a": "waiting", "b": "failed"}


def test_a_task_is_over_with_the_time_of_its_step(alice: Tenant, world: World) -> None:
    execution = run(alice, world, agent_step("a", timeout_seconds=90))
    task = one_claimed(alice)
    opened = Task.objects.get().opened_at
    assert task.deadline == opened + timedelta(seconds=90)
    world.drain_after(91)
    assert refused_in_all(alice, task) == {"task_ended"}
    assert result(execution, "a")["kind"] == "timeout"


def test_the_deadline_is_the_execution_s_where_that_is_earlier(alice: Tenant, world: World) -> None:
    execution = run(alice, world, agent_step("a", timeout_seconds=90), timeout_seconds=60)
    execution.refresh_from_db()
    task = one_claimed(alice)
    assert task.deadline == execution.deadline_at
    world.drain_after(61)
    assert ended(execution) == ("workflow_failed", "deadline_exceeded")
    assert refused_in_all(alice, task) == {"task_ended"}


def test_what_was_reported_in_time_counts_although_the_time_is_over_when_it_is_looked_at(
    alice: Tenant, world: World
) -> None:
    execution = run(alice, world, agent_step("a", timeout_seconds=60))
    completed(alice, one_claimed(alice), "in time")
    world.drain_after(61)
    assert result(execution, "a") == "in time"


@pytest.mark.parametrize("is_claimed", [True, False])
def test_a_cancel_closes_the_tasks(alice: Tenant, world: World, is_claimed: bool) -> None:
    execution = run(alice, world, agent_step("a"))
    task = one_claimed(alice) if is_claimed else None
    commands.cancel(execution.id, None, "key:tests")
    world.drain()
    assert ended(execution)[0] == "workflow_cancelled"
    assert tasks_of(execution) == ["closed"]
    assert claimed(alice) == []
    if task is not None:
        assert refused_in_all(alice, task) == {"task_ended"}


def test_an_operator_ends_a_step_whose_task_is_claimed(alice: Tenant, world: World) -> None:
    execution = run(alice, world, agent_step("a"), agent_step("b"))
    first, second = claimed(alice, 2)
    commands.skip(execution.id, first.step, "not needed", "key:tests")
    commands.complete(execution.id, second.step, {"by": "hand"}, "done", "key:tests")
    world.drain()
    assert ended(execution) == SUCCEEDED
    assert output(execution) == {first.step: None, second.step: {"by": "hand"}}
    assert tasks_of(execution) == ["closed", "closed"]
    for task in (first, second):
        assert refused_in_all(alice, task) == {"task_ended"}


def test_what_is_reported_after_an_operator_decided_changes_nothing(alice: Tenant, world: World) -> None:
    execution = run(alice, world, agent_step("a"))
    task = one_claimed(alice)
    commands.complete(execution.id, "a", "by hand", "done", "key:tests")
    completed(alice, task, "too late")
    world.drain()
    assert ended(execution) == SUCCEEDED
    assert output(execution) == {"a": "by hand"}
    assert told(execution, "step.late_outcome") == [("a", {"attempt": 1})]


def test_of_a_paused_execution_nothing_is_claimed_and_what_was_is_worked_in(alice: Tenant, world: World) -> None:
    execution = run(alice, world, agent_step("a"), agent_step("b"), agent_step("c", "a"))
    [task] = claimed(alice, 1)
    commands.pause(execution.id, "key:tests")
    assert claimed(alice, 10) == []
    beaten(alice, task)
    completed(alice, task)
    world.drain()
    assert statuses(execution)[task.step] == "succeeded"
    assert claimed(alice, 10) == []
    commands.resume(execution.id, "key:tests")
    world.drain()
    assert {one.step for one in claimed(alice, 10)} == {"a", "b", "c"} - {task.step} - ({"c"} - _after(task))


def _after(task: Claimed) -> set[str]:
    return {"c"} if task.step == "a" else set()


def test_a_worker_that_falls_silent_while_the_execution_is_paused_is_replaced_once_it_goes_on(
    alice: Tenant, world: World
) -> None:
    execution = run(alice, world, agent_step("a"))
    one_claimed(alice)
    commands.pause(execution.id, "key:tests")
    silent_for()
    swept()
    world.drain_after(30)
    assert claimed(alice) == []
    assert statuses(execution) == {"a": "retrying"}
    commands.resume(execution.id, "key:tests")
    world.drain()
    assert one_claimed(alice).attempt == 2


def test_a_redrive_hands_the_task_out_anew(alice: Tenant, world: World) -> None:
    execution = run(alice, world, agent_step("kept"), agent_step("a", "kept"))
    completed(alice, one_claimed(alice), 1)
    world.drain()
    failed(alice, one_claimed(alice))
    world.drain()
    assert ended(execution)[0] == "workflow_failed"
    commands.redrive(execution.id, None, None, "key:tests")
    world.drain()
    task = one_claimed(alice)
    assert (task.step, task.attempt) == ("a", 2)
    completed(alice, task)
    world.drain()
    assert ended(execution) == SUCCEEDED


def test_a_report_may_be_repeated_and_not_changed(alice: Tenant, world: World) -> None:
    execution = run(alice, world, agent_step("a"))
    task = one_claimed(alice)
    for _ in range(2):
        completed(alice, task, {"a": 1, "b": [2]})
        assert execution.inbox.count() == 1
    assert refused(lambda: completed(alice, task, {"a": 2})) == "task_ended"
    assert refused(lambda: failed(alice, task)) == "task_ended"
    world.drain()
    completed(alice, task, {"b": [2], "a": 1})
    assert refused(lambda: beaten(alice, task)) == "task_ended"
    assert execution.inbox.count() == 1
    assert result(execution, "a") == {"a": 1, "b": [2]}


def test_a_lease_that_nobody_gave_is_stale(alice: Tenant, world: World) -> None:
    run(alice, world, agent_step("a"))
    task = Task.objects.get()
    for lease in (str(uuid4()), "nonsense", ""):
        assert refused(lambda lease=lease: commands.beat(default_of(alice), str(task.id), lease)) == "stale_lease"  # type: ignore[misc]


def test_an_output_that_is_too_large_is_refused_and_a_smaller_one_is_taken(
    alice: Tenant, world: World, settings: Any
) -> None:
    execution = run(alice, world, agent_step("a"))
    task = one_claimed(alice)
    settings.OUTPUT_LIMIT_BYTES = 100
    with pytest.raises(InvalidContent) as caught:
        completed(alice, task, "x" * 200)
    assert [problem.field for problem in caught.value.fields] == ["/output"]
    assert Task.objects.get().status == "claimed"
    completed(alice, task, "x")
    world.drain()
    assert ended(execution) == SUCCEEDED


def test_the_first_of_several_agents_withdraws_the_others(alice: Tenant, world: World) -> None:
    join = {"n": 1, "rest": "cancel"}
    execution = run(alice, world, agent_step("a"), agent_step("b"), noop("first", "a", "b", join=join))
    task, other = claimed(alice, 2)
    completed(alice, task)
    world.drain()
    assert ended(execution) == SUCCEEDED
    assert refused_in_all(alice, other) == {"task_ended"}


def test_of_a_report_and_a_cancel_at_the_same_moment_both_are_heard_in_their_order(alice: Tenant, world: World) -> None:
    execution = run(alice, world, agent_step("a"), wait("held", signal="go"))
    task = one_claimed(alice)
    acts = [lambda: completed(alice, task, 1), lambda: commands.cancel(execution.id, None, "key:tests")]
    assert in_turn(execution, *acts) == [None, None]
    world.drain()
    assert (ended(execution)[0], result(execution, "a")) == ("workflow_cancelled", 1)


def test_two_reports_at_the_same_moment_are_one(alice: Tenant, world: World) -> None:
    execution = run(alice, world, agent_step("a"))
    task = one_claimed(alice)
    said = in_turn(execution, *[lambda: completed(alice, task, 1)] * 2, lambda: failed(alice, task))
    assert said == [None, None, "task_ended"]
    assert execution.inbox.count() == 1


def test_a_pause_waits_for_a_claim_that_is_under_way(alice: Tenant, world: World) -> None:
    execution = run(alice, world, agent_step("a"), agent_step("b"))
    assert at_once(lambda: claimed(alice, 1), lambda: commands.pause(execution.id, "key:tests")) == [None, None]
    assert sorted(tasks_of(execution)) in (["claimed", "held"], ["held", "held"])


def test_a_sweep_and_a_report_at_the_same_moment_leave_one_of_both(alice: Tenant, world: World) -> None:
    for _ in range(8):
        run(alice, world, agent_step("a"))
    tasks = claimed(alice, 8)
    silent_for(-0.02)
    sweeps = [lambda: [swept() for _ in range(4)]] * 2
    said = at_once(*sweeps, *(lambda task=task: completed(alice, task) for task in tasks))
    silent_for()
    swept()
    world.drain()
    for task, refusal in zip(tasks, said[2:], strict=True):
        execution = Execution.objects.get(id=task.execution_id)
        expected = ("succeeded", "closed") if refusal is None else ("lost", "withdrawn")
        attempt = execution.attempts.get(number=1)
        assert (attempt.status, execution.tasks.get(number=1).status) == expected
        assert refusal in {None, "stale_lease"}


def test_a_thousand_items_are_each_claimed_and_completed(alice: Tenant, world: World) -> None:
    each = {"type": "agent", "config": {"task": "t", "arguments": {"n": "${{ item }}"}}}
    config = {"over": list(range(1000)), "step": each, "max_parallel": 300}
    execution = run(alice, world, {"name": "each", "type": "map", "config": config})
    assert Task.objects.filter(status="open").count() == 300
    done = 0
    while tasks := claimed(alice, 100):
        for task in tasks:
            completed(alice, task, task.arguments["n"] * 2)
        done += len(tasks)
        world.drain(60)
    assert done == 1000
    assert output(execution) == {"each": {"items": [2 * n for n in range(1000)], "failed": 0}}
    assert set(tasks_of(execution)) == {"closed"}


def test_an_item_that_fails_too_often_closes_the_tasks_of_the_others(alice: Tenant, world: World) -> None:
    config = {"over": [1, 2, 3], "step": {"type": "agent", "config": {"task": "t"}}}
    execution = run(alice, world, {"name": "each", "type": "map", "config": config})
    first, second = claimed(alice, 2)
    failed(alice, first)
    world.drain()
    assert statuses(execution)["each"] == "failed"
    assert refused_in_all(alice, second) == {"task_ended"}
    assert claimed(alice) == []


def test_each_round_of_a_loop_hands_its_task_out(alice: Tenant, world: World) -> None:
    body = [agent_step("ask")]
    config = {"body": body, "until": "steps.ask.output == 'enough'", "max_iterations": 5}
    execution = run(alice, world, {"name": "again", "type": "loop", "config": config})
    for answer in ("more", "enough"):
        task = one_claimed(alice)
        completed(alice, task, answer)
        world.drain()
    assert task.step == "again[1].ask"
    assert ended(execution) == SUCCEEDED


def test_what_an_agent_did_is_undone(alice: Tenant, world: World) -> None:
    undo = {"action": "noop", "parameters": {"undo": "${{ steps.a.output }}"}}
    execution = run(alice, world, agent_step("a", compensate=undo), agent_step("b", "a"))
    completed(alice, one_claimed(alice), "booked")
    world.drain()
    failed(alice, one_claimed(alice))
    world.drain()
    assert ended(execution)[0] == "workflow_failed"
    assert result(execution, "compensate[a]") == {"undo": "booked"}


def test_a_child_s_task_is_claimed_like_any(alice: Tenant, world: World) -> None:
    inner = published(alice, [agent_step("a")])
    execution = run(alice, world, child("inner", inner))
    completed(alice, one_claimed(alice), 1)
    world.drain()
    assert output(execution) == {"inner": {"a": 1}}


def thousands_of_tasks(alice: Tenant, world: World) -> Task:
    """One of an execution, with many more of the same agent in every status."""
    execution = run(alice, world, agent_step("a"))
    [task] = Task.objects.all()
    statuses_of = ("closed", "held", "claimed", "withdrawn", "open")
    lease = {"lease": uuid4(), "leased_until": task.opened_at}
    Task.objects.bulk_create(
        Task(
            execution=execution,
            step_index=0,
            number=n + 2,
            agent_id=task.agent_id,
            status=statuses_of[n % 5],
            opened_at=task.opened_at,
            **lease,
        )
        for n in range(3000)
    )
    return task


def explained(statement: str, parameters: dict[str, Any] | None = None) -> str:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE task")
        cursor.execute(statement, parameters)
        return "\n".join(line for (line,) in cursor.fetchall())


def test_a_claim_looks_into_one_index(alice: Tenant, world: World) -> None:
    task = thousands_of_tasks(alice, world)
    parameters: dict[str, Any] = {"agent": task.agent_id, "most": 10, "actor": "x", "lasts": timedelta(seconds=60)}
    plan = explained(f"EXPLAIN {claiming._CLAIM}", parameters)
    assert "task_claimable" in plan
    assert "Seq Scan on task" not in plan


def test_whoever_waits_for_tasks_looks_into_one_index_with_a_plan_for_any_agent(alice: Tenant, world: World) -> None:
    thousands_of_tasks(alice, world)
    Task.objects.filter(number__gt=50).update(status="closed")
    numbered = awaiting._OPEN_TASKS.replace("%(most)s", "$1").replace("%(ids)s", "$2")
    plan = explained(f"EXPLAIN (GENERIC_PLAN) {numbered}")
    assert "task_claimable" in plan
    assert "Seq Scan on task" not in plan
