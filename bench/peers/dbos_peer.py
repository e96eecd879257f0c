"""DBOS: workflows and steps in this process, every step's output committed to PostgreSQL before the next begins."""

from __future__ import annotations

import os
import time
from importlib.metadata import version

from dbos import DBOS, DBOSConfig

from bench.line import fib as recursion
from bench.line import serve

THREADS = int(os.environ.get("BENCH_THREADS", "4"))
"""Workflows of one process at a time, with a connection for each. What others give: bench/workloads/tuning.py."""


QUEUE = "bench"


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


def queued(executions: int, steps: int) -> float:
    """The same by a queue, which is looked into ten times a second."""
    before = time.perf_counter()
    handles = [DBOS.enqueue_workflow(QUEUE, in_sequence, steps, None) for _ in range(executions)]
    for handle in handles:
        handle.get_result(polling_interval_sec=0.02)
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
        "sys_db_pool_size": max(20, THREADS),
        "executor_id": os.environ["BENCH_NUMBER"],
        "log_level": "WARNING",
    }
    DBOS(config=config)
    DBOS.launch()
    DBOS.register_queue(QUEUE, worker_concurrency=THREADS, polling_interval_sec=0.1)
    asked = {"chain": chain, "one_step": one_step, "many": many, "queued": queued, "start": start}
    serve({"versions": versions, **asked})


if __name__ == "__main__":
    main()
