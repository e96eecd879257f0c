"""Moments that are made, not hoped for: for tests of what happens when two do something at once.

A lock is held until the database says who waits for it, an engine until others hold theirs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
from django.db import connection, connections

from contract.problems import Conflict
from executions.change import Change
from executions.models import Execution
from executions.store import Session
from orchestrator.sweep import sweep_for_ever
from tests.integration.engine.world import World, database_url
from tests.waiting import eventually

FEW_SECONDS = 5


def asked(sql: str) -> Any:
    """The one value that the database answers with."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        [value] = cursor.fetchone()
    return value


def others_connected() -> int:
    return int(
        asked(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
    )


def waiting_for_a_lock() -> int:
    return int(
        asked("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
    )


def deadlocks() -> int:
    return int(asked("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))


def said(act: Callable[[], object]) -> str | None:
    """Why it was refused, None if it was not; for a thread of its own."""
    try:
        act()
    except Conflict as refusal:
        return refusal.reason
    finally:
        connections.close_all()
    return None


def at_once(*acts: Callable[[], object]) -> list[str | None]:
    """Why each was refused; each in a thread with connections of its own, let go at one moment."""
    barrier = threading.Barrier(len(acts))

    def let_go(act: Callable[[], object]) -> str | None:
        barrier.wait(timeout=20)
        return said(act)

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(let_go, acts))


@contextmanager
def locked(execution: Execution) -> Iterator[None]:
    """Another transaction has it locked."""
    with psycopg.connect(database_url()) as holder:
        holder.execute("SELECT FROM execution WHERE id = %s FOR NO KEY UPDATE", [execution.id])
        yield


def in_turn(execution: Execution, *acts: Callable[[], object]) -> list[str | None]:
    """Why each was refused; all stand before the execution's lock, in this order, in the moment in which it is free."""
    with ThreadPoolExecutor(len(acts)) as pool:
        with locked(execution):
            found = []
            for standing, act in enumerate(acts, start=1):
                found.append(pool.submit(said, act))
                eventually(lambda standing=standing: waiting_for_a_lock() == standing)  # type: ignore[misc]
        return [one.result(timeout=FEW_SECONDS) for one in found]


def hold_the_first(world: World, barrier: threading.Barrier) -> None:
    """This engine writes its next change once the others have locked theirs, and commits it once all are written."""
    session = world.store.session

    @contextmanager
    def holding() -> Iterator[Session]:
        with session() as opened:
            stage = opened.stage

            def stage_together(change: Change, searched: Collection[int] = ()) -> None:
                opened.stage = stage  # type: ignore[method-assign]
                world.store.session = session  # type: ignore[method-assign]
                barrier.wait(timeout=FEW_SECONDS)
                stage(change, searched)
                opened._connection.execute("SELECT 1").fetchall()  # type: ignore[attr-defined]
                barrier.wait(timeout=FEW_SECONDS)

            opened.stage = stage_together  # type: ignore[method-assign]
            yield opened

    world.store.session = holding  # type: ignore[method-assign]


def advance_crossing(count: int) -> None:
    """So many engines each take one execution; none writes before all have theirs, none commits before all wrote."""
    barrier = threading.Barrier(count)
    with ExitStack() as open_:
        worlds = [open_.enter_context(World()) for _ in range(count)]
        for world in worlds:
            hold_the_first(world, barrier)
        at_once(*(world.drain for world in worlds))


@contextmanager
def installation() -> Iterator[None]:
    """Two engines that look all the time and a sweeper; what any of them raises fails the test."""
    over = threading.Event()

    def work() -> None:
        with World() as world:
            while not over.wait(0.01):
                world.drain()
        connections.close_all()

    with ThreadPoolExecutor(3) as pool:
        running = [
            pool.submit(work),
            pool.submit(work),
            pool.submit(sweep_for_ever, database_url(), lambda: None, over),
        ]
        try:
            yield
        finally:
            over.set()
        for one in running:
            one.result(timeout=20)
