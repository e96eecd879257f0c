"""However an execution that was paid for ends: what its price's policy owes is given back, exactly once."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from contract.problems import Conflict
from executions import commands
from executions.models import Execution, Payment, PaymentEvent, Refund
from executions.payments import settling
from executions.payments.settling import EARLY_KEPT_FOR, forget, settle, settle_for_ever
from tests.integration.engine.world import World, failing, noop, wait
from tests.integration.http.arranging import created, published
from tests.integration.http_client import Caller
from tests.integration.money.paying import (
    PRICE,
    at_stripe,
    books,
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

WHEN = datetime(2026, 11, 22, tzinfo=UTC)
FAILED = [noop("a"), failing("b", "a"), noop("c", "b"), noop("d", "c")]


def confirmed(alice: Caller, steps: Any = None, **price: Any) -> Payment:
    return commands.confirm_payment(ordered(alice, steps, **price), "bank-1", "key:k")


def settled_twice() -> None:
    for _ in range(2):
        settle()


@pytest.mark.parametrize(
    ("policy", "given_back", "status"),
    [("on_failure", 1250, "refunded"), ("never", 0, "paid"), ("per_step", 938, "partially_refunded")],
)
def test_a_failed_execution_gives_back_what_its_policy_owes(
    alice: Caller, world: World, policy: str, given_back: int, status: str
) -> None:
    order = confirmed(alice, FAILED, refund=policy)
    settled_twice()
    assert stands(order) == ("workflow_queued", "paid", 0)
    world.drain()
    settled_twice()
    assert stands(order) == ("workflow_failed", status, given_back)
    assert told(order).count("payment.refunded") == bool(given_back)
    check_books()


def test_what_succeeded_is_kept(alice: Caller, world: World) -> None:
    order = confirmed(alice)
    world.drain()
    settled_twice()
    assert stands(order) == ("workflow_succeeded", "paid", 0)
    assert not Execution.objects.filter(unsettled=True).exists()


def test_a_step_that_was_undone_is_not_kept(alice: Caller, world: World) -> None:
    undo = {"type": "tool_call", "config": {"tool": "noop", "arguments": {}}}
    order = confirmed(alice, [noop("a", compensate=undo), noop("b", "a"), failing("c", "b")], refund="per_step")
    world.drain()
    settle()
    assert stands(order) == ("workflow_failed", "partially_refunded", 834)


@pytest.mark.parametrize("policy", ["on_failure", "per_step"])
def test_what_is_cancelled_before_it_starts_is_given_back_whole(alice: Caller, world: World, policy: str) -> None:
    order = confirmed(alice, refund=policy)
    commands.cancel(order.execution_id, "enough", "key:k")
    world.drain()
    settled_twice()
    assert stands(order) == ("workflow_cancelled", "refunded", 1250)


def test_what_runs_out_of_time_is_given_back(alice: Caller, world: World) -> None:
    workflow = published(alice, [wait("go", signal="go")], price=PRICE, timeout_seconds=1)
    order = Payment.objects.get(order_id=created(alice, workflow)["execution"]["orderId"])
    commands.confirm_payment(order, "bank-1", "key:k")
    world.drain()
    world.drain_after(2)
    settled_twice()
    assert stands(order) == ("workflow_failed", "refunded", 1250)
    assert Execution.objects.get().status_reason == "deadline_exceeded"


def test_what_was_given_back_in_part_already_is_not_given_back_twice(alice: Caller, world: World) -> None:
    order = confirmed(alice, FAILED)
    commands.refund_payment(order, 1000, "slow", "key:k")
    world.drain()
    settled_twice()
    assert stands(order) == ("workflow_failed", "refunded", 1250)
    assert sorted(Refund.objects.values_list("amount", flat=True)) == [250, 1000]


def test_what_was_given_back_is_not_redriven(alice: Caller, world: World) -> None:
    order = confirmed(alice, FAILED)
    world.drain()
    settle()
    answer = alice.post(f"/v1/executions/{order.execution_id}/redrive")
    assert (answer.status_code, answer.json()["details"][0]["code"]) == (409, "payment_required")


def test_what_was_redriven_in_time_is_not_given_back_before_it_has_failed_again(alice: Caller, world: World) -> None:
    order = confirmed(alice, [failing("a", times=1)])
    world.drain()
    commands.redrive(order.execution_id, None, None, "key:k")
    settled_twice()
    assert stands(order) == ("workflow_queued", "paid", 0)
    world.drain()
    settle()
    assert stands(order) == ("workflow_succeeded", "paid", 0)


def test_a_price_that_is_never_given_back_is_redriven(alice: Caller, world: World) -> None:
    order = confirmed(alice, [failing("a", times=1)], refund="never")
    world.drain()
    settled_twice()
    commands.redrive(order.execution_id, None, None, "key:k")
    world.drain()
    assert stands(order) == ("workflow_succeeded", "paid", 0)


def test_an_order_that_nobody_pays_expires_with_its_execution(alice: Caller, settings: Any) -> None:
    settings.PAYMENTS_SANDBOX = True
    order = ordered(alice)
    assert order.expires_at is not None
    assert order.expires_at - order.created_at == timedelta(hours=24)
    settle()
    assert stands(order)[0] == "awaiting_payment"
    Payment.objects.update(expires_at=F("created_at"))
    settled_twice()
    assert stands(order) == ("workflow_cancelled", "expired", 0)
    assert told(order) == ["payment.opened", "payment.expired"]
    with pytest.raises(Conflict):
        commands.confirm_payment(order, "late", "key:k")


def test_what_an_operator_sees_to_does_not_expire(alice: Caller) -> None:
    assert ordered(alice).expires_at is None


class TestAtStripe:
    """The provider is asked outside of any transaction, and may be away."""

    @pytest.fixture
    def order(self, alice: Caller, stripe: StripeServer, world: World) -> Payment:
        secret = at_stripe(alice, stripe)
        order = ordered(alice, FAILED)
        tell(paid(stripe, opened_at_stripe(order)), secret)
        world.drain()
        return order

    def test_it_is_asked_at_once(self, order: Payment, stripe: StripeServer) -> None:
        settled_twice()
        assert stands(order) == ("workflow_failed", "refunded", 1250)
        assert stripe.asked_for("POST", "/v1/refunds") == 1

    def test_while_it_is_away_the_refund_waits_and_nothing_is_redriven(
        self, order: Payment, stripe: StripeServer
    ) -> None:
        stripe.down = True
        settled_twice()
        assert stands(order) == ("workflow_failed", "paid", 0)
        assert books(order) == {"provider": 1250, "refunds_owed": -1250}
        with pytest.raises(Conflict, match="not paid for"):
            commands.redrive(order.execution_id, None, None, "key:k")
        stripe.down = False
        Refund.objects.update(due_at=order.created_at)
        settled_twice()
        assert stands(order) == ("workflow_failed", "refunded", 1250)
        check_books()

    @pytest.mark.parametrize("dies", ["before it asks", "after it has asked"])
    def test_a_sweeper_that_dies_in_between_gives_back_once(
        self, order: Payment, stripe: StripeServer, dies: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        where = {"before it asks": "refunding.wanted", "after it has asked": "refunding.settle"}[dies]

        def die(*_: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(f"executions.payments.settling.{where}", die)
            with pytest.raises(KeyboardInterrupt):
                settle()
        assert stands(order) == ("workflow_failed", "paid", 0)
        stripe.keyed.clear()
        Refund.objects.update(due_at=order.created_at)
        settled_twice()
        assert stands(order) == ("workflow_failed", "refunded", 1250)
        assert len(stripe.refunds) == 1
        check_books()


def test_what_raises_for_one_order_is_tried_again_and_holds_up_no_other(
    alice: Caller, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange, other = confirmed(alice, FAILED), confirmed(alice, FAILED)
    world.drain()

    def refund_of(order: Any) -> Any:
        assert order.payment != strange, "this one is strange"
        return found(order)

    found = settling._refund_of
    with monkeypatch.context() as patch:
        patch.setattr(settling, "_refund_of", refund_of)
        settle()
    assert (stands(strange)[1], stands(other)[1]) == ("paid", "refunded")
    settle()
    assert stands(strange)[1] == "refunded"


@pytest.mark.parametrize("look", [settling._ended, lambda: settling._overdue(WHEN), lambda: settling._claim(WHEN)])
def test_a_look_reads_what_is_to_be_settled_and_nothing_else(transactional_db: None, look: Any) -> None:
    with connection.cursor() as cursor, CaptureQueriesContext(connection) as captured:
        cursor.execute("SET enable_seqscan = off")
        look()
    [asked] = [query["sql"] for query in captured.captured_queries if "enable_seqscan" not in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {asked}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")
    assert re.search("execution_unsettled|payment_expiring|refund_due", plan), plan


def test_the_sweeper_settles_by_itself(alice: Caller, world: World) -> None:
    order = confirmed(alice, FAILED)
    world.drain()
    over = threading.Event()
    thread = threading.Thread(target=settle_for_ever, args=(over,))
    thread.start()
    try:
        eventually(lambda: stands(order)[1] == "refunded", seconds=20)
    finally:
        over.set()
        thread.join()


def test_what_was_told_of_payments_that_never_became_ours_is_forgotten(alice: Caller, stripe: StripeServer) -> None:
    secret = at_stripe(alice, stripe)
    for name in ("pi_old", "pi_new"):
        tell(event("refund.created", refund(name, 5)), secret)
    old = PaymentEvent.objects.filter(reference="pi_old")
    old.update(received_at=F("received_at") - EARLY_KEPT_FOR)
    forget()
    assert list(PaymentEvent.objects.values_list("reference", flat=True)) == ["pi_new"]
