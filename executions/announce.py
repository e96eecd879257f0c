"""Tell the workers, by the broker, that something may be due: a hint, which may be lost, doubled or late.

One daemon thread a process does it; the callers only leave word. What they leave from here on is announced again, for
it is taken away before anybody is woken. Who waits is rung (bell.py); a message goes to those who do not.
"""

from __future__ import annotations

import os
import threading
import time
from queue import SimpleQueue

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
        self._left: SimpleQueue[None] = SimpleQueue()
        self._starting = threading.Lock()
        self._pid: int | None = None

    def __call__(self) -> None:
        """One more thing is due. Returns at once, whatever the broker does."""
        if self._pid != os.getpid():
            self._start()
        self._left.put(None)

    def _start(self) -> None:
        with self._starting:
            if self._pid != os.getpid():
                self._left = SimpleQueue()
                threading.Thread(target=self._publish, args=(self._left,), name="announcer", daemon=True).start()
                self._pid = os.getpid()

    def _publish(self, left: SimpleQueue[None]) -> None:
        pause = 0.0
        while True:
            left.get()
            more = left.qsize()
            for _ in range(more):
                left.get()
            # A circuit breaker: while the broker is away the sweeper's later hints replace this one.
            pause = 0.0 if publish(1 + more) else min(max(1.0, pause * 2), LONGEST_PAUSE_SECONDS)
            time.sleep(pause or SPACING_SECONDS)


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
