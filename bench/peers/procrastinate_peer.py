"""procrastinate: jobs in PostgreSQL, an asynchronous worker with many jobs at a time in this process."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from importlib.metadata import version

from procrastinate import App, PsycopgConnector

from bench.line import fib as recursion
from bench.line import serve

JOBS_AT_A_TIME = int(os.environ.get("BENCH_JOBS", "20"))
CONNECTIONS = 20
"""Of its pool, which has four by itself."""
POLLING_SECONDS = 0.05
"""Beside its notifications: it loses some of them, and with its own 5 s a chain would now and then take 10 s."""

app = App(
    connector=PsycopgConnector(conninfo=os.environ["BENCH_DATABASE_URL"], min_size=CONNECTIONS, max_size=CONNECTIONS)
)


class State:
    """What the jobs of this process tell each other."""

    def __init__(self) -> None:
        self.left = 0
        self.done = threading.Event()

    def expect(self, count: int) -> None:
        self.left = count
        self.done.clear()

    def one_less(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.done.set()


state = State()


@app.task(name="step")
async def step(left: int, n: int | None) -> None:
    """One step of a chain: defers the next, which is what procrastinate offers for sequences."""
    if n is not None:
        recursion(n)
    if left > 1:
        await step.defer_async(left=left - 1, n=n)
    else:
        state.one_less()


def _run(coroutine):
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(300)


async def _defer(executions: int, steps: int, n: int | None) -> None:
    for _ in range(executions):
        await step.defer_async(left=steps, n=n)


def many(executions: int, steps: int, n: int | None = None) -> float:
    state.expect(executions)
    before = time.perf_counter()
    _run(_defer(executions, steps, n))
    if not state.done.wait(300):
        raise TimeoutError("procrastinate did not finish in 300 s")
    return time.perf_counter() - before


def chain(steps: int, n: int | None = None) -> float:
    return many(1, steps, n)


def one_step(executions: int) -> float:
    return many(executions, 1)


def start(times: int) -> list[float]:
    return [many(1, 1) for _ in range(times)]


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("procrastinate", "psycopg")}


async def _prepare() -> None:
    await app.open_async()
    await app.schema_manager.apply_schema_async()


loop = asyncio.new_event_loop()


def main() -> None:
    threading.Thread(target=loop.run_forever, daemon=True).start()
    _run(_prepare())
    worker = app.run_worker_async(
        concurrency=JOBS_AT_A_TIME, install_signal_handlers=False, fetch_job_polling_interval=POLLING_SECONDS
    )
    asyncio.run_coroutine_threadsafe(worker, loop)
    serve({"versions": versions, "chain": chain, "one_step": one_step, "many": many, "start": start})


if __name__ == "__main__":
    main()
