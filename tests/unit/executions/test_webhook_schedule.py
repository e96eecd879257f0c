"""When a delivery is sent again, and how long an endpoint is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executions.webhooks import schedule
from executions.webhooks.schedule import DEFAULT_RETRIES, LONGEST_DELAY, rest, retry_delay
from executions.webhooks.words import DEFAULT, SUBSCRIBABLE, TYPES


@given(st.integers(1, 1_000), st.text())
def test_a_delay_grows_fourfold_to_five_hours_and_has_up_to_a_fifth_on_top(failures: int, seed: str) -> None:
    grown = 5.0 * 4 ** (failures - 1) if failures < 7 else 5 * 3600.0
    assert grown <= retry_delay(failures, seed) <= grown * 1.2


def test_deliveries_that_failed_together_are_not_sent_again_together() -> None:
    assert len({retry_delay(5, f"delivery {number}") for number in range(100)}) == 100
    assert retry_delay(5, "a") == retry_delay(5, "a")


def test_the_retries_of_a_delivery_take_about_a_day() -> None:
    hours = sum(retry_delay(failures, "a") for failures in range(1, DEFAULT_RETRIES + 1)) / 3600
    assert 21.8 < hours < 26.3


@pytest.mark.parametrize(("asked", "least"), [(None, 5.0), (2.0, 5.0), (60.0, 60.0), (10**9, LONGEST_DELAY)])
def test_a_receiver_may_ask_for_a_longer_delay_but_not_for_ever(asked: float | None, least: float) -> None:
    assert least <= retry_delay(1, "a", asked) <= max(least, 6.0)


def test_an_endpoint_rests_longer_after_each_failure_in_a_row_to_a_minute() -> None:
    assert [rest(failures) for failures in (1, 2, 3, 6, 7, 1_000)] == [1, 2, 4, 32, 60, 60]
    assert rest(1, 30.0) == 30
    assert rest(1, 10**9) == 60


def test_a_lease_outlasts_every_attempt() -> None:
    assert schedule.LEASE > 2 * schedule.TIMEOUT


def test_what_may_be_subscribed_to_is_every_type_and_each_family() -> None:
    assert {"execution.*", "step.*", "payment.*", "*"} == SUBSCRIBABLE - TYPES
    assert set(DEFAULT) <= SUBSCRIBABLE
