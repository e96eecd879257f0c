"""Five hundred open streams: how soon each of them is told of an event, and what one costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from urllib.parse import urlsplit

import orjson
import psutil

from bench.contestants.traceway import Node, created
from bench.definitions import Definition
from bench.figures import Figure, quantile
from bench.ground import Ground
from bench.wire import Connection
from bench.workload import Field, Runs, Workload

STREAMS = 500
EXECUTIONS = 50
OPEN_SECONDS = 60.0
HELD: Definition = {"name": "held", "steps": [{"name": "w", "type": "wait", "config": {"signal": "go"}}]}


class Listeners:
    """Streams that are read until they end: the seconds from each last event's commit time to its arrival."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._open = asyncio.Event()
        self._told = 0
        self.delays: list[float] = []

    async def listen(self, executions: list[str], streams: int) -> float:
        """Open them, let the executions end, read to the end; the memory that one stream costs the web, in KB."""
        before = _web_memory(self._node)
        reading = [
            asyncio.create_task(self._read(executions[number % len(executions)], streams)) for number in range(streams)
        ]
        await asyncio.wait_for(self._open.wait(), OPEN_SECONDS)
        cost = (_web_memory(self._node) - before) / 1024 / streams
        await asyncio.to_thread(self._let_go, executions)
        await asyncio.wait_for(asyncio.gather(*reading), OPEN_SECONDS)
        return cost

    def _let_go(self, executions: list[str]) -> None:
        with Connection(self._node.stack.address) as connection:
            for execution in executions:
                connection.exchange(self._node.request("POST", f"/v1/executions/{execution}/signals/go", {}))

    async def _read(self, execution: str, streams: int) -> None:
        target = urlsplit(self._node.stack.address)
        reader, writer = await asyncio.open_connection(target.hostname, target.port)
        writer.write(self._node.request("GET", f"/v1/executions/{execution}/stream", Accept="text/event-stream"))
        waiting, last = False, b""
        while (line := await reader.readline()) not in (b"", b"0\r\n"):
            if line.startswith(b"data: "):
                last, arrived = line, time.time()
                if not waiting and b"execution.waiting" in line:
                    waiting = True
                    self._one_more(streams)
        writer.close()
        event = orjson.loads(last[6:])
        if event["eventType"] == "execution.succeeded":
            self.delays.append(arrived - datetime.fromisoformat(event["createdAt"]).timestamp())

    def _one_more(self, streams: int) -> None:
        self._told += 1
        if self._told == streams:
            self._open.set()


def _web_memory(node: Node) -> int:
    """Bytes that the web processes hold."""
    held = 0
    for process in node.stack.processes():
        # A worker's child may end, and be replaced, at any time.
        with suppress(psutil.NoSuchProcess):
            if "gunicorn" in " ".join(process.cmdline()):
                held += process.memory_full_info().uss
    return held


@contextmanager
def _enter(ground: Ground) -> Iterator[Field]:
    node, streams = ground.main, ground.sizes.of(STREAMS, 20)
    workflow = node.publish({**HELD, "name": ground.name("held")})

    def turn() -> dict[str, float]:
        executions = [created(body) for body in node.post_many(workflow, EXECUTIONS, 4).bodies]
        listeners = Listeners(node)
        cost = asyncio.run(listeners.listen(executions, streams))
        if len(listeners.delays) != streams:
            raise ValueError(f"only {len(listeners.delays)} of {streams} streams were told of the end")
        shares = {"p50": 0.5, "p99": 0.99}
        return {name: quantile(listeners.delays, share) * 1000 for name, share in shares.items()} | {"memory": cost}

    made = Field(notes=[f"{streams} streams on {EXECUTIONS} executions, which end at about the same time."])
    made.product(turn)
    yield made


WORKLOAD = Workload(
    "streams",
    "500 streams (SSE)",
    "From the moment in the last event to its arrival, all streams' executions ending one right after the other.",
    (
        Figure("p50", "event to arrival, p50", "ms"),
        Figure("p99", "event to arrival, p99", "ms"),
        Figure("memory", "memory of the web processes a stream", "KB"),
    ),
    _enter,
    runs=Runs.NORMAL,
)
