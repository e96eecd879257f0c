"""The time limit of one action: an alarm that interrupts Python code, and a watchdog for code that none interrupts.

What the watchdog ends is the whole process; its attempt is recovered as a lost one.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from orchestrator.actions.action import never

WATCHDOG_SECONDS = 10.0
"""How long after its time-out an action that cannot be interrupted keeps its process, and how long it may keep all of
Python (the GIL) from running: no lease is beaten meanwhile, so its attempt is lost to this process by then."""
TICK_SECONDS = 1.0
AGAIN_SECONDS = 1.0
"""After which the alarm rings again, for an action that swallowed it."""
EARLY_SECONDS = 0.005
"""By how much the timer may ring before the clock says so."""

_STDERR = 2

T = TypeVar("T")


class TimedOut(BaseException):
    """Raised into an action whose time is over. No Exception, so that an action's own handlers let it through."""


def within(seconds: float, call: Callable[[], T], closed: Callable[[], bool] = never) -> T:
    """What `call` returns. Raises TimedOut once `seconds` are over, whatever `call` makes of being interrupted.

    It is over at once when an interrupt finds that it is `closed`: nobody wants to know any more what comes of it.
    Signals reach only a process's main thread, where workers run; on any other there is no limit.
    """
    if threading.current_thread() is not threading.main_thread():
        return call()
    alarm = _Alarm(time.monotonic() + seconds, closed)
    previous = signal.signal(signal.SIGALRM, alarm.ring)
    _watchdog.watch(seconds + WATCHDOG_SECONDS)
    # No `with`: a signal that arrives as its __exit__ begins would skip what that has to undo.
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_SECONDS)
            result = call()
        finally:
            alarm.armed = False
    except BaseException as error:
        if alarm.rang and not isinstance(error, TimedOut):
            raise TimedOut from error
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _watchdog.rest()
        signal.signal(signal.SIGALRM, previous)
    if alarm.rang:
        raise TimedOut
    return result


@contextmanager
def on_duty() -> Iterator[None]:
    """Meanwhile the process is ended if anything keeps all of Python from running for WATCHDOG_SECONDS.

    For what is evaluated between actions, under the execution's lock: an expression that never comes back.
    """
    _watchdog.stay()
    try:
        yield
    finally:
        _watchdog.leave()


def heed_interrupts() -> None:
    """Have an interrupt that comes between two actions end nothing. For the main thread of a worker process."""
    signal.signal(signal.SIGALRM, _ignore)


def interrupt() -> None:
    """Have the action that the main thread carries out look whether it is closed. From any other thread."""
    main = threading.main_thread().ident
    assert main is not None, "the main thread has begun"
    signal.pthread_kill(main, signal.SIGALRM)


def _ignore(_signal: int, _frame: FrameType | None) -> None:
    """It came after what it was meant for."""


class _Alarm:
    def __init__(self, until: float, closed: Callable[[], bool]) -> None:
        self._until = until
        self._closed = closed
        self.armed = True
        self.rang = False

    def ring(self, _signal: int, _frame: FrameType | None) -> None:
        if self.armed and (time.monotonic() >= self._until - EARLY_SECONDS or self._closed()):
            self.rang = True
            raise TimedOut


class _Watchdog:
    """A thread that ends the process when an action outstays its time, and that is watched itself.

    faulthandler's timer runs without the GIL, but setting it starts a thread (35 microseconds): too much for every
    action. So only a tick sets it, and it goes off when the ticks stop coming because something holds the GIL.
    """

    def __init__(self) -> None:
        self._until: float | None = None
        self._on_duty = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def watch(self, seconds: float) -> None:
        with self._lock:
            self._until = time.monotonic() + seconds
            self._tick_on()

    def stay(self) -> None:
        with self._lock:
            self._on_duty = True
            self._tick_on()

    def leave(self) -> None:
        self._on_duty = False

    def _tick_on(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            _expect_a_tick()
            self._thread = threading.Thread(target=self._tick, name="watchdog", daemon=True)
            self._thread.start()

    def rest(self) -> None:
        self._until = None

    def _tick(self) -> None:
        while True:
            time.sleep(TICK_SECONDS)
            with self._lock:
                until = self._until
                if until is None and not self._on_duty:
                    faulthandler.cancel_dump_traceback_later()
                    self._thread = None
                    return
                if until is not None and time.monotonic() > until:
                    faulthandler.dump_traceback(file=_STDERR)
                    os._exit(1)
                _expect_a_tick()


def _expect_a_tick() -> None:
    faulthandler.dump_traceback_later(WATCHDOG_SECONDS, exit=True, file=_STDERR)


_watchdog = _Watchdog()
