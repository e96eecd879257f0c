"""Carrying a claim out: whatever a tool does, a readable outcome comes back and the worker lives."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from contract import json_values
from orchestrator.actions import time_limit
from orchestrator.actions.action import ActionFailed
from orchestrator.actions.time_limit import TimedOut, within
from orchestrator.outcomes import Failed, Succeeded
from tests.unit.orchestrator.claims import LIMIT, carry, failed
from workflows.effects import Effect
from workflows.failures import StepFailed


def raising(error: BaseException) -> Callable[[], Any]:
    def function() -> Any:
        raise error

    return function


def returning(value: Any) -> Callable[[], Any]:
    return lambda: value


def cyclic() -> list[Any]:
    value: list[Any] = []
    value += [value, value]
    return value


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def doubling(times: int) -> Any:
    """Small in memory, 2^times values as JSON."""
    value: Any = 1
    for _ in range(times):
        value = [value, value]
    return value


class Unshowable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text either")


class Fraction(float):
    """A float that the JSON writer does not know, as numpy's are."""


# Raised


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("bad value"), "ValueError: bad value"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt: "),
        (GeneratorExit(), "GeneratorExit: "),
        (BaseExceptionGroup("two", [SystemExit(1), ValueError()]), "BaseExceptionGroup: two (2 sub-exceptions)"),
        (MemoryError(), "MemoryError: "),
        (ValueError("a\x00b\ud800c"), "ValueError: a\ufffdb?c"),
        (Unshowable(), "Unshowable: (its text could not be made: RuntimeError)"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "why"), "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff"),
    ],
)
def test_a_tool_that_raises_fails_its_attempt_with_a_readable_error(error: BaseException, message: str) -> None:
    failure = failed(carry(raising(error))).failure
    assert (failure.kind, failure.retryable) == ("exception", True)
    assert failure.message.startswith(message)


def test_a_tool_that_recurses_for_ever_fails_its_attempt() -> None:
    def recurse() -> Any:
        return [recurse()]

    assert failed(carry(recurse)).failure.message.startswith("RecursionError: maximum recursion depth")


def test_a_tool_that_asks_for_all_memory_fails_its_attempt() -> None:
    assert failed(carry(lambda: bytes(2**62))).failure.message.startswith("MemoryError")


def test_a_message_is_not_longer_than_an_error_needs() -> None:
    assert len(failed(carry(raising(ValueError("x" * 1_000_000)))).failure.message) < 5_000
    assert len(failed(carry(raising(ActionFailed("k" * 1_000, "x" * 1_000_000)))).failure.message) < 5_000


def test_an_error_that_names_its_kind_keeps_it() -> None:
    error = ActionFailed("declined", "no", retryable=False, retry_after=3, details={"code": 7})
    assert carry(raising(error)) == Failed(failed(carry(raising(error))).failure, {"code": 7})
    failure = failed(carry(raising(error))).failure
    assert (failure.kind, failure.message, failure.retryable, failure.retry_after) == ("declined", "no", False, 3.0)
    refusal = failed(carry(raising(StepFailed("odd", "why", details=[1]))))
    assert (refusal.failure.kind, refusal.failure.retryable, refusal.details) == ("odd", False, [1])


@pytest.mark.parametrize(
    ("seconds", "kept"), [(float("inf"), None), (float("nan"), None), (-1, 0.0), (1e300, 86_400.0), ("soon", None)]
)
def test_a_delay_asked_for_is_one_that_can_be_added_to_a_time(seconds: Any, kept: float | None) -> None:
    assert failed(carry(raising(ActionFailed("busy", "later", retry_after=seconds)))).failure.retry_after == kept


@pytest.mark.parametrize("details", [object(), {"a": b"x"}, "\ud800", float("nan"), cyclic(), Fraction(1)])
def test_details_that_cannot_be_stored_are_left_out_with_the_reason(details: Any) -> None:
    outcome = failed(carry(raising(ActionFailed("odd", "why", details=details))))
    assert outcome.failure.kind == "odd"
    json_values.check(outcome.details)
    assert outcome.details.startswith("left out: ")


