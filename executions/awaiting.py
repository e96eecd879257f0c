"""Waiting for executions to end: one thread a process asks the database for all who wait.

Who waits holds no transaction and asks nothing. What is waited for must be committed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, connection

from contract.prepared import all_rows
from executions.states import TERMINAL

logger = structlog.get_logger(__name__)

SHORTEST_PAUSE = 0.005
LONGEST_PAUSE = 0.1
SHARE = 0.1
"""Of the time that the youngest has waited: so much later than the end, about, is it told. Between those two."""
PAUSE_AFTER_ERROR = 0.5
REST_SECONDS = 2.0
"""How long the thread, and its connection, are kept for the next who waits."""


@dataclass(eq=False, frozen=True, slots=True)
class _Watch:
    execution_id: UUID
    wake: Callable[[], object]
    since: float


class Lookout:
    """Who waits, and the thread that looks for them; it lives while anybody waits, and a little longer."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._watches: set[_Watch] = set()
        self._looking: threading.Thread | None = None

    def watch(self, execution_id: UUID, wake: Callable[[], object]) -> Callable[[], None]:
        """Have `wake` called, in another thread, once the execution has ended. What is returned ends the watch."""
        watch = _Watch(execution_id, wake, time.monotonic())
        with self._lock:
            self._watches.add(watch)
            self._lock.notify()
            # After a fork the child has the parent's thread on record, but none that runs.
            if self._looking is None or not self._looking.is_alive():
                self._looking = threading.Thread(target=self._look, name="lookout", daemon=True)
                self._looking.start()
        return lambda: self._forget(watch)

    def await_end(self, execution_id: UUID, seconds: float) -> None:
        """Return when the execution has ended or the seconds are over."""
        ended = threading.Event()
        forget = self.watch(execution_id, ended.set)
        try:
            ended.wait(seconds)
        finally:
            forget()

    def _forget(self, watch: _Watch) -> None:
        with self._lock:
            self._watches.discard(watch)

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
        try:
            ended = _ended({watch.execution_id for watch in watches})
        except (OperationalError, InterfaceError) as error:
            logger.warning("lookout_failed", error=str(error))
            connection.close()
            return PAUSE_AFTER_ERROR
        for watch in watches:
            if watch.execution_id in ended:
                self._forget(watch)
                watch.wake()
        waited = time.monotonic() - max(watch.since for watch in watches)
        return min(max(SHORTEST_PAUSE, SHARE * waited), LONGEST_PAUSE)


def _ended(ids: set[UUID]) -> set[UUID]:
    asked = {"ids": list(ids), "terminal": [status.value for status in TERMINAL]}
    return {row[0] for row in all_rows(_ENDED, asked)}


_ENDED = "SELECT id FROM execution WHERE id = ANY(%(ids)s::uuid[]) AND status = ANY(%(terminal)s::text[])"


lookout = Lookout()
"""The one of this process."""
