"""Celery's tasks, imported by its worker: early acks, no result kept but where a chord needs one.

The prefetch is what Celery's guide to optimizing advises for many short tasks.
"""

from __future__ import annotations

import os
import time

import redis
from celery import Celery

from bench.line import fib as recursion

BROKER = os.environ["BENCH_REDIS_URL"]
DONE = "bench:done"
COUNT = "bench:count"

app = Celery("peer", broker=BROKER, backend=BROKER)
app.conf.update(
    task_ignore_result=True,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    task_default_queue="bench-celery",
    worker_prefetch_multiplier=int(os.environ.get("BENCH_PREFETCH", "64")),
)
known = redis.Redis.from_url(BROKER)


@app.task
def noop() -> None:
    """Nothing."""


@app.task
def fib(n: int) -> int:
    return recursion(n)


@app.task
def tell() -> None:
    """The last of a chain."""
    known.lpush(DONE, time.time())


@app.task
def count(of: int) -> None:
    """One of many; the last of them tells."""
    if known.incr(COUNT) == of:
        known.lpush(DONE, time.time())


@app.task(ignore_result=False)
def part() -> None:
    """One header task of a chord, whose result the chord counts."""


@app.task
def gather(_results: list[None]) -> None:
    known.lpush(DONE, time.time())
