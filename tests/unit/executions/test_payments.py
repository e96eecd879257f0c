"""The pure parts of money: what is owed back, amounts as Stripe wants them, notices as they are kept."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executions.money import formatted
from executions.payments.notices import refund_notice, written
from executions.payments.owed import owed
from executions.payments.port import Paid, ProviderRefused, RefundMoved
from executions.payments.stripe_amounts import from_stripe, to_stripe
from executions.payments.words import RefundStatus
from workflows.currencies import CURRENCIES
from workflows.spec import Refund

AN_ID = UUID("01890000-0000-7000-8000-000000000000")


@pytest.mark.parametrize(
    ("policy", "delivered", "amount"),
    [
        (Refund.ON_FAILURE, 3, 1250),
        (Refund.NEVER, 0, 0),
        (Refund.PER_STEP, 0, 1250),
        (Refund.PER_STEP, 1, 938),
        (Refund.PER_STEP, 3, 313),
    ],
)
def test_what_is_owed_back_follows_from_the_policy(policy: Refund, delivered: int, amount: int) -> None:
    assert owed(policy, 1250, 4, delivered) == amount


def test_an_execution_whose_steps_were_never_made_owes_everything() -> None:
    assert owed(Refund.PER_STEP, 1250, 0, 0) == 1250


@given(st.integers(1, 10**12), st.integers(1, 10_000), st.data())
def test_by_the_step_the_payer_never_pays_for_more_than_was_delivered(
    amount: int, steps: int, data: st.DataObject
) -> None:
    delivered = data.draw(st.integers(0, steps))
    back = owed(Refund.PER_STEP, amount, steps, delivered)
    assert 0 <= back <= amount
    assert (amount - back) * steps <= amount * delivered < (amount - back + 1) * steps


@pytest.mark.parametrize(
    ("currency", "minor", "stripes"),
    [
        ("EUR", 1250, 1250),
        ("JPY", 500, 500),
        ("ISK", 500, 50_000),
        ("UGX", 7, 700),
        ("KWD", 1250, 1250),
        ("MGA", 200, 2),
    ],
)
def test_an_amount_is_told_in_stripes_own_unit(currency: str, minor: int, stripes: int) -> None:
    assert (to_stripe(minor, currency), from_stripe(stripes, currency)) == (stripes, minor)


def test_what_stripe_cannot_say_is_refused() -> None:
    with pytest.raises(ProviderRefused):
        to_stripe(150, "MGA")


@given(st.sampled_from(sorted(CURRENCIES)), st.integers(1, 10**12))
def test_every_amount_comes_back_as_it_went(currency: str, amount: int) -> None:
    whole = amount * 100 if currency == "MGA" else amount
    assert from_stripe(to_stripe(whole, currency), currency) == whole


def test_a_notice_comes_back_as_it_was_written() -> None:
    for ours in (None, AN_ID):
        notice = RefundMoved("pi_1", "re_1", 5, "EUR", RefundStatus.PENDING, ours, "requested_by_customer")
        assert refund_notice(written(notice)) == notice
    told = {"kind": "Paid", "order_id": str(AN_ID), "reference": "pi_1", "amount": 5, "currency": "EUR"}
    assert written(Paid(AN_ID, "pi_1", 5, "EUR")) == told


def test_what_goes_out_has_its_sign_before_the_amount() -> None:
    assert [formatted(-5, "EUR"), formatted(-1250, "KWD"), formatted(-5, "JPY")] == [
        "-0.05 EUR",
        "-1.250 KWD",
        "-5 JPY",
    ]
