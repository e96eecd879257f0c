"""Celery with a prefork worker of its own beside this program, which is the client."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version

from celery import chain, chord

from bench.line import serve
from bench.peers.celery_tasks import COUNT, DONE, app, count, fib, gather, known, noop, part, tell

_ALONE = ["--without-gossip", "--without-mingle", "--without-heartbeat"]


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("celery", "kombu", "redis")}


def _told() -> float:
    """When the last task said that it was there, in seconds of the machine's clock."""
    answer = known.blpop([DONE], timeout=300)
    if answer is None:
        raise TimeoutError("Celery did not finish in 300 s")
    return float(answer[1])


def _chain(steps: int, n: int | None):
    step = noop.si() if n is None else fib.si(n)
    return chain(*[step] * (steps - (n is None)), tell.si())


def run_chain(steps: int, n: int | None = None) -> float:
    began = time.time()
    _chain(steps, n).apply_async()
    return _told() - began


def one_step(executions: int) -> float:
    known.delete(COUNT)
    began = time.time()
    for _ in range(executions):
        count.apply_async((executions,))
    return _told() - began


def many(executions: int, steps: int) -> float:
    known.delete(COUNT)
    one = chain(*[noop.si()] * (steps - 1), count.si(executions))
    began = time.time()
    for _ in range(executions):
        one.apply_async()
    return _told() - began


def fan(width: int) -> float:
    began = time.time()
    chord([part.si() for _ in range(width)], gather.s()).apply_async()
    return _told() - began


def start(times: int) -> list[float]:
    """Seconds from before the publish to the beginning of the task."""
    found = []
    for _ in range(times):
        began = time.time()
        tell.apply_async()
        found.append(_told() - began)
        time.sleep(0.005)
    return found


def main() -> None:
    # Without a number it is Celery's own default: a child a processor.
    children = [f"--concurrency={os.environ['BENCH_CHILDREN']}"] if "BENCH_CHILDREN" in os.environ else []
    arguments = [
        "-m",
        "celery",
        "-A",
        "bench.peers.celery_tasks",
        "worker",
        "--loglevel",
        "WARNING",
        *_ALONE,
        *children,
    ]
    worker = subprocess.Popen([sys.executable, *arguments], stdin=subprocess.DEVNULL, stdout=2)
    atexit.register(worker.terminate)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    app.connection().ensure_connection(max_retries=10)
    serve(
        {
            "versions": versions,
            "chain": run_chain,
            "one_step": one_step,
            "many": many,
            "fan": fan,
            "start": start,
        }
    )


if __name__ == "__main__":
    main()
