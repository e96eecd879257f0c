"""An action that nobody waits for any more is interrupted, and nothing else is."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from orchestrator.actions.time_limit import TimedOut, heed_interrupts, interrupt, within
from orchestrator.held import Held

FENCE = "execution:0:1"


@pytest.fixture(autouse=True)
def heeding() -> Iterator[None]:
    """The main thread as that of a worker process."""
    before = signal.getsignal(signal.SIGALRM)
    heed_interrupts()
    yield
    signal.signal(signal.SIGALRM, before)


def test_an_action_whose_attempt_was_closed_is_interrupted() -> None:
    held = Held()

    def close() -> None:
        held.find(cancelled=[], closed=[FENCE])
        interrupt()

    timer = threading.Timer(0.1, close)
    timer.start()
    began = time.monotonic()
    with pytest.raises(TimedOut):
        within(30, lambda: time.sleep(20), lambda: held.is_closed(FENCE))
    assert time.monotonic() - began < 5


def test_an_interrupt_that_means_another_attempt_changes_nothing() -> None:
    held = Held()
    held.find(cancelled=[], closed=["execution:0:0"])
    threading.Timer(0.05, interrupt).start()

    def goes_on() -> str:
        for _ in range(10):
            time.sleep(0.02)
        return "to its end"

    assert within(30, goes_on, lambda: held.is_closed(FENCE)) == "to its end"


def test_an_interrupt_between_two_actions_ends_nothing() -> None:
    thread = threading.Thread(target=interrupt)
    thread.start()
    thread.join()
    assert within(5, lambda: "the next") == "the next"


def test_an_action_may_ask_whether_its_execution_is_to_end() -> None:
    held = Held()
    assert not held.is_cancelled(FENCE)
    held.find(cancelled=[FENCE], closed=[])
    assert held.is_cancelled(FENCE)
    assert not held.is_closed(FENCE)
