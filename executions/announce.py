"""Tell the workers, by the broker, that something may be due: a hint, which may be lost, doubled or late.

One daemon thread a process publishes; the callers only raise a flag. The flag is cleared before the
message is sent, so that what became due in between is announced again.
"""

from __future__ import annotations

import os
import threading
import time

import structlog
from celery import current_app
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

WAKE = "traceway.wake"
QUEUE = "traceway"
SPACING_SECONDS = 0.005
ENOUGH_QUEUED = 16
"""Messages waiting in the queue beyond which one more would wake nobody sooner."""
LONGEST_PAUSE_SECONDS = 10.0


class Announcer:
    """The flag and the thread. After a fork the child's first announcement starts a thread of its own."""

    def __init__(self) -> None:
        self._flag = threading.Event()
        self._starting = threading.Lock()
        self._pid: int | None = None

    def __call__(self) -> None:
        """Something is due. Returns at once, whatever the broker does."""
        if self._pid != os.getpid():
            self._start()
        self._flag.set()

    def _start(self) -> None:
        with self._starting:
            if self._pid != os.getpid():
                self._flag = threading.Event()
                threading.Thread(target=self._publish, args=(self._flag,), name="announcer", daemon=True).start()
                self._pid = os.getpid()

    def _publish(self, flag: threading.Event) -> None:
        pause = 0.0
        while True:
            flag.wait()
            flag.clear()
            # A circuit breaker: while the broker is away the sweeper's later hints replace this one.
            pause = 0.0 if publish() else min(max(1.0, pause * 2), LONGEST_PAUSE_SECONDS)
            time.sleep(pause or SPACING_SECONDS)


def publish() -> bool:
    """Send one wake-up unless enough are queued; False when the broker could not be reached."""
    try:
        with current_app.producer_or_acquire() as producer:
            if producer.channel.client.llen(QUEUE) < ENOUGH_QUEUED:
                current_app.send_task(WAKE, queue=QUEUE, ignore_result=True, producer=producer)
    except (OSError, RedisError, KombuError) as error:
        log.warning("announcement_failed", error=str(error))
        return False
    return True


announce = Announcer()
