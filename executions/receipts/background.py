"""Receipts by themselves: the log of events is read for runs that ended, and these are sealed, a few at a time.

The sweeper does this in a thread of its own, at a share of a processor at most, and later while executions are due; of
several sweepers one does it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import Error, connection

from contract.away import Unreachable
from contract.problems import Refusal
from executions import log_reading
from executions.log_reading import Place
from executions.receipts.sealing import seal

log = structlog.get_logger(__name__)

READER: Final = "receipts"
LOOK_SECONDS: Final = 1.0
"""Between two looks. A batch costs as much as some ten executions in it: the more ended meanwhile, the less is each."""
LONGEST_DELAY_SECONDS: Final = 10.0
"""How old the oldest event may be that waits while executions are due: nobody waits for what is sealed here."""
REST: Final = 3.0
"""How much longer the pause after a batch is than what it took of a processor: sealing takes a quarter of one at most.
Where it is further behind than the longest delay, the pause is as much shorter: the backlog cannot grow for ever."""
AGAIN_SECONDS: Final = 5.0
"""Until the next look, where the last one came to nothing."""
SCANNED: Final = 2_000
"""Events that are read at once."""
MOST_EXECUTIONS: Final = 100
MOST_EVENTS: Final = 2_000
"""Those of all executions that are sealed at once, unless one alone has more: this bounds what is in memory."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Executions that ended and have no receipt of it, and how far the log was read for them; `more`: there may be."""

    executions: frozenset[UUID]
    upto: Place
    more: bool


def seal_for_ever(over: threading.Event) -> None:
    """Seal until `over` is set, through any outage of the database or the payload store."""
    pause = LOOK_SECONDS
    while not over.wait(pause):
        # The processor's time: under load a batch waits longer than it works, and would rest for its waiting.
        begun = time.thread_time()
        more = turn()
        spent = time.thread_time() - begun
        pause = AGAIN_SECONDS if more is None else _rest(spent) if more else max(LOOK_SECONDS, REST * spent)
    connection.close()


def _rest(spent: float) -> float:
    """Seconds until the next batch, where there is more."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_BEHIND, {"reader": READER})
            (behind,) = cursor.fetchone() or (None,)
    except Error:
        connection.close()
        return AGAIN_SECONDS
    return REST * spent * min(1.0, LONGEST_DELAY_SECONDS / max(behind or 0.0, 1.0))


def seal_what_ended() -> bool:
    """Seal the next runs that ended; whether there may be more of them at once. False while somebody else does it.

    The place in the log moves in the transaction that inserts the receipts. Raises django.db.Error, Unreachable,
    Unavailable: then the same is read again.
    """
    with _alone() as alone:
        batch = _next() if alone else None
        if batch is None:
            return False
        if batch.executions:
            seal(batch.executions, lambda: _move(batch.upto))
        else:
            _move(batch.upto)
        return batch.more


def turn() -> bool | None:
    """Seal what is next, if it is time for it; whether there may be more at once. None where nothing could be done."""
    try:
        return _is_time() and seal_what_ended()
    except (Error, Unreachable, Refusal) as error:
        log.warning("sealing_waits", error=str(error))
    except Exception:  # nobody else would go on
        log.exception("sealing_raised")
    connection.close()
    return None


def _is_time() -> bool:
    """Whether anything happened since, and either nobody waits for a worker now, or it has waited long enough."""
    with connection.cursor() as cursor:
        cursor.execute(_IS_TIME, {"reader": READER, "longest": LONGEST_DELAY_SECONDS})
        return bool(cursor.fetchone()[0])


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether nobody else seals in the background meanwhile. The lock is the connection's: it ends with it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext('receipts'))")
        alone = bool(cursor.fetchone()[0])
    try:
        yield alone
    finally:
        if alone and connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtext('receipts'))")


def _next() -> Batch | None:
    """What is to be sealed next; None where nothing happened since."""
    with connection.cursor() as cursor:
        place = log_reading.place_of(cursor, READER)
        if log_reading.is_of_another_server(cursor, place):
            log.warning("receipts_cursor_reset", xid=place.xid)
            place = log_reading.BEGINNING
        cursor.execute(_ENDED, {"xid": place.xid, "event": place.event, "most": SCANNED})
        *ended, (xid, event, count, _, _) = cursor.fetchall()
    return _batch(ended, Place(xid, event), count) if count else None


def _batch(ended: list[Any], end: Place, count: int) -> Batch:
    """As many of them as are sealed at once, in the order of their events; at least one."""
    executions: set[UUID] = set()
    events, upto = 0, end
    for xid, event, _, execution, sequence in sorted(ended, key=lambda row: (int(row[0]), row[1])):
        events += sequence
        if executions and (events > MOST_EVENTS or len(executions) == MOST_EXECUTIONS):
            return Batch(frozenset(executions), upto, more=True)
        executions.add(execution)
        upto = Place(xid, event)
    return Batch(frozenset(executions), end, more=count == SCANNED)


def _move(place: Place) -> None:
    with connection.cursor() as cursor:
        log_reading.move(cursor, READER, place)


_UNREAD = """
WITH place AS (
  SELECT COALESCE(max(xid::text), '0')::xid8 AS xid, COALESCE(max(event), 0) AS event FROM log_cursor
  WHERE name = %(reader)s
), next AS (
  SELECT n.created_at FROM place CROSS JOIN LATERAL (
    SELECT created_at FROM event WHERE (event.xid, event.id) > (place.xid, place.event)
      AND event.xid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY event.xid, event.id LIMIT 1) AS n
)"""

# Seconds since the oldest event that was not read; no row where every one was.
_BEHIND = f"""{_UNREAD}
SELECT extract(epoch FROM clock_timestamp() - created_at)::float8 FROM next"""

# By its order and a time that stands still the index is what is read of all executions, whatever is known of them.
_IS_TIME = f"""{_UNREAD}, due AS (
  SELECT FROM generate_series(0, 9) AS lane(priority) CROSS JOIN LATERAL (
    SELECT FROM execution e WHERE e.priority = lane.priority AND e.due_at <= statement_timestamp()
    ORDER BY e.due_at LIMIT 1) AS e)
SELECT (SELECT xid > pg_snapshot_xmax(pg_current_snapshot()) FROM place)
  OR EXISTS (SELECT FROM next WHERE created_at < clock_timestamp() - %(longest)s * interval '1 second')
  OR (EXISTS (SELECT FROM next) AND NOT EXISTS (SELECT FROM due))"""

# Only what no transaction that is under way can still come before. The last row tells how far was read, and how much.
_ENDED = """
WITH batch AS MATERIALIZED (
  SELECT xid, id, execution_id, sequence, type FROM event
  WHERE (xid, id) > (%(xid)s::xid8, %(event)s) AND xid < pg_snapshot_xmin(pg_current_snapshot())
  ORDER BY xid, id LIMIT %(most)s)
SELECT b.xid::text, b.id, 0 AS count, b.execution_id, b.sequence
FROM batch b WHERE b.type IN ('execution.succeeded', 'execution.failed', 'execution.cancelled')
  AND NOT EXISTS (SELECT FROM receipt r WHERE r.execution_id = b.execution_id AND r.sequence = b.sequence)
UNION ALL (
SELECT last.xid::text, last.id, (SELECT count(*) FROM batch), NULL, NULL
FROM (SELECT 1) AS always LEFT JOIN (SELECT xid, id FROM batch ORDER BY xid DESC, id DESC LIMIT 1) AS last ON TRUE)"""
