"""Waiting for executions to end, or for tasks to claim: one thread a process asks the database for all who wait.

Who waits holds no transaction and asks nothing. What is waited for must be committed.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, connection

from contract.prepared import all_rows
from executions.states import TERMINAL

logger = structlog.get_logger(__name__)

LONGEST_PAUSE = 0.1
SHARE = 0.1
"""Of the time that the youngest has waited: so much later than it came, about, is it told; within the pauses."""
PAUSE_AFTER_ERROR = 0.5
MOST_TOLD = 100
"""Workers of one agent that are told of its tasks at once."""
REST_SECONDS = 2.0
"""How long the thread, and its connection, are kept for the next who waits."""


Look = Callable[[Collection[UUID]], Mapping[UUID, int]]
"""By id, of those where it has come: how many who wait for it are told."""


@dataclass(eq=False, frozen=True, slots=True)
class _Watch:
    watched: UUID
    wake: Callable[[], object]
    since: float


class Lookout:
    """Who waits for the same kind of thing, by the id that it is about, and the thread that looks for them.

    It lives while anybody waits, and a little longer. `shortest_pause`: seconds between two looks, at the least.
    """

    def __init__(self, name: str, look: Look, shortest_pause: float) -> None:
        self._name, self._look_for, self._shortest_pause = name, look, shortest_pause
        self._lock = threading.Condition()
        self._watches: dict[_Watch, None] = {}
        self._looking: threading.Thread | None = None

    def watch(self, watched: UUID, wake: Callable[[], object]) -> Callable[[], None]:
        """Have `wake` called once, in another thread, when it has come. What is returned ends the watch."""
        watch = _Watch(watched, wake, time.monotonic())
        with self._lock:
            self._watches[watch] = None
            self._lock.notify()
            # After a fork the child has the parent's thread on record, but none that runs.
            if self._looking is None or not self._looking.is_alive():
                self._looking = threading.Thread(target=self._look, name=self._name, daemon=True)
                self._looking.start()
        return lambda: self._forget(watch)

    def await_it(self, watched: UUID, seconds: float) -> None:
        """Return when it has come or the seconds are over."""
        come = threading.Event()
        forget = self.watch(watched, come.set)
        try:
            come.wait(seconds)
        finally:
            forget()

    def _forget(self, watch: _Watch) -> None:
        with self._lock:
            self._watches.pop(watch, None)

    def _look(self) -> None:
        try:
            while watches := self._open():
                time.sleep(self._pause_after_telling(watches))
        finally:
            connection.close()

    def _open(self) -> list[_Watch]:
        """The watches; where there is none for a while, this thread is not the one that looks any more."""
        with self._lock:
            if not self._watches and not self._lock.wait_for(lambda: self._watches, REST_SECONDS):
                self._looking = None
            return list(self._watches)

    def _pause_after_telling(self, watches: list[_Watch]) -> float:
        """Those who have waited longest are told first."""
        try:
            left = Counter(self._look_for({watch.watched for watch in watches}))
        except (OperationalError, InterfaceError) as error:
            logger.warning("lookout_failed", error=str(error))
            connection.close()
            return PAUSE_AFTER_ERROR
        for watch in watches:
            if left[watch.watched] > 0:
                left[watch.watched] -= 1
                self._forget(watch)
                watch.wake()
        waited = time.monotonic() - max(watch.since for watch in watches)
        return min(max(self._shortest_pause, SHARE * waited), LONGEST_PAUSE)


def _ended(ids: Collection[UUID]) -> Mapping[UUID, int]:
    """All who wait for an end are told of it."""
    asked = {"ids": list(ids), "terminal": [status.value for status in TERMINAL]}
    return {row[0]: sys.maxsize for row in all_rows(_ENDED, asked)}


def _open_tasks(agents: Collection[UUID]) -> Mapping[UUID, int]:
    """As many are told as there are tasks: each is one worker's, and the others would come for nothing."""
    return dict(all_rows(_OPEN_TASKS, {"ids": list(agents), "most": MOST_TOLD}))


_ENDED = "SELECT id FROM execution WHERE id = ANY(%(ids)s::uuid[]) AND status = ANY(%(terminal)s::text[])"
# The status is no parameter: a plan for any would not do with the index of the few tasks that can be claimed.
_OPEN_TASKS = """
SELECT agent.id, (SELECT count(*) FROM (SELECT FROM task
  WHERE agent_id = agent.id AND status = 'open' LIMIT %(most)s) AS found)
FROM unnest(%(ids)s::uuid[]) AS agent(id)"""


ends = Lookout("ends", _ended, shortest_pause=0.005)
"""By execution: its end. The one of this process."""
openings = Lookout("openings", _open_tasks, shortest_pause=0.05)
"""By agent: tasks that its workers may claim. The one of this process."""
