"""The ledger: it is never changed, every posting comes to zero, and it says what is so, whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.problems import Conflict
from executions import commands
from executions.models import LedgerEntry, Payment, Refund
from executions.payments.settling import settle
from tests.integration.http_client import Caller
from tests.integration.money.paying import (
    at_stripe,
    check_books,
    event,
    opened_at_stripe,
    ordered,
    refund,
    stands,
    tell,
)
from tests.integration.money.stripe_server import StripeServer

STRIPE = {"refund_status": ("succeeded", "pending", "failed"), "refuses": (None, "no"), "down": (False, True)}


@pytest.fixture
def entries(alice: Caller) -> list[LedgerEntry]:
    commands.confirm_payment(ordered(alice), "bank-1", "key:k")
    return list(LedgerEntry.objects.order_by("account"))


def test_a_payment_has_its_entries_with_a_fee_of_nothing(entries: list[LedgerEntry]) -> None:
    said = [(entry.posting, entry.account, entry.amount, entry.currency) for entry in entries]
    assert said == [
        ("paid", "fees", 0, "EUR"),
        ("paid", "provider", 1250, "EUR"),
        ("paid", "sales", -1250, "EUR"),
    ]


def test_an_entry_is_neither_changed_nor_deleted(entries: list[LedgerEntry]) -> None:
    for wrong in (
        lambda: LedgerEntry.objects.update(amount=0),
        lambda: LedgerEntry.objects.all().delete(),
    ):
        with pytest.raises(IntegrityError, match="added, never changed"), transaction.atomic():
            wrong()
    assert LedgerEntry.objects.count() == len(entries)


@pytest.mark.parametrize("wrong", [{"amount": 5}, {"currency": "USD", "amount": 0}])
def test_a_posting_that_does_not_come_to_zero_is_not_committed(
    entries: list[LedgerEntry], wrong: dict[str, Any]
) -> None:
    entry = entries[0]
    entry.pk, entry.account = None, "refunds_owed"
    for name, value in wrong.items():
        setattr(entry, name, value)
    with pytest.raises(IntegrityError, match="come to zero"), transaction.atomic():
        entry.save(force_insert=True)


def test_an_entry_is_made_once(entries: list[LedgerEntry]) -> None:
    entries[0].pk = None
    with pytest.raises(IntegrityError, match="ledger_entry_once"), transaction.atomic():
        entries[0].save(force_insert=True)


class Order:
    """One order at Stripe, and everything that may happen to it."""

    def __init__(self, alice: Caller, server: StripeServer, secret: str) -> None:
        self.server, self.secret, self.alice = server, secret, alice
        self.payment = ordered(alice)
        self.session = opened_at_stripe(self.payment)
        self.paid = dict(server.pay(self.session))

    def pay(self, name: str) -> None:
        self._told("checkout.session.completed", {**self.paid, "payment_intent": f"pi_{self.session}_{name}"})

    def process(self) -> None:
        self._told("checkout.session.completed", {**self.paid, "payment_status": "unpaid"})

    def fail(self) -> None:
        self._told("checkout.session.async_payment_failed", self.paid)

    def expire(self) -> None:
        self._told("checkout.session.expired", {**self.paid, "status": "expired"})

    def refund_there(self, name: str, number: int, amount: int, status: str) -> None:
        about = refund(f"pi_{self.session}_{name}", amount, status, f"re_{self.session}_{name}_{number}")
        self._told("refund.updated", about)

    def tell_of_ours(self, outcome: str, **which: str) -> None:
        for row in Refund.objects.filter(payment=self.payment, **which).select_related("charge"):
            name = row.reference or f"re_ours_{row.id}"
            self._told("refund.updated", refund(row.charge.reference, row.amount, outcome, name, refund=str(row.id)))

    def ask_back(self, amount: int) -> None:
        answer = self.alice.post(f"/v1/payments/{self.payment.order_id}/refund", {"amount": amount, "reason": "r"})
        assert answer.status_code in {200, 409}

    def cancel(self) -> None:
        try:
            commands.cancel(self.payment.execution_id, None, "key:k")
        except Conflict:
            assert stands(self.payment)[0] == "workflow_cancelled"

    def sweep(self) -> None:
        Refund.objects.filter(status="pending").update(due_at=self.payment.created_at)
        settle()

    def stripe_becomes(self, name: str, value: Any) -> None:
        setattr(self.server, name, value)

    def _told(self, kind: str, about: dict[str, Any]) -> None:
        assert tell(event(kind, about), self.secret).status_code == 200


def deeds() -> st.SearchStrategy[Callable[[Order], None]]:
    def of(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Callable[[Order], None]]:
        return st.tuples(*arguments).map(lambda given: lambda order: getattr(order, name)(*given))

    names, statuses = st.sampled_from("ab"), st.sampled_from(["pending", "succeeded", "failed"])
    amounts = st.sampled_from([1, 600, 1250])
    return st.one_of(
        of("pay", names), of("pay", names), of("process"), of("fail"), of("expire"), of("cancel"), of("sweep"),
        of("refund_there", names, st.integers(1, 2), amounts, statuses), of("tell_of_ours", statuses),
        of("ask_back", amounts),
        st.sampled_from([(name, value) for name, values in STRIPE.items() for value in values]).map(
            lambda change: lambda order: order.stripe_becomes(*change)
        ),
    )  # fmt: skip


def test_the_books_are_right_after_anything_in_any_order(alice: Caller, stripe: StripeServer) -> None:
    secret = at_stripe(alice, stripe)

    @settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], derandomize=False, database=None)
    @given(st.lists(deeds(), min_size=3, max_size=12))
    def holds(done: list[Callable[[Order], None]]) -> None:
        vars(stripe).update(refund_status="succeeded", refuses=None, down=False)
        order = Order(alice, stripe, secret)
        for deed in done:
            deed(order)
            check_books(order.payment)
        vars(stripe).update(refund_status="succeeded", refuses=None, down=False)
        order.sweep()
        # What Stripe took as pending has come about only once Stripe says so, which it does in the end.
        order.tell_of_ours("succeeded", status="pending")
        order.sweep()
        check_books(order.payment)
        assert_nothing_is_kept_for_nothing(order.payment)

    holds()


def assert_nothing_is_kept_for_nothing(payment: Payment) -> None:
    """Of an execution that was never queued, every charge was given back; of any other, all but what paid it."""
    payment.refresh_from_db()
    queued = stands(payment)[0] == "workflow_queued"
    for charge in payment.charges.filter(main=False) if queued else payment.charges.all():
        failed = charge.refunds.filter(status="failed").exists()
        assert failed or charge.refunded_amount == charge.amount
    if queued:
        assert payment.charges.filter(main=True).exists()
