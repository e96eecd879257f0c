"""What the database holds at the end, read past the product's own code: rows as they are, grouped by execution."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row


@dataclass(frozen=True, slots=True)
class Event:
    """One row of an execution's history; `at` in Unix seconds."""

    sequence: int
    type: str
    step: str | None
    body: str
    hash: bytes
    at: float


@dataclass(frozen=True, slots=True)
class Attempt:
    step: str
    number: int
    status: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """One row of the inbox, in Unix seconds; `consumed_at` is None while nobody has worked it in."""

    kind: str
    created_at: float
    consumed_at: float | None


@dataclass(slots=True)
class Record:
    """Everything about one execution. `key` is what its caller called it (externalRef); a child has none."""

    id: str
    key: str | None
    workflow_id: str
    status: str
    last_sequence: int
    chain_head: bytes
    steps: dict[str, str] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


def read(url: str) -> list[Record]:
    """Every execution there is."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        records = {
            row["id"]: Record(**row | {"chain_head": bytes(row["chain_head"])}) for row in _rows(connection, _ALL)
        }
        for row in _rows(connection, _STEPS):
            records[row["id"]].steps[row["name"]] = row["status"]
        for row in _rows(connection, _ATTEMPTS):
            records[row.pop("id")].attempts.append(Attempt(**row))
        for row in _rows(connection, _ARRIVALS):
            records[row.pop("id")].arrivals.append(Arrival(**row))
        for row in _rows(connection, _EVENTS):
            records[row.pop("id")].events.append(Event(**row | {"hash": bytes(row["hash"])}))
    return list(records.values())


def _rows(connection: psycopg.Connection[dict[str, Any]], query: str) -> Iterator[dict[str, Any]]:
    yield from connection.execute(query)


_ALL = """
SELECT e.id::text, s.external_ref AS key, e.workflow_id::text, e.status, e.event_sequence AS last_sequence, e.chain_head
FROM execution e JOIN submission s ON s.execution_id = e.id ORDER BY e.id"""

_STEPS = "SELECT execution_id::text AS id, name, status FROM step"

_ATTEMPTS = """
SELECT a.execution_id::text AS id, p.name AS step, a.number, a.status
FROM attempt a JOIN step p ON p.execution_id = a.execution_id AND p.index = a.step_index
ORDER BY a.execution_id, a.step_index, a.number"""

_ARRIVALS = """
SELECT execution_id::text AS id, kind, extract(epoch FROM created_at)::float AS created_at,
  extract(epoch FROM consumed_at)::float AS consumed_at
FROM inbox ORDER BY id"""

_EVENTS = """
SELECT execution_id::text AS id, sequence, type, step, body, hash, extract(epoch FROM created_at)::float AS at
FROM event ORDER BY execution_id, sequence"""
