"""The log of all events, read in its order from a durable place: what its readers share, each under a name of its own.

A reader commits its place with what it made of the events before it, so that it makes it once, whoever dies. It reads
only what no transaction that is under way can still come before: `xid < pg_snapshot_xmin(pg_current_snapshot())`.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Place(NamedTuple):
    """The transaction and the id of the last event that was read."""

    xid: str
    event: int


BEGINNING = Place("0", 0)
"""Before every event."""


def place_of(cursor: Any, name: str) -> Place:
    """Where this reader stands; at the beginning, if it has never read."""
    cursor.execute("SELECT xid::text, event FROM log_cursor WHERE name = %s", [name])
    row = cursor.fetchone()
    return BEGINNING if row is None else Place(*row)


def claim(cursor: Any, name: str) -> Place | None:
    """Where this reader stands, locked until the transaction ends; None while somebody else reads in its name."""
    cursor.execute("SELECT xid::text, event FROM log_cursor WHERE name = %s FOR UPDATE SKIP LOCKED", [name])
    row = cursor.fetchone()
    if row is None:
        cursor.execute("INSERT INTO log_cursor (name, xid, event) VALUES (%s, '0', 0) ON CONFLICT DO NOTHING", [name])
        return None
    return Place(*row)


def move(cursor: Any, name: str, place: Place) -> None:
    """Say that it was read up to there."""
    cursor.execute(_MOVE, {"name": name, "xid": place.xid, "event": place.event})


def is_of_another_server(cursor: Any, place: Place) -> bool:
    """Whether a dump was restored: transactions are counted from the start again, and this place would never come."""
    cursor.execute("SELECT %s::xid8 > pg_snapshot_xmax(pg_current_snapshot())", [place.xid])
    return bool(cursor.fetchone()[0])


_MOVE = """
INSERT INTO log_cursor (name, xid, event) VALUES (%(name)s, %(xid)s, %(event)s)
ON CONFLICT (name) DO UPDATE SET xid = EXCLUDED.xid, event = EXCLUDED.event"""
