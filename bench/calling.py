"""Many requests at a time from threads, each with a connection of its own: what was taken how long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from bench.figures import quantile
from bench.wire import Connection


@dataclass(frozen=True, slots=True)
class Called:
    """The answers in no order, the seconds of each, and of all together."""

    bodies: Sequence[bytes]
    latencies: Sequence[float]
    seconds: float

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def milliseconds(self, share: float) -> float:
        return quantile(self.latencies, share) * 1000


def call(address: str, made: Callable[[int], bytes], count: int, connections: int) -> Called:
    """Send `count` requests, `made(n)` the n-th, over so many connections."""
    numbers, lock = iter(range(count)), threading.Lock()
    open_connections = [Connection(address) for _ in range(connections)]
    bodies: list[bytes] = []
    latencies: list[float] = []

    def work(connection: Connection) -> None:
        while True:
            with lock:
                taken = list(islice(numbers, 1))
            if not taken:
                return
            sent = made(taken[0])
            began = time.perf_counter()
            body = connection.exchange(sent)
            latencies.append(time.perf_counter() - began)
            bodies.append(body)

    began = time.perf_counter()
    try:
        with ThreadPoolExecutor(connections) as pool:
            list(pool.map(work, open_connections))
    finally:
        for connection in open_connections:
            connection.close()
    return Called(bodies, latencies, time.perf_counter() - began)