def test_what_an_error_is_made_of_may_be_anything() -> None:
    error = ActionFailed(3, object(), retryable=1)  # type: ignore[arg-type]
    failure = failed(carry(raising(error))).failure
    assert (failure.kind, failure.retryable) == ("3", True)
    assert failure.message.startswith("<object object")


# Returned


@pytest.mark.parametrize("value", [None, True, 0, 1.5, "", "caf\xe9", [], {}, {"a": [1, {"b": None}]}, nested(64)])
def test_json_is_what_a_tool_may_return(value: Any) -> None:
    outcome = carry(returning(value))
    assert isinstance(outcome, Succeeded)
    assert json_values.load(outcome.output) == value


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (object(), "a value of type object"),
        (b"x", "a value of type bytes"),
        ({1, 2}, "a value of type set"),
        ((1, 2), "a value of type tuple"),
        ({"a": {"b/c": float("nan")}}, "at /a/b~1c: NaN"),
        (float("inf"), "infinity"),
        (2**53, "beyond"),
        ([-(2**70)], "at /0: an integer beyond"),
        ("\ud800", "a lone surrogate"),
        ({"\udfff": 1}, "a lone surrogate"),
        ("a\x00", "a NUL character"),
        ({1: 2}, "a member name is int"),
        (nested(65), "more than 64 levels"),
        (cyclic(), "more than 64 levels"),
        (Fraction(1.5), "Fraction"),
        (lambda: 1, "a value of type function"),
    ],
)
def test_what_is_not_json_fails_the_attempt_and_says_where_and_why(value: Any, word: str) -> None:
    failure = failed(carry(returning(value))).failure
    assert (failure.kind, failure.retryable) == ("invalid_output", False)
    assert failure.message.startswith("the output is not JSON")
    assert word in failure.message


def test_an_output_that_is_too_large_fails_the_attempt_with_its_size() -> None:
    failure = failed(carry(returning("x" * LIMIT))).failure
    assert (failure.kind, failure.retryable) == ("output_too_large", False)
    assert failure.message == "the output has 10,002 bytes, more than the 10,000 allowed"
    assert isinstance(carry(returning("x" * (LIMIT - 2))), Succeeded)


# Time


def swallowing() -> None:
    while True:
        try:
            time.sleep(10)
        except Exception:  # noqa: BLE001 - what is tried here
            continue


def swallowing_all_but_once() -> str:
    for _ in range(2):
        try:
            time.sleep(10)
        except BaseException:  # noqa: BLE001
            continue
    return "done"


def turning_it_into_another() -> None:
    try:
        time.sleep(10)
    except BaseException as error:
        raise ValueError("another") from error


def spinning() -> None:
    while True:
        pass


@pytest.mark.parametrize(
    "function",
    [
        lambda: time.sleep(10),
        lambda: threading.Event().wait(),
        lambda: threading.Lock().__enter__() and threading.Semaphore(0).acquire(),
        spinning,
        swallowing,
        swallowing_all_but_once,
        turning_it_into_another,
        returning(doubling(60)),
        raising(ActionFailed("odd", "why", details=doubling(60))),
    ],
    ids=["sleep", "event", "lock", "spin", "swallow", "swallow once", "turn", "endless output", "endless details"],
)
def test_a_tool_is_interrupted_when_its_time_is_over(function: Callable[[], Any]) -> None:
    began = time.monotonic()
    failure = failed(carry(function, timeout_seconds=0.2)).failure

    assert (failure.kind, failure.retryable) == ("timeout", True)
    assert failure.message == "the step took longer than its 0.2 seconds"
    assert 0.2 <= time.monotonic() - began < 5


def test_an_at_most_once_step_that_ran_out_of_time_is_not_tried_again() -> None:
    outcome = carry(lambda: time.sleep(10), timeout_seconds=0.2, effect=Effect.AT_MOST_ONCE)
    assert (failed(outcome).failure.kind, failed(outcome).failure.retryable) == ("timeout", False)


