"""What goes on by itself beside all that is stored: how many rows of the large tables it reads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection, transaction
from django.test import Client
from psycopg.rows import dict_row

from bench.filling import Filled
from config.metrics import Standing
from executions.payloads import retention
from executions.payments import settling
from executions.receipts import background
from executions.webhooks import endpoints, fan_out, sending
from orchestrator.sweep import forget, sweep
from tests.integration.engine.world import World
from tests.plans.asking import BIG, EXECUTIONS

BEFORE = 500
"""Executions that are carried out before: their indexes are then what vacuum has yet to clean, as under any load."""
MOST = 3_000
"""Rows of one table that may be read at once: the largest batch is of 2,000 events, which are read twice."""


@dataclass(frozen=True)
class Worked:
    """What was done, and the rows that it read of each large table, by an index or without."""

    named: str
    rows: dict[str, int]

    @property
    def too_many(self) -> bool:
        return any(rows > MOST for rows in self.rows.values())


def work(filled: Filled, key: str) -> Iterator[Worked]:
    """What all processes do by themselves: while an execution is due, what carries it out, and after its end."""
    with transaction.atomic():
        endpoints.create(filled.large, name="told", url="https://told.example/")
    retention.set_retention(filled.large, None, 10_000)
    client, headers = Client(), {"Authorization": f"Bearer {key}"}
    body = {"workflowId": filled.workflows[0], "sourceSystem": "crm", "sourceEntityType": "lead"}

    def create() -> None:
        posted = client.post(EXECUTIONS, body, content_type="application/json", headers=headers)
        assert posted.status_code == 200, posted.content

    def carry_out() -> None:
        with World() as world:
            world.drain()

    for _ in range(BEFORE):
        create()
    carry_out()
    yield _worked("create", create)
    yield from (_worked(f"{named}, one due", act) for named, act in _ALWAYS.items())
    yield _worked("carry out", carry_out)
    yield from (_worked(f"{named}, none due", act) for named, act in _ALWAYS.items())


def _sweeping(act: Callable[[psycopg.Connection[dict[str, Any]]], object]) -> Callable[[], None]:
    def done() -> None:
        with psycopg.connect(settings.DATABASE_URL, autocommit=True, row_factory=dict_row) as own:
            act(own)

    return done


_ALWAYS: dict[str, Callable[[], object]] = {
    "sweep": _sweeping(sweep),
    "forget": _sweeping(forget),
    "seal": background.turn,
    "fan out": fan_out.fan_out,
    "claim deliveries": lambda: sending.claim(50, 50, 50, []),
    "forget deliveries": sending.forget,
    "settle": settling.settle,
    "forget payments": settling.forget,
    "retain": retention.retain,
    "metrics": lambda: list(Standing().collect()),
}


def _worked(named: str, act: Callable[[], object]) -> Worked:
    before = _read()
    act()
    return Worked(named, {table: rows - before[table] for table, rows in _read().items() if rows > before[table]})


def _read() -> dict[str, int]:
    """The rows that were read of each large table so far: a session tells of them when it ends, this one now."""
    with connection.cursor() as cursor:
        until = time.monotonic() + 10.0
        cursor.execute(_OTHERS)
        while cursor.fetchone() != (0,):
            assert time.monotonic() < until, "others are at work in this database"
            cursor.execute(_OTHERS)
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(_READ, [BIG])
        return dict(cursor.fetchall())


_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""
_READ = """
SELECT t.relname, t.seq_tup_read + COALESCE(sum(i.idx_tup_read), 0)
FROM pg_stat_user_tables t LEFT JOIN pg_stat_user_indexes i ON i.relid = t.relid
WHERE t.n_live_tup > %s GROUP BY t.relname, t.seq_tup_read"""
