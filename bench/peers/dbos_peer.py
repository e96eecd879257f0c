"""DBOS: workflows and steps in this process, every step's output committed to PostgreSQL before the next begins."""

from __future__ import annotations

import os
import time
from importlib.metadata import version

from dbos import DBOS, DBOSConfig

from bench.line import fib as recursion
from bench.line import serve

THREADS = 32
"""Workflows of one process at a time: more did not make it faster."""


@DBOS.step()
def noop() -> None:
    """Nothing."""


@DBOS.step()
def fib(n: int) -> int:
    return recursion(n)


@DBOS.workflow()
def in_sequence(steps: int, n: int | None) -> None:
    for _ in range(steps):
        if n is None:
            noop()
        else:
            fib(n)


@DBOS.workflow()
def began() -> float:
    return time.time()


def chain(steps: int, n: int | None = None) -> float:
    before = time.perf_counter()
    in_sequence(steps, n)
    return time.perf_counter() - before


def many(executions: int, steps: int) -> float:
    before = time.perf_counter()
    handles = [DBOS.start_workflow(in_sequence, steps, None) for _ in range(executions)]
    for handle in handles:
        handle.get_result()
    return time.perf_counter() - before


def one_step(executions: int) -> float:
    return many(executions, 1)


def start(times: int) -> list[float]:
    found = []
    for _ in range(times):
        before = time.time()
        found.append(DBOS.start_workflow(began).get_result() - before)
    return found


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("dbos", "psycopg", "sqlalchemy")}


def main() -> None:
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": os.environ["BENCH_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://"),
        "run_admin_server": False,
        "max_executor_threads": THREADS,
        "executor_id": os.environ["BENCH_NUMBER"],
        "log_level": "WARNING",
    }
    DBOS(config=config)
    DBOS.launch()
    serve({"versions": versions, "chain": chain, "one_step": one_step, "many": many, "start": start})


if __name__ == "__main__":
    main()
