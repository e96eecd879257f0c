"""Prefect: a flow in this process against a Prefect server of its own.

The server keeps its state in SQLite, its default: for PostgreSQL it needs the extension pg_trgm, which the embedded
server does not have.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import time
import urllib.request
from importlib.metadata import version

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from bench.line import fib as recursion
from bench.line import serve

START_SECONDS = 120


@task(persist_result=True, cache_policy=NO_CACHE)
def noop() -> None:
    """Nothing; its result is kept, so that a flow that is run again could go on behind it."""


@task(persist_result=True, cache_policy=NO_CACHE)
def fib(n: int) -> int:
    return recursion(n)


@flow(log_prints=False)
def in_sequence(steps: int, n: int | None) -> None:
    for _ in range(steps):
        if n is None:
            noop()
        else:
            fib(n)


def chain(steps: int, n: int | None = None) -> float:
    before = time.perf_counter()
    in_sequence(steps, n)
    return time.perf_counter() - before


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("prefect", "sqlalchemy", "asyncpg")}


def _serve_prefect() -> None:
    port = os.environ["PREFECT_API_URL"].split(":")[2].split("/")[0]
    arguments = ["-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", port, "--no-ui"]
    server = subprocess.Popen([sys.executable, *arguments], stdin=subprocess.DEVNULL, stdout=2)
    atexit.register(server.terminate)
    until = time.monotonic() + START_SECONDS
    while not _healthy():
        if server.poll() is not None or time.monotonic() > until:
            raise SystemExit("the Prefect server does not start")
        time.sleep(0.2)


def _healthy() -> bool:
    try:
        with urllib.request.urlopen(f"{os.environ['PREFECT_API_URL']}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _serve_prefect()
    serve({"versions": versions, "chain": chain})


if __name__ == "__main__":
    main()
