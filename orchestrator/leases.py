"""The lease of one worker process: its row, beaten every second by a thread on a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import structlog

from executions.change import Carrier
from orchestrator.held import Held

log = structlog.get_logger(__name__)

BEAT_SECONDS = 1.0
LEASE_SECONDS = 5.0
"""How long a process may stay silent before its attempts count as lost."""


class Lease:
    """Keeps this process's row alive from start() to end()."""

    def __init__(self, url: str, carrier: Carrier, held: Held, interrupt: Callable[[], None]) -> None:
        self._url = url
        self._carrier = carrier
        self._held = held
        self._interrupt = interrupt
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def start(self) -> None:
        """Beat once, so that the lease stands before anything is claimed, then go on in the background."""
        with psycopg.connect(self._url, autocommit=True, options=_OPTIONS) as connection:
            self._beat(connection)
        self._thread.start()

    def end(self) -> None:
        """Give the lease back: nothing of this process's is in hand any more."""
        self._over.set()
        self._thread.join(timeout=2 * BEAT_SECONDS)
        with psycopg.connect(self._url, autocommit=True, options=_OPTIONS) as connection:
            connection.execute("DELETE FROM worker WHERE boot_id = %s", [self._carrier.boot_id])

    def _keep(self) -> None:
        while not self._over.is_set():
            try:
                with psycopg.connect(self._url, autocommit=True, options=_OPTIONS) as connection:
                    while not self._over.wait(BEAT_SECONDS):
                        self._beat(connection)
            except psycopg.Error as error:
                log.warning("beat_failed", error=str(error))
                self._over.wait(BEAT_SECONDS)

    def _beat(self, connection: psycopg.Connection[Any]) -> None:
        held = self._held.all()
        connection.execute(
            _BEAT,
            {
                "boot_id": self._carrier.boot_id,
                "name": self._carrier.name,
                "held": held,
                "lease": LEASE_SECONDS,
            },
        )
        self._look_after(connection, held)

    def _look_after(self, connection: psycopg.Connection[Any], held: list[str]) -> None:
        """Find out which attempts are to end early, and interrupt what nobody waits for any more."""
        if not held:
            return
        fences = [fence.rsplit(":", 2) for fence in held]
        parameters = {
            "executions": [execution for execution, _, _ in fences],
            "indexes": [int(index) for _, index, _ in fences],
            "numbers": [int(number) for _, _, number in fences],
        }
        found = connection.execute(_STOPPING, parameters).fetchall()
        closed = [fence for fence, is_closed in found if is_closed]
        self._held.find(cancelled=[fence for fence, _ in found], closed=closed)
        if closed:
            self._interrupt()


# A beat that a crash of the server loses is beaten again a second later: it need not wait for the disk.
_OPTIONS = (
    "-c synchronous_commit=off -c statement_timeout=5s -c lock_timeout=5s -c timezone=UTC "
    "-c application_name=traceway-lease"
)

_BEAT = """
INSERT INTO worker (boot_id, name, started_at, beat_at, expires_at, held)
VALUES (%(boot_id)s, %(name)s, clock_timestamp(), clock_timestamp(),
  clock_timestamp() + %(lease)s * interval '1 second', %(held)s)
ON CONFLICT (boot_id) DO UPDATE
SET beat_at = excluded.beat_at, expires_at = excluded.expires_at, held = excluded.held"""

_STOPPING = """
SELECT a.execution_id || ':' || a.step_index || ':' || a.number, a.status <> 'running'
FROM unnest(%(executions)s::uuid[], %(indexes)s::int[], %(numbers)s::int[]) AS mine(execution_id, index, number)
JOIN attempt a ON a.execution_id = mine.execution_id AND a.step_index = mine.index AND a.number = mine.number
JOIN execution e ON e.id = a.execution_id
WHERE a.status <> 'running' OR e.intent IN ('cancel', 'fail')"""