def test_nothing_rings_after_a_step_and_what_stood_before_stands_again() -> None:
    before = signal.getsignal(signal.SIGALRM)
    carry(lambda: time.sleep(10), timeout_seconds=0.1)
    carry(returning(1))

    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before
    time.sleep(0.2)


def test_an_alarm_at_any_moment_leaves_nothing_behind() -> None:
    """Time-outs that end all around a call's own end: either way, and the timer is off."""
    seen: set[object] = set()
    for microseconds in range(20, 420):
        try:
            seen.add(within(microseconds / 1e6, lambda: sum(range(2_000))))
        except TimedOut:
            seen.add("timed out")
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert seen == {sum(range(2_000)), "timed out"}


def test_an_alarm_after_the_call_s_end_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before, rest = signal.getsignal(signal.SIGALRM), time_limit._watchdog.rest

    def late() -> None:
        signal.raise_signal(signal.SIGALRM)
        rest()

    monkeypatch.setattr(time_limit._watchdog, "rest", late)
    assert within(5, lambda: 1) == 1
    assert signal.getsignal(signal.SIGALRM) is before


def test_a_call_that_answers_its_interruption_with_another_error_still_timed_out() -> None:
    with pytest.raises(TimedOut):
        within(0.1, turning_it_into_another)


def test_off_the_main_thread_a_call_is_made_without_a_limit() -> None:
    got: list[int] = []
    thread = threading.Thread(target=lambda: got.append(within(5, lambda: 1)))
    thread.start()
    thread.join()
    assert got == [1]


# What ends the process


def run(body: str) -> subprocess.CompletedProcess[str]:
    """A worker process of its own that carries `tool` out and then says what came of it."""
    script = """
        import ctypes, itertools, os, signal, sys, time
        from orchestrator.actions import time_limit
        from tests.unit.orchestrator.claims import carry
        time_limit.WATCHDOG_SECONDS = 0.5
        time_limit.TICK_SECONDS = 0.1
    """
    text = textwrap.dedent(script) + textwrap.dedent(body)
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "blocking",
    [
        "time.sleep(0.15); sum(itertools.repeat(0))",
        "sum(itertools.repeat(0))",
        "lock = ctypes.CDLL(None).pthread_mutex_lock; m = ctypes.create_string_buffer(64)\n    lock(m); lock(m)",
        "while True:\n        try:\n            time.sleep(9)\n        except BaseException:\n            pass",
    ],
    ids=["the GIL later", "the GIL", "without the GIL", "every interruption swallowed"],
)
def test_a_tool_that_nothing_interrupts_ends_its_process_and_shows_where_it_was(blocking: str) -> None:
    began = time.monotonic()
    ended = run(f"def tool():\n    {blocking}\nprint(carry(tool, timeout_seconds=0.2))")

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "in tool" in ended.stderr
    assert time.monotonic() - began < 30


def test_what_never_comes_back_between_actions_ends_its_process_too() -> None:
    ended = run("""
        with time_limit.on_duty():
            time.sleep(0.3)
            print("on duty", flush=True)
            sum(itertools.repeat(0))
        """)

    assert (ended.returncode, ended.stdout) == (1, "on duty\n")


def test_the_watchdog_leaves_a_process_alone_that_has_nothing_to_do_or_works_in_time() -> None:
    ended = run("""
        for _ in range(3):
            carry(lambda: 1, timeout_seconds=0.1)
            time.sleep(0.8)
        print(carry(lambda: time.sleep(1.2), timeout_seconds=5))
        print(carry(lambda: 2, timeout_seconds=0.1))
        time.sleep(0.8)
    """)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "Succeeded(output='null')\nSucceeded(output='2')\n"


def test_the_end_of_the_worker_itself_is_no_outcome_of_the_step() -> None:
    """A pool process that is told to terminate ends: its attempt is lost and done again, not failed."""
    ended = run("""
        from billiard.common import clear_terminate_handler_fired, reset_signals
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        clear_terminate_handler_fired()
        reset_signals()
        def tool():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        print(carry(tool, timeout_seconds=5))
    """)
    assert (ended.returncode, ended.stdout) == (256 - (256 - signal.SIGTERM), "")
