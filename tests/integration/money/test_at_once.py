"""Two or more at the same moment: webhooks, confirmations, cancels, expiries, refunds, redrives, sweeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from executions import commands
from executions.models import Payment, PaymentEvent, Refund
from executions.payments.settling import _expire, settle
from tests.integration.engine.moments import at_once, deadlocks, in_turn, others_connected
from tests.integration.engine.world import World, failing
from tests.integration.http_client import Caller
from tests.integration.money.paying import (
    at_stripe,
    check_books,
    event,
    opened_at_stripe,
    ordered,
    paid,
    refund,
    stands,
    tell,
    told,
)
from tests.integration.money.stripe_server import StripeServer
from tests.waiting import eventually


@pytest.fixture(autouse=True)
def _without_a_deadlock(transactional_db: None) -> Iterator[None]:
    before = deadlocks()
    yield
    eventually(lambda: not others_connected())
    assert deadlocks() == before


@pytest.fixture
def secret(alice: Caller, stripe: StripeServer) -> str:
    return at_stripe(alice, stripe)


def told_once(body: bytes, secret: str) -> Callable[[], None]:
    def act() -> None:
        assert tell(body, secret).status_code == 200

    return act


def cancel(order: Payment) -> Callable[[], None]:
    return lambda: commands.cancel(order.execution_id, "enough", "key:k")


def expire(order: Payment) -> Callable[[], None]:
    return lambda: _expire(order.execution_id)


def test_one_event_that_comes_four_times_at_once_counts_once(alice: Caller, stripe: StripeServer, secret: str) -> None:
    for _ in range(5):
        order = ordered(alice)
        body = paid(stripe, opened_at_stripe(order))
        assert at_once(*[told_once(body, secret)] * 4) == [None] * 4
        assert stands(order) == ("workflow_queued", "paid", 0)
        assert told(order) == ["payment.opened", "payment.paid"]
        assert PaymentEvent.objects.filter(payment=order).count() == 1


def test_a_payment_a_cancel_and_an_expiry_at_once_fit_together(
    alice: Caller, stripe: StripeServer, secret: str
) -> None:
    for _ in range(8):
        order = ordered(alice)
        body = paid(stripe, opened_at_stripe(order))
        at_once(told_once(body, secret), cancel(order), expire(order))
        Refund.objects.filter(status="pending").update(due_at=order.created_at)
        settle()
        execution, payment, back = stands(order)
        assert (execution, payment, back) in {
            ("workflow_queued", "paid", 0),
            ("workflow_cancelled", "refunded", 1250),
        }
        check_books(order)


@pytest.mark.parametrize("paid_first", [True, False])
def test_of_a_payment_and_an_expiry_the_first_decides_and_no_money_is_kept_for_nothing(
    alice: Caller, stripe: StripeServer, secret: str, paid_first: bool
) -> None:
    order = ordered(alice)
    pay = told_once(paid(stripe, opened_at_stripe(order)), secret)
    in_turn(order.execution, *([pay, expire(order)] if paid_first else [expire(order), pay]))
    assert stands(order)[:2] == (("workflow_queued", "paid") if paid_first else ("workflow_cancelled", "paid"))
    assert Refund.objects.filter(payment=order).count() == (not paid_first)


def test_a_payment_and_the_refund_of_it_at_once_leave_nothing_open(
    alice: Caller, stripe: StripeServer, secret: str
) -> None:
    for _ in range(8):
        order = ordered(alice)
        session = opened_at_stripe(order)
        body = paid(stripe, session)
        back = event("refund.created", refund(f"pi_{session}", 1250, name=f"re_{session}_theirs"))
        at_once(told_once(body, secret), told_once(back, secret))
        assert stands(order)[1:] == ("refunded", 1250)
        assert not PaymentEvent.objects.filter(outcome="early").exists()
        check_books(order)


def test_two_confirmations_at_once_pay_once(alice: Caller) -> None:
    for _ in range(5):
        order = ordered(alice)

        def confirm(reference: str, order: Payment = order) -> Callable[[], object]:
            return lambda: commands.confirm_payment(order, reference, "key:k")

        refusals = at_once(confirm("one"), confirm("two"), confirm("one"))
        assert order.charges.count() == 1
        assert refusals.count(None) in {1, 2}
        assert set(refusals) == {None, "not_awaiting_payment"}


def test_refunds_at_once_never_give_back_more_than_was_paid(alice: Caller) -> None:
    order = commands.confirm_payment(ordered(alice), "bank-1", "key:k")
    refusals = at_once(*[lambda: commands.refund_payment(order, 500, "r", "key:k")] * 5)
    assert sorted(refusals, key=str) == [None, None, *["refund_too_large"] * 3]
    assert stands(order) == ("workflow_queued", "partially_refunded", 1000)


def test_many_sweeps_at_once_give_back_once(alice: Caller, world: World, stripe: StripeServer, secret: str) -> None:
    orders = [ordered(alice, [failing("a")]) for _ in range(4)]
    for order in orders:
        tell(paid(stripe, opened_at_stripe(order)), secret)
    world.drain()
    assert at_once(*[settle] * 4) == [None] * 4
    settle()
    assert {stands(order) for order in orders} == {("workflow_failed", "refunded", 1250)}
    assert len(stripe.refunds) == 4
    check_books()


def test_a_redrive_and_a_sweep_at_once_never_run_what_was_given_back(alice: Caller, world: World) -> None:
    for _ in range(6):
        order = commands.confirm_payment(ordered(alice, [failing("a")]), "bank-1", "key:k")
        world.drain()
        refusals = at_once(lambda order=order: commands.redrive(order.execution_id, None, None, "key:k"), settle)  # type: ignore[misc]
        execution, payment, _ = stands(order)
        assert (execution, payment) == (
            ("workflow_queued", "paid") if refusals[0] is None else ("workflow_failed", "refunded")
        )
        assert refusals[0] in {None, "payment_required"}
        world.drain()
        settle()
        assert stands(order)[1] == "refunded"
