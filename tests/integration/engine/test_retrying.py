"""Another attempt after a failure: how often, when, after which errors; every attempt stays on record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from executions import commands
from executions.models import Attempt, Execution
from executions.retry import Failure
from orchestrator.outcomes import Claim, Failed, Succeeded
from tenants.models import Tenant
from tests.integration.engine.world import (
    World,
    attempts,
    ended,
    failing,
    lost,
    noop,
    output,
    published,
    result,
    statuses,
    submitted,
    told,
)
from workflows.effects import Effect
from workflows.tools import ToolContext, registry

SUCCEEDED = ("workflow_succeeded", None)


@pytest.fixture(scope="module", autouse=True)
def _once_tool() -> Any:
    @registry.tool("sent_once", effect=Effect.AT_MOST_ONCE)
    def sent_once(arguments: dict[str, Any], context: ToolContext) -> Any:
        return arguments

    yield
    del registry._tools["sent_once"]


def retried(**policy: Any) -> dict[str, Any]:
    return {"retry": {"jitter": False, **policy}}


def failed(kind: str = "http_error", **members: Any) -> Failed:
    details = members.pop("details", None)
    return Failed(Failure(kind, "it failed", **members), details)


def comes_to(*results: Failed) -> Callable[[Claim], Succeeded | Failed]:
    """Each attempt comes to the next of these; those after them succeed."""
    left = list(results)
    return lambda _: left.pop(0) if left else Succeeded("1")


def delay(execution: Execution) -> timedelta:
    """How long after its newest attempt the step is due again."""
    newest = Attempt.objects.filter(execution=execution).order_by("-number")[0]
    assert newest.finished_at is not None
    return execution.due_steps.get().due_at - newest.finished_at


def test_every_attempt_stays_as_a_row_with_its_own_error(alice: Tenant, world: World) -> None:
    execution = submitted(
        alice, published(alice, [failing("flaky", times=2, **retried(max_attempts=3, initial_seconds=1))])
    )
    world.drain()
    assert ended(execution)[0] == "workflow_running"
    assert statuses(execution) == {"flaky": "retrying"}
    world.drain_after(1.1)
    world.drain_after(2.1)
    assert ended(execution) == SUCCEEDED
    assert attempts(execution, "flaky") == ["failed", "failed", "succeeded"]
    assert output(execution) == {"flaky": {"attempts": 3}}
    assert [data["attempt"] for _, data in told(execution, "step.retrying")] == [1, 2]
    assert Attempt.objects.exclude(error=None).count() == 2


def test_the_last_attempt_fails_the_step(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, [failing("bad", **retried(max_attempts=3, initial_seconds=0))]))
    world.drain()
    assert ended(execution)[0] == "workflow_failed"
    assert attempts(execution, "bad") == ["failed"] * 3


def test_without_a_policy_there_is_one_attempt(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, [failing("bad")]))
    world.drain()
    assert attempts(execution, "bad") == ["failed"]


@pytest.mark.parametrize(
    ("policy", "seconds"),
    [
        ({"backoff": "fixed", "initial_seconds": 5}, [5, 5, 5]),
        ({"backoff": "exponential", "initial_seconds": 2}, [2, 4, 8]),
        ({"backoff": "exponential", "initial_seconds": 10, "max_seconds": 25}, [10, 20, 25]),
    ],
)
def test_attempts_are_as_far_apart_as_the_policy_says(
    alice: Tenant, world: World, policy: dict[str, Any], seconds: list[int]
) -> None:
    execution = submitted(alice, published(alice, [failing("bad", **retried(max_attempts=4, **policy))]))
    found = []
    world.drain()
    for wanted in seconds:
        found.append(delay(execution).total_seconds())
        world.drain_after(wanted + 0.01)
    assert found == seconds


def test_it_is_not_tried_again_before_its_time(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, [failing("bad", **retried(max_attempts=2, initial_seconds=10))]))
    world.drain()
    world.drain_after(9)
    assert attempts(execution, "bad") == ["failed"]
    world.drain_after(1.1)
    assert attempts(execution, "bad") == ["failed", "failed"]


def test_jitter_shortens_by_half_at_most_and_differs_between_steps(alice: Tenant, world: World) -> None:
    policy = {"retry": {"max_attempts": 2, "initial_seconds": 100, "max_seconds": 100}}
    execution = submitted(alice, published(alice, [failing(f"bad{number}", **policy) for number in range(8)]))
    world.drain()
    finished = {a.step_index: a.finished_at for a in Attempt.objects.all()}
    found = {(row.due_at - finished[row.step_index]).total_seconds() for row in execution.due_steps.all()}  # type: ignore[operator]
    assert len(found) == 8
    assert all(50 <= seconds <= 100 for seconds in found)


@pytest.mark.parametrize(
    ("on", "result", "again"),
    [
        (["timeout"], failed("timeout"), True),
        (["timeout"], failed("http_error"), False),
        ([503], failed(details={"status": 503}), True),
        ([503], failed(details={"status": 500}), False),
        (["5xx"], failed(details={"status": 599}), True),
        (["5xx"], failed(details={"status": 400}), False),
        (["timeout", "4xx"], failed(details={"status": 429}), True),
        ("error.kind == 'http_error' && error.details.code == 7", failed(details={"code": 7}), True),
        ("error.kind == 'http_error' && error.details.code == 7", failed(details={"code": 8}), False),
        ("error.message.startsWith('it f')", failed(), True),
        ("error.details.missing == 1", failed(), False),
    ],
)
def test_only_the_errors_that_the_policy_means_are_retried(alice: Tenant, on: Any, result: Failed, again: bool) -> None:
    execution = submitted(alice, published(alice, [noop("a", **retried(max_attempts=2, initial_seconds=0, on=on))]))
    with World(carry_out=comes_to(result)) as world:
        world.drain()
    assert attempts(execution, "a") == (["failed", "succeeded"] if again else ["failed"])


def test_what_can_never_succeed_is_not_tried_again(alice: Tenant) -> None:
    execution = submitted(alice, published(alice, [noop("a", **retried(max_attempts=5, initial_seconds=0))]))
    with World(carry_out=comes_to(failed(retryable=False))) as world:
        world.drain()
    assert attempts(execution, "a") == ["failed"]


@pytest.mark.parametrize(("asked", "seconds"), [(40.0, 40), (3.0, 10)])
def test_retry_after_is_a_lower_bound_on_the_delay(alice: Tenant, asked: float, seconds: int) -> None:
    policy = retried(max_attempts=2, initial_seconds=10, max_seconds=20)
    execution = submitted(alice, published(alice, [noop("a", **policy)]))
    with World(carry_out=comes_to(failed(retry_after=asked))) as world:
        world.drain()
    assert delay(execution).total_seconds() == seconds


def test_other_branches_go_on_while_a_step_waits_for_its_retry(alice: Tenant, world: World) -> None:
    steps = [
        failing("flaky", times=1, **retried(max_attempts=2, initial_seconds=30)),
        noop("b"),
        noop("c", "b"),
        noop("d", "flaky"),
    ]
    execution = submitted(alice, published(alice, steps))
    world.drain()
    assert statuses(execution) == {"flaky": "retrying", "b": "succeeded", "c": "succeeded", "d": "pending"}
    assert ended(execution)[0] == "workflow_running"
    world.drain_after(31)
    assert ended(execution) == SUCCEEDED


@pytest.mark.parametrize("kind", ["timeout", "connection_lost"])
def test_an_at_most_once_effect_of_which_nobody_knows_is_not_tried_again(alice: Tenant, kind: str) -> None:
    step = {"name": "a", "action": "sent_once", **retried(max_attempts=5, initial_seconds=0)}
    execution = submitted(alice, published(alice, [step, noop("b") | {"depends_on": ["a"]}]))
    with World(carry_out=comes_to(failed(kind, ambiguous=True))) as world:
        world.drain()
    assert statuses(execution) == {"a": "outcome_unknown", "b": "pending"}
    assert attempts(execution, "a") == ["outcome_unknown"]
    assert ended(execution)[0] == "workflow_waiting"
    assert result(execution, "a")["kind"] == kind


def test_an_at_most_once_effect_that_surely_did_not_come_about_is_tried_again(alice: Tenant) -> None:
    step = {"name": "a", "action": "sent_once", **retried(max_attempts=2, initial_seconds=0)}
    execution = submitted(alice, published(alice, [step]))
    with World(carry_out=comes_to(failed("connection_refused"))) as world:
        world.drain()
    assert attempts(execution, "a") == ["failed", "succeeded"]


def test_an_at_most_once_tool_that_takes_too_long_ends_as_unknown(alice: Tenant, world: World) -> None:
    def slow(arguments: dict[str, Any], context: ToolContext) -> Any:
        while True:
            sum(range(1000))

    registry.tool("slow_once", effect=Effect.AT_MOST_ONCE)(slow)
    try:
        step = {"name": "a", "action": "slow_once", "timeout_seconds": 0.3, **retried(max_attempts=3)}
        execution = submitted(alice, published(alice, [step]))
        world.drain()
    finally:
        del registry._tools["slow_once"]
    assert statuses(execution) == {"a": "outcome_unknown"}
    assert result(execution, "a")["kind"] == "timeout"


@pytest.mark.parametrize(("late", "status"), [(Succeeded('"sent"'), "succeeded"), (failed("refused"), "failed")])
def test_a_late_outcome_resolves_what_nobody_knew(alice: Tenant, world: World, late: Any, status: str) -> None:
    step = {"name": "a", "action": "sent_once", "on_failure": "continue"}
    execution = submitted(alice, published(alice, [step, noop("b") | {"depends_on": ["a"]}]))

    def carry_out(claim: Claim) -> Any:
        """Its worker was taken for dead meanwhile."""
        if claim.step.name == "b":
            return Succeeded("1")
        lost(execution)
        world.drain()
        assert statuses(execution) == {"a": "outcome_unknown", "b": "pending"}
        return late

    with World(carry_out=carry_out) as first:
        first.drain()
    world.drain()
    assert statuses(execution) == {"a": status, "b": "succeeded"}
    assert ended(execution) == SUCCEEDED


def test_an_operator_may_have_an_unknown_outcome_tried_again(alice: Tenant) -> None:
    execution = submitted(alice, published(alice, [{"name": "a", "action": "sent_once"}]))
    with World(carry_out=comes_to(failed("timeout", ambiguous=True))) as world:
        world.drain()
        commands.resolve(execution.id, "a", "retry", None, reason="it was not sent", actor="key:k")
        world.drain()
    assert attempts(execution, "a") == ["outcome_unknown", "succeeded"]
    assert ended(execution) == SUCCEEDED
