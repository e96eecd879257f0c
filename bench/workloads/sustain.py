"""Throughput held for minutes: whether it decays, how tables and indexes grow, what is left dead in them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from bench.contestants.traceway import Node
from bench.definitions import chain
from bench.figures import OURS, Figure, Goal, Sheet
from bench.ground import Ground
from bench.workload import Field, Runs, Workload

CALLERS = 2
"""While one waits for the last ends of its batch, the other posts."""
BATCH = 100
STEPS = 3

_COUNTS = """
SELECT relname, pg_table_size(relid), pg_indexes_size(relid), n_tup_ins, n_dead_tup, n_tup_upd, n_tup_hot_upd
FROM pg_stat_user_tables WHERE schemaname = 'public' ORDER BY relname"""


@dataclass(frozen=True, slots=True)
class Counts:
    """Bytes of a table and of its indexes; rows inserted, dead, updated, and updated without touching an index."""

    table: int
    indexes: int
    inserted: int
    dead: int
    updated: int
    hot: int


@contextmanager
def _enter(ground: Ground) -> Iterator[Field]:
    node, minutes = ground.main, ground.sizes.sustain_minutes
    workflow = node.publish(chain(ground.name("sustained"), STEPS))
    windows = Sheet("Executions a second, by tenth of the time", ["tenth", "executions/s"])
    tables = Sheet(
        "Tables",
        ["table", "rows added", "table, MB", "indexes, MB", "bytes a row", "HOT updates", "dead before", "dead after"],
    )

    def turn() -> dict[str, float]:
        before = _counts(node)
        rates = _sustained(node, workflow, minutes * 60)
        tables.rows[:] = _grown(before, _counts(node))
        windows.rows[:] = [[str(number), f"{rate:.0f}"] for number, rate in enumerate(rates, start=1)]
        head, tail = sum(rates[:3]) / 3, sum(rates[-3:]) / 3
        if not head:
            raise ValueError("the time is too short to be cut into tenths")
        return {"rate": sum(rates) / len(rates), "held": tail / head}

    made = Field(
        sheets=[windows, tables], notes=[f"{minutes:g} minutes of executions of {STEPS} steps, at full speed."]
    )
    made.product(turn)
    yield made


def _sustained(node: Node, workflow: str, seconds: float) -> list[float]:
    """Executions a second in each tenth of the time."""
    began = time.monotonic()
    ends: list[float] = []

    def keep_going(_: int) -> None:
        while time.monotonic() - began < seconds:
            node.many(workflow, BATCH, connections=4)
            ends.append(time.monotonic() - began)

    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(keep_going, range(CALLERS)))
    tenth = seconds / 10
    return [sum(BATCH for end in ends if int(end / tenth) == number) / tenth for number in range(10)]


def _counts(node: Node) -> dict[str, Counts]:
    return {name: Counts(*counts) for name, *counts in node.database.execute(_COUNTS)}


def _grown(before: dict[str, Counts], after: dict[str, Counts]) -> list[list[str]]:
    """A row for each table that many rows came to."""
    rows = []
    for name, now in after.items():
        then = before.get(name, Counts(0, 0, 0, 0, 0, 0))
        added, updated = now.inserted - then.inserted, now.updated - then.updated
        if added > BATCH:
            size = now.table + now.indexes - then.table - then.indexes
            hot = f"{(now.hot - then.hot) / updated:.0%}" if updated else ""
            sizes = [f"{now.table / 2**20:.1f}", f"{now.indexes / 2**20:.1f}", f"{size / added:.0f}"]
            rows.append([name, f"{added:,}", *sizes, hot, f"{then.dead:,}", f"{now.dead:,}"])
    return rows


WORKLOAD = Workload(
    "sustain",
    "Held for minutes",
    "Two callers with four connections each post batches of 100 and wait for the ends; the last three tenths against "
    "the first three.",
    (
        Figure("rate", f"executions of {STEPS} steps a second", "/s", more_is_better=True),
        Figure("held", "last three tenths against the first three", "x", more_is_better=True),
    ),
    _enter,
    goals=(Goal("throughput at the end against the beginning", lambda f: f["held", OURS], 0.9, at_least=True),),
    runs=Runs.FULL,
    rounds=1,
    warm_ups=0,
)
