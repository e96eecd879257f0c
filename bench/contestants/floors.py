"""The floors: what PostgreSQL, Valkey and Python themselves take for the least that any engine must do."""

from __future__ import annotations

import time
from typing import Any

import psycopg
import redis

from bench.line import fib

POSTGRES = "PostgreSQL alone"
POSTGRES_RECORDS = "one row a commit, on one connection, prepared"
VALKEY = "Valkey alone"
VALKEY_RECORDS = "one SET and its answer"
PYTHON = "Python alone"
PYTHON_RECORDS = "nothing: the function called in a loop"


class Commits:
    """A table of its own, and one connection that commits row after row to it."""

    def __init__(self, url: str) -> None:
        self._connection: psycopg.Connection[Any] = psycopg.connect(url, autocommit=True)
        self._connection.prepare_threshold = 0
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS floor (id bigserial PRIMARY KEY, at timestamptz DEFAULT now(), payload text)"
        )

    def seconds(self, count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            self._connection.execute("INSERT INTO floor (payload) VALUES (%s)", ["x" * 200])
        return time.perf_counter() - began

    def close(self) -> None:
        self._connection.close()


class RoundTrips:
    """One connection to Valkey."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url)

    def seconds(self, count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            self._client.set("bench:floor", "x")
        return time.perf_counter() - began

    def close(self) -> None:
        self._client.close()


def recursion_seconds(times: int, n: int) -> float:
    """So many fib(n), one after the other."""
    began = time.perf_counter()
    for _ in range(times):
        fib(n)
    return time.perf_counter() - began
