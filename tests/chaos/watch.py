"""A thread that looks into the database all the time: how many executions are live, and whether any is overdue."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self
from uuid import UUID

import psycopg

OVERDUE_SECONDS = 30.0
_EVERY_SECONDS = 0.5


class Watch:
    """Looks while the block runs. `live` is the newest count, `most_live` the highest, `overdue` whatever ever was."""

    def __init__(self, url: str) -> None:
        self.live = 0
        self.most_live = 0
        self.overdue: set[str] = set()
        self._url = url
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_looking, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _keep_looking(self) -> None:
        while not self._over.wait(_EVERY_SECONDS):
            try:
                with psycopg.connect(self._url, autocommit=True, connect_timeout=5) as connection:
                    while not self._over.wait(_EVERY_SECONDS):
                        self._look(connection)
            except psycopg.OperationalError:
                continue  # the database is one of the things that are killed

    def _look(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        row = connection.execute(_LIVE).fetchone()
        assert row is not None
        assert isinstance(row[0], int)
        self.live = row[0]
        self.most_live = max(self.most_live, self.live)
        overdue = connection.execute(_OVERDUE, {"seconds": OVERDUE_SECONDS}).fetchall()
        self.overdue |= {str(found) for (found,) in overdue if isinstance(found, UUID)}


_LIVE = "SELECT count(*) FROM execution WHERE finished_at IS NULL"

_OVERDUE = """
SELECT id FROM execution
WHERE due_at < clock_timestamp() - %(seconds)s * interval '1 second' OR quarantined_at IS NOT NULL
UNION
SELECT execution_id FROM attempt
WHERE status = 'running' AND started_at < clock_timestamp() - %(seconds)s * interval '1 second'"""
