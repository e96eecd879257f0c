"""Two at the same moment: commands, payments, ends of parents and of their children, places in a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import psycopg
import pytest
from django.db.models import F
from psycopg.rows import dict_row

from executions import commands
from executions.models import Arrival, Attempt, Execution, Payment
from orchestrator.sweep import Swept, forget, sweep
from tenants.models import Tenant
from tests.integration.engine.moments import (
    FEW_SECONDS,
    advance_crossing,
    at_once,
    deadlocks,
    in_turn,
    installation,
    locked,
    others_connected,
    said,
)
from tests.integration.engine.world import (
    World,
    attempts,
    child,
    database_url,
    ended,
    failing,
    noop,
    published,
    statuses,
    submitted,
    wait,
)
from tests.waiting import eventually

BY = "key:k"
GO = wait("go", signal="go")


@pytest.fixture(autouse=True)
def _without_a_deadlock(transactional_db: None) -> Iterator[None]:
    """Also one that an engine got over by trying again fails the test."""
    before = deadlocks()
    yield
    # A connection has counted what it met once it is gone.
    eventually(lambda: not others_connected())
    assert deadlocks() == before


def swept() -> Swept:
    with psycopg.connect(database_url(), autocommit=True, row_factory=dict_row) as swept_by:
        return sweep(swept_by)


def forgotten() -> None:
    with psycopg.connect(database_url(), autocommit=True, row_factory=dict_row) as swept_by:
        forget(swept_by)


def half_a_second_later() -> None:
    """What arrived did so longer ago than the sweep leaves it to others to hear of it."""
    Arrival.objects.update(created_at=F("created_at") - timedelta(seconds=0.5))


def unread() -> list[str]:
    return list(Arrival.objects.filter(consumed_at=None).values_list("kind", flat=True))


def line(alice: Tenant, world: World, generations: int) -> list[Execution]:
    """An execution, the child that it waits for, the child of that one; none of them ends without being told to."""
    workflow = published(alice, [GO])
    for _ in range(generations - 1):
        workflow = published(alice, [child("sub", workflow, on_failure="continue"), GO])
    root = submitted(alice, workflow)
    world.drain()
    below = Execution.objects.filter(submission__root=root.id).order_by("submission__depth")
    return [root, *below]


def cancel(execution: Execution) -> Callable[[], None]:
    return lambda: commands.cancel(execution.id, "enough", BY)


def go(execution: Execution) -> Callable[[], None]:
    return lambda: commands.signal(execution.id, "go", None, BY)


def all_cancelled(family: list[Execution]) -> bool:
    return all(ended(execution) == ("workflow_cancelled", "enough") for execution in family)


@pytest.mark.parametrize("generations", [2, 3])
def test_parents_and_children_that_are_cancelled_under_each_others_locks_end_without_waiting(
    alice: Tenant, world: World, generations: int
) -> None:
    for _ in range(3):
        family = line(alice, world, generations)
        assert at_once(*(cancel(execution) for execution in family)) == [None] * generations

        advance_crossing(generations)

        assert all_cancelled(family)


@pytest.mark.parametrize("generations", [2, 3])
def test_parents_and_children_that_are_cancelled_at_the_same_moment_all_end_soon(
    alice: Tenant, world: World, generations: int
) -> None:
    families = [line(alice, world, generations) for _ in range(6)]
    with installation():
        for family in families:
            refusals = at_once(*(cancel(execution) for execution in family))
            # A child may have ended with its parent before its own cancel came.
            assert refusals[0] is None
            assert set(refusals) <= {None, "already_ended"}
            eventually(lambda family=family: all_cancelled(family), seconds=FEW_SECONDS)  # type: ignore[misc]


def test_a_child_that_ends_in_the_moment_of_its_parents_cancel_leaves_nothing_unread(
    alice: Tenant, world: World
) -> None:
    parent, sub = line(alice, world, 2)
    at_once(cancel(parent), go(sub))

    advance_crossing(2)

    assert ended(parent) == ("workflow_cancelled", "enough")
    assert ended(sub) == ("workflow_succeeded", None)
    assert sorted(unread()) == ["cancel", "child_ended"]
    half_a_second_later()
    assert swept().woken == 0
    forgotten()
    assert unread() == []


def test_a_child_s_end_that_finds_its_parent_locked_is_heard_by_the_next_sweep(alice: Tenant, world: World) -> None:
    parent, sub = line(alice, world, 2)
    go(parent)()
    world.drain()
    with locked(parent):
        go(sub)()
        world.drain()
        assert ended(sub) == ("workflow_succeeded", None)
    assert world.drain() == 0
    assert (ended(parent)[0], unread()) == ("workflow_waiting", ["child_ended"])

    assert swept().woken == 0
    half_a_second_later()
    assert swept().woken == 1
    world.drain()

    assert ended(parent) == ("workflow_succeeded", None)


def test_a_place_that_is_freed_while_the_next_in_line_is_locked_is_given_by_the_next_sweep(
    alice: Tenant, world: World
) -> None:
    workflow = published(alice, [GO], concurrency={"key": "input.key", "limit": 1})
    first, second, third = (submitted(alice, workflow, {"key": "k"}) for _ in range(3))
    world.drain()
    assert swept().woken == 0
    with locked(second):
        go(first)()
        world.drain()
        assert ended(first) == ("workflow_succeeded", None)
    world.drain()
    assert (ended(second)[0], ended(third)[0]) == ("workflow_queued", "workflow_queued")

    assert swept().woken == 1
    world.drain()

    assert (ended(second)[0], ended(third)[0]) == ("workflow_waiting", "workflow_queued")
    assert swept().woken == 0


@pytest.mark.parametrize("paid_first", [True, False])
def test_of_a_payment_and_a_cancel_at_the_same_moment_the_first_decides(
    alice: Tenant, world: World, paid_first: bool
) -> None:
    workflow = published(alice, [noop("a")], price={"amount": 100, "currency": "EUR"})
    for _ in range(10):
        execution = submitted(alice, workflow)
        payment = Payment.objects.get(execution=execution)
        acts = [pay(payment), cancel(execution)]

        refusals = in_turn(execution, *(acts if paid_first else acts[::-1]))

        payment.refresh_from_db()
        execution.refresh_from_db()
        if paid_first:
            assert refusals == [None, None]
            assert (payment.status, execution.status, unread()) == ("paid", "workflow_queued", ["cancel"])
        else:
            assert refusals == [None, "not_awaiting_payment"]
            assert (payment.status, execution.status, unread()) == ("expired", "workflow_cancelled", [])
        world.drain()
        assert ended(execution) == ("workflow_cancelled", "enough")
        assert not Attempt.objects.exists()


def test_payments_and_cancels_that_race_never_fit_ill(alice: Tenant) -> None:
    workflow = published(alice, [noop("a")], price={"amount": 100, "currency": "EUR"})
    for _ in range(20):
        execution = submitted(alice, workflow)
        payment = Payment.objects.get(execution=execution)

        refusals = at_once(pay(payment), cancel(execution))

        payment.refresh_from_db()
        execution.refresh_from_db()
        paid = [None, None], "paid", "workflow_queued"
        expired = ["not_awaiting_payment", None], "expired", "workflow_cancelled"
        assert (refusals, payment.status, execution.status) in (paid, expired)


def pay(payment: Payment) -> Callable[[], object]:
    return lambda: commands.confirm_payment(payment, "bank-1", BY)


@pytest.mark.parametrize("paused_first", [True, False])
def test_a_pause_and_a_cancel_at_the_same_moment_end_in_the_cancel(
    alice: Tenant, world: World, paused_first: bool
) -> None:
    execution = submitted(alice, published(alice, [GO]))
    world.drain()
    acts = [lambda: commands.pause(execution.id, BY), cancel(execution)]

    assert in_turn(execution, *(acts if paused_first else acts[::-1])) == [None, None]

    world.drain()
    assert ended(execution) == ("workflow_cancelled", "enough")
    assert said(lambda: commands.resume(execution.id, BY)) == "already_ended"


def test_of_two_redrives_at_the_same_moment_one_is_refused(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, [failing("bad")]))
    world.drain()

    def redrive() -> None:
        commands.redrive(execution.id, None, None, BY)

    assert in_turn(execution, redrive, redrive) == [None, "not_redrivable"]

    world.drain()
    assert attempts(execution, "bad") == ["failed", "failed"]
    assert execution.earlier_runs.count() == 1


@pytest.mark.parametrize("approved_first", [True, False])
def test_of_two_decisions_at_the_same_moment_the_first_counts(
    alice: Tenant, world: World, approved_first: bool
) -> None:
    execution = submitted(alice, published(alice, [wait("ok", approval=True)]))
    world.drain()

    def decide(approved: bool) -> Callable[[], None]:
        return lambda: commands.decide(execution.id, "ok", approved=approved, comment=None, actor=BY, called=None)

    refusals = in_turn(execution, decide(approved_first), decide(not approved_first))

    assert refusals == [None, "already_decided"]
    world.drain()
    assert statuses(execution) == {"ok": "succeeded" if approved_first else "failed"}
