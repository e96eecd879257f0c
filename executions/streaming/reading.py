"""What the feed reads: three statements, none of which costs more when there are more executions or events.

An execution's events are read by sequence, which its lock makes gapless and final. Over all executions, transactions
commit in any order, so only events are read whose transaction, and every older one, has ended
(`xid < pg_snapshot_xmin(pg_current_snapshot())`): what comes later has a greater place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypeAlias
from uuid import UUID

import psycopg
from psycopg.rows import tuple_row

from executions.states import TERMINAL
from executions.streaming.following import AtSequence, Place, Told

Connection: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]

AT_ONCE = 100
"""Events of one execution that are read at once."""
SCANNED_AT_ONCE = 250
"""Events of all tenants that are looked through at once."""

_OPTIONS = (
    "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off -c statement_timeout=10s "
    "-c default_transaction_read_only=on -c timezone=UTC -c application_name=traceway-streams"
)


async def connect(url: str) -> Connection:
    """A connection of the feed's own. Raises psycopg.OperationalError."""
    return await psycopg.AsyncConnection.connect(
        url, autocommit=True, options=_OPTIONS, connect_timeout=5, prepare_threshold=1, row_factory=tuple_row
    )


async def with_news(connection: Connection, groups: Sequence[AtSequence]) -> list[AtSequence]:
    """Those of the groups whose execution has come further than they have."""
    cursor = await connection.execute(_NEWS, _wanted(groups))
    return [groups[number - 1] for (number,) in await cursor.fetchall()]


async def next_of_executions(
    connection: Connection, groups: Sequence[AtSequence]
) -> list[tuple[AtSequence, list[Told], bool]]:
    """For each group the events that come next, and whether the last of them is the execution's end."""
    found: dict[int, list[Told]] = defaultdict(list)
    over: dict[int, bool] = {}
    cursor = await connection.execute(_NEXT, _wanted(groups))
    for number, status, newest, *columns in await cursor.fetchall():
        found[number].append(Told(*columns))
        over[number] = status in TERMINAL and found[number][-1].sequence == newest
    return [(groups[number - 1], events, over[number]) for number, events in found.items()]


async def scan_end(connection: Connection, after: Place) -> tuple[Place, bool] | None:
    """The place up to which one look may go from `after`, and whether more is there behind it; None: nothing new."""
    cursor = await connection.execute(_SCAN_END, {"xid": str(after[0]), "id": after[1], "most": SCANNED_AT_ONCE})
    row = await cursor.fetchone()
    return None if row is None else ((row[0], row[1]), row[2] == SCANNED_AT_ONCE)


async def between(connection: Connection, after: Place, upto: Place, tenants: Sequence[UUID]) -> list[Told]:
    """The events of these tenants from behind `after` to `upto`, in order. The one place that tells tenants apart."""
    bounds = {"xid": str(after[0]), "id": after[1], "last_xid": str(upto[0]), "last_id": upto[1]}
    cursor = await connection.execute(_BETWEEN, bounds | {"tenants": list(tenants)})
    return [Told(*row) for row in await cursor.fetchall()]


def _wanted(groups: Sequence[AtSequence]) -> dict[str, Any]:
    return {
        "ids": [group.source.execution_id for group in groups],
        "after": [group.after for group in groups],
        "most": AT_ONCE,
    }


_COLUMNS = """e.id, e.xid::text::bigint, x.id, x.tenant_id, x.workflow_id,
  CASE WHEN x.queued_at <= e.created_at THEN x.run_id ELSE (
    SELECT r.run_id FROM earlier_run r WHERE r.execution_id = x.id AND r.queued_at <= e.created_at
    ORDER BY r.queued_at DESC LIMIT 1) END,
  s.request_id, e.sequence, e.type, e.step, e.body, e.created_at"""

_FOLLOWED = "unnest(%(ids)s::uuid[], %(after)s::int[]) WITH ORDINALITY AS f(id, after, number)"

_NEWS = f"""
SELECT f.number FROM {_FOLLOWED} JOIN execution x ON x.id = f.id WHERE x.event_sequence > f.after"""

_NEXT = f"""
SELECT f.number, x.status, x.event_sequence, {_COLUMNS}
FROM {_FOLLOWED}
JOIN execution x ON x.id = f.id
JOIN submission s ON s.execution_id = f.id
CROSS JOIN LATERAL (
  SELECT * FROM event WHERE event.execution_id = f.id AND event.sequence > f.after
  ORDER BY event.sequence LIMIT %(most)s) e
ORDER BY f.number, e.sequence"""

_SCAN_END = """
WITH scanned AS (
  SELECT xid, id FROM event
  WHERE (xid, id) > (%(xid)s::xid8, %(id)s::bigint) AND xid < pg_snapshot_xmin(pg_current_snapshot())
  ORDER BY xid, id LIMIT %(most)s)
SELECT xid::text::bigint, id, (SELECT count(*) FROM scanned) FROM scanned ORDER BY xid DESC, id DESC LIMIT 1"""

_BETWEEN = f"""
SELECT {_COLUMNS}
FROM event e
JOIN execution x ON x.id = e.execution_id
JOIN submission s ON s.execution_id = e.execution_id
WHERE (e.xid, e.id) > (%(xid)s::xid8, %(id)s::bigint) AND (e.xid, e.id) <= (%(last_xid)s::xid8, %(last_id)s::bigint)
  AND x.tenant_id = ANY(%(tenants)s::uuid[])
ORDER BY e.xid, e.id"""
