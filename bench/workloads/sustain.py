"""Throughput held for minutes: whether it decays, how tables and indexes grow, what is left dead in them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from bench.contestants.traceway import Node
from bench.definitions import chain
from bench.figures import OURS, Figure, Goal, Sheet
from bench.ground import Ground
from bench.line import fib
from bench.workload import Field, Runs, Workload

CALLERS = 2
"""While one waits for the last ends of its batch, the other posts."""
BATCH = 100
STEPS = 3
TENTHS = 10
WORK, SAMPLES, BETWEEN_SECONDS = 17, 50, 0.02
MEGABYTE = 2**20

_COUNTS = """
SELECT relname, pg_table_size(relid), pg_indexes_size(relid), n_tup_ins, n_dead_tup, n_tup_upd, n_tup_hot_upd
FROM pg_stat_user_tables WHERE schemaname = 'public' ORDER BY relname"""
_ENDED = """
SELECT width_bucket(extract(epoch FROM finished_at)::float8, %(began)s, %(until)s, %(tenths)s), count(*)
FROM execution WHERE finished_at >= to_timestamp(%(began)s) AND finished_at < to_timestamp(%(until)s) GROUP BY 1"""

_UNSEALED = """
SELECT (SELECT count(*) FROM execution WHERE finished_at IS NOT NULL) - (SELECT count(*) FROM receipt)"""


@dataclass(frozen=True, slots=True)
class Counts:
    """Bytes of a table and of its indexes; rows inserted, dead, updated, and updated without touching an index."""

    table: int
    indexes: int
    inserted: int
    dead: int
    updated: int
    hot: int


Tables = dict[str, Counts]


@contextmanager
def _enter(ground: Ground) -> Iterator[Field]:
    minutes = ground.sizes.sustain_minutes
    with ground.node("sustained") as node:
        workflow = node.publish(chain("sustained", STEPS))
        over_time = Sheet(
            "By tenth of the time",
            [
                "minute",
                "executions/s",
                "tables, MB",
                "indexes, MB",
                "dead rows",
                "ended and not yet sealed",
                "a processor, ms for the same work",
            ],
        )
        tables = Sheet(
            "Tables at the end",
            ["table", "rows added", "table, MB", "indexes, MB", "bytes a row", "HOT updates", "dead rows"],
        )

        def turn() -> dict[str, float]:
            before = _counts(node)
            rates, looks = _sustained(node, workflow, minutes * 60)
            over_time.rows[:] = [
                [f"{number * minutes / TENTHS:g}", f"{rate:.0f}", *look.cells()]
                for number, (rate, look) in enumerate(zip(rates, looks, strict=True), start=1)
            ]
            tables.rows[:] = _grown(before, _counts(node))
            head, tail = sum(rates[:3]), sum(rates[-3:])
            if not head:
                raise ValueError("nothing ended in the first three tenths")
            return {"rate": sum(rates) / TENTHS, "held": tail / head, "unsealed": float(looks[-1].unsealed)}

        made = Field(sheets=[over_time, tables], notes=[f"{minutes:g} minutes; {STEPS} steps an execution."])
        made.product(turn)
        yield made


@dataclass(frozen=True, slots=True)
class Look:
    """One moment: bytes of tables and indexes, dead rows, executions that have no receipt yet; and how many
    milliseconds of a processor the same work takes, which tells a decay from a host that has become slower."""

    tables: int
    indexes: int
    dead: int
    unsealed: int
    work: float

    def cells(self) -> list[str]:
        return [
            f"{self.tables / MEGABYTE:.0f}",
            f"{self.indexes / MEGABYTE:.0f}",
            f"{self.dead:,}",
            f"{self.unsealed:,}",
            f"{self.work:.2f}",
        ]


def _sustained(node: Node, workflow: str, seconds: float) -> tuple[list[float], list[Look]]:
    """Executions a second in each tenth of the time, by the moments of the record; the database after each."""
    began = time.time()

    def keep_going(_: int) -> None:
        while time.time() - began < seconds:
            node.many(workflow, BATCH, connections=4)

    with ThreadPoolExecutor(CALLERS) as pool:
        callers = [pool.submit(keep_going, number) for number in range(CALLERS)]
        looks = [_look(node, began + seconds * tenth / TENTHS) for tenth in range(1, TENTHS + 1)]
        for caller in callers:
            caller.result()
    values = {"began": began, "until": began + seconds, "tenths": TENTHS}
    ended = dict(node.database.execute(_ENDED, values).fetchall())
    return [ended.get(number, 0) / (seconds / TENTHS) for number in range(1, TENTHS + 1)], looks


def _look(node: Node, at: float) -> Look:
    time.sleep(max(0.0, at - time.time()))
    counts = _counts(node).values()
    [(unsealed,)] = node.database.execute(_UNSEALED).fetchall()
    sizes = (sum(one.table for one in counts), sum(one.indexes for one in counts))
    return Look(*sizes, sum(one.dead for one in counts), unsealed, _same_work())


def _same_work() -> float:
    """Milliseconds of this thread's processor, without what it waits for one; the median."""
    found = []
    for _ in range(SAMPLES):
        began = time.thread_time()
        fib(WORK)
        found.append((time.thread_time() - began) * 1000)
        time.sleep(BETWEEN_SECONDS)
    return median(found)


def _counts(node: Node) -> Tables:
    return {name: Counts(*counts) for name, *counts in node.database.execute(_COUNTS)}


def _grown(before: Tables, after: Tables) -> list[list[str]]:
    """A row for each table that many rows came to."""
    rows = []
    for name, now in after.items():
        then = before[name]
        added, updated = now.inserted - then.inserted, now.updated - then.updated
        if added > BATCH:
            size = now.table + now.indexes - then.table - then.indexes
            hot = f"{(now.hot - then.hot) / updated:.0%}" if updated else ""
            sizes = [f"{now.table / MEGABYTE:.1f}", f"{now.indexes / MEGABYTE:.1f}", f"{size / added:.0f}"]
            rows.append([name, f"{added:,}", *sizes, hot, f"{now.dead:,}"])
    return rows


WORKLOAD = Workload(
    "sustain",
    "Held for minutes",
    "On a database that was empty: two callers with four connections each post batches of 100 and wait for the ends. "
    "Decay would show as a last three tenths below the first three.",
    (
        Figure("rate", f"executions of {STEPS} steps a second", "/s", more_is_better=True),
        Figure("held", "last three tenths against the first three", "x", more_is_better=True),
        Figure("unsealed", "ended and not yet sealed, at the end", ""),
    ),
    _enter,
    goals=(Goal("throughput at the end against the beginning", lambda f: f["held", OURS], 0.9, at_least=True),),
    runs=Runs.FULL,
    rounds=1,
    warm_ups=0,
)
