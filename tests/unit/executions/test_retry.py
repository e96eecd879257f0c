"""After which failures another attempt follows, and how long after."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executions.retry import MAX_LOST, Failure, delay, lost_delay
from workflows.expressions import ERROR_ROOTS, compile_expression
from workflows.spec import ErrorFilter, RetryPolicy

FAILED = Failure("http_error", "the answer was 503")


def fixed(**members: object) -> RetryPolicy:
    return RetryPolicy(**{"max_attempts": 10, "backoff": "fixed", "jitter": False, **members})  # type: ignore[arg-type]


def exponential(**members: object) -> RetryPolicy:
    return fixed(**{"backoff": "exponential", **members})


def test_the_last_of_the_attempts_is_followed_by_none() -> None:
    assert [delay(fixed(max_attempts=3), failures, FAILED, None, "s") for failures in (1, 2, 3, 4)] == [
        1,
        1,
        None,
        None,
    ]


def test_what_can_never_succeed_is_followed_by_none() -> None:
    assert delay(fixed(), 1, Failure("invalid", "", retryable=False), None, "s") is None


def test_exponential_backoff_doubles_up_to_its_cap() -> None:
    policy = exponential(initial_seconds=2.0, max_seconds=30.0)
    assert [delay(policy, failures, FAILED, None, "s") for failures in range(1, 7)] == [2, 4, 8, 16, 30, 30]


def test_a_fixed_backoff_is_capped_too() -> None:
    assert delay(fixed(initial_seconds=90.0, max_seconds=60.0), 1, FAILED, None, "s") == 60


@given(failures=st.integers(1, 99), seed=st.text(max_size=20), initial=st.floats(0, 86_400), most=st.floats(0, 86_400))
def test_jitter_leaves_at_least_half_and_never_adds(failures: int, seed: str, initial: float, most: float) -> None:
    members = {"max_attempts": 100, "initial_seconds": initial, "max_seconds": most}
    whole = delay(exponential(**members), failures, FAILED, None, seed)
    shortened = delay(exponential(**members, jitter=True), failures, FAILED, None, seed)
    assert whole is not None
    assert shortened is not None
    assert whole / 2 <= shortened <= whole <= most


def test_jitter_is_the_same_for_the_same_attempt_and_another_for_another() -> None:
    policy = fixed(jitter=True)
    found = {delay(policy, failures, FAILED, None, seed) for failures in (1, 2, 3) for seed in ("a", "b", "c")}
    assert len(found) == 9
    assert delay(policy, 1, FAILED, None, "a") == delay(policy, 1, FAILED, None, "a")


@pytest.mark.parametrize(("asked", "seconds"), [(None, 5), (0.0, 5), (3.0, 5), (7.5, 7.5), (3600.0, 3600)])
def test_what_the_other_side_asks_for_is_a_lower_bound_even_above_the_cap(asked: float | None, seconds: float) -> None:
    failure = Failure("http_error", "", retry_after=asked)
    assert delay(fixed(initial_seconds=5.0), 1, failure, None, "s") == seconds


@pytest.mark.parametrize(
    ("on", "details", "again"),
    [
        (ErrorFilter(kinds=("http_error",)), None, True),
        (ErrorFilter(kinds=("timeout",)), None, False),
        (ErrorFilter(statuses=((503, 503),)), {"status": 503}, True),
        (ErrorFilter(statuses=((503, 503),)), {"status": 502}, False),
        (ErrorFilter(statuses=((500, 599),)), {"status": 599}, True),
        (ErrorFilter(statuses=((500, 599),)), {"status": 600}, False),
        (ErrorFilter(statuses=((500, 599),)), {"status": "503"}, False),
        (ErrorFilter(statuses=((500, 599),)), [503], False),
        (ErrorFilter(statuses=((500, 599),)), None, False),
        (ErrorFilter(kinds=("http_error",), statuses=((503, 503),)), {"status": 400}, True),
    ],
)
def test_only_the_errors_that_are_named_are_retried(on: ErrorFilter, details: object, again: bool) -> None:
    assert (delay(fixed(on=on), 1, FAILED, details, "s") is not None) is again


@pytest.mark.parametrize(
    ("condition", "again"),
    [
        ("error.kind == 'http_error'", True),
        ("error.message.contains('503')", True),
        ("error.details.status == 503", True),
        ("error.details.status < 500", False),
        ("error.details.nothing", False),
        ("error.message", False),
    ],
)
def test_a_condition_on_the_error_decides_and_one_that_errors_means_nothing(condition: str, again: bool) -> None:
    on = ErrorFilter(condition=compile_expression(condition, ERROR_ROOTS))
    assert (delay(fixed(on=on), 1, FAILED, {"status": 503}, "s") is not None) is again


@pytest.mark.parametrize(("on", "again"), [(None, False), (ErrorFilter(kinds=("http_error",)), True)])
def test_some_failures_are_retried_only_where_the_policy_names_them(on: ErrorFilter | None, again: bool) -> None:
    asked_for = Failure("http_error", "", on_request=True)
    assert (delay(fixed(on=on), 1, asked_for, None, "s") is not None) is again


def test_a_lost_attempt_is_tried_again_at_once_then_ever_later_and_in_the_end_not_at_all() -> None:
    delays = [lost_delay(lost) for lost in range(1, MAX_LOST + 1)]
    assert delays == [0, 1, 3, 7, None]
