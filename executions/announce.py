"""Tell the workers, by the broker, that something may be due: a hint, which may be lost, doubled or late.

One daemon thread a process does it; the callers only leave word. What they leave from here on is announced again, for
it is taken away before anybody is woken. Who waits is rung (bell.py); a message goes to those who do not.
"""

from __future__ import annotations

import os
import threading
import time
from queue import Empty, SimpleQueue

import structlog
from celery import current_app
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from executions.bell import ring

log = structlog.get_logger(__name__)

WAKE = "traceway.wake"
QUEUE = "traceway"
SPACING_SECONDS = 0.005
ENOUGH_QUEUED = 4
"""Messages waiting in the queue beyond which one more would wake nobody sooner."""
LONGEST_PAUSE_SECONDS = 10.0


class Announcer:
    """What was left, and the thread. After a fork the child's first announcement starts a thread of its own."""

    def __init__(self) -> None:
        self._left: SimpleQueue[int] = SimpleQueue()
        self._starting = threading.Lock()
        self._pid: int | None = None
        self._later: float | None = None
        self._changing = threading.Lock()

    def __call__(self, after_seconds: float = 0.0) -> None:
        """One more thing is due, for others only after a while. Returns at once, whatever the broker does.

        Of all that is to be told later only the last is told.
        """
        if self._pid != os.getpid():
            self._start()
        if not after_seconds:
            self._left.put(1)
        elif self._put_off(time.monotonic() + after_seconds) is None:
            self._left.put(0)

    def _start(self) -> None:
        with self._starting:
            if self._pid != os.getpid():
                self._left, self._later = SimpleQueue(), None
                threading.Thread(target=self._publish, args=(self._left,), name="announcer", daemon=True).start()
                self._pid = os.getpid()

    def _publish(self, left: SimpleQueue[int]) -> None:
        pause = 0.0
        while True:
            if wanted := self._wanted(left):
                # A circuit breaker: while the broker is away the sweeper's later hints replace this one.
                pause = 0.0 if publish(wanted) else min(max(1.0, pause * 2), LONGEST_PAUSE_SECONDS)
                time.sleep(pause or SPACING_SECONDS)

    def _wanted(self, left: SimpleQueue[int]) -> int:
        """How many are to be woken; none where there is only something to be told later, and that not yet."""
        later = self._later
        try:
            wanted = left.get(timeout=None if later is None else max(0.0, later - time.monotonic()))
        except Empty:
            return int(self._is_time(later))
        for _ in range(left.qsize()):
            wanted += left.get()
        return wanted

    def _put_off(self, later: float) -> float | None:
        """When it was to be told before."""
        with self._changing:
            before, self._later = self._later, later
        return before

    def _is_time(self, later: float | None) -> bool:
        """Whether it was not put off meanwhile."""
        with self._changing:
            if self._later != later:
                return False
            self._later = None
        return True


def publish(wanted: int = 1) -> bool:
    """Wake so many workers: ring those who wait, and send messages for the others unless enough are queued.

    False when the broker could not be reached.
    """
    try:
        rung, queued = ring(wanted, QUEUE)
        for _ in range(min(wanted - rung, ENOUGH_QUEUED - queued)):
            current_app.send_task(WAKE, queue=QUEUE, ignore_result=True)
    except (OSError, RedisError, KombuError) as error:
        log.warning("announcement_failed", error=str(error))
        return False
    return True


announce = Announcer()
