"""Five hundred open streams on one server process: all are told everything, and requests are answered as before."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from config.stack.running import Stack
from tests.acceptance.api import Api
from tests.acceptance.web import Web, web
from tests.waiting import eventually

OF_EXECUTIONS = 490
OF_TENANT = 10
EXECUTIONS = 49
REQUESTS = 150
EVERY = 10
"""So many requests, and another execution runs."""
MOST_KILOBYTES = 150
"""That one open stream may cost."""


@dataclass
class Streams:
    """Connections to streams, all read in one thread: the lines that came on each."""

    web: Web
    key: str
    lines: list[list[bytes]] = field(default_factory=list)
    open: int = 0
    ended: int = 0

    async def read(self, path: str) -> None:
        reader, writer = await asyncio.open_connection(self.web.host, self.web.port, limit=2**20)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {self.key}\r\n\r\n".encode())
            assert b" 200 " in await reader.readline()
            self.lines.append([])
            await self._read_to_the_end(reader, self.lines[-1])
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _read_to_the_end(self, reader: asyncio.StreamReader, lines: list[bytes]) -> None:
        self.open += 1
        while (line := await reader.readline()) != b"0\r\n":
            assert line
            lines.append(line)
        self.ended += 1

    def events(self) -> list[list[bytes]]:
        """The types of the events that came on each."""
        return [[line[7:].strip() for line in lines if line.startswith(b"event: ")] for lines in self.lines]


@contextmanager
def reading() -> Iterator[Callable[[Coroutine[Any, Any, None]], object]]:
    """Runs coroutines in a thread; those that are left at the end are cancelled."""
    loop = asyncio.new_event_loop()
    # An event loop refers to its tasks weakly: what nobody holds is collected while it waits for its connection.
    held: list[object] = []
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield lambda coroutine: loop.call_soon_threadsafe(lambda: held.append(loop.create_task(coroutine)))
    finally:
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[Api]:
    made = Api.of_new_tenant(stack, "streaming")
    with made.client:
        yield made


def test_five_hundred_streams_are_told_everything_and_do_not_slow_requests_down(stack: Stack, api: Api) -> None:
    held = api.publish({"name": "held", "steps": [{"name": "w", "type": "wait", "config": {"signal": "go"}}]})
    noop = {"name": "n", "type": "tool_call", "config": {"tool": "noop", "arguments": {}}}
    short = api.publish({"name": "short", "steps": [noop]})
    executions = api.start_many(held, EXECUTIONS)
    with web(stack, "with-streams") as crowded, web(stack, "without-streams") as quiet, reading() as run:
        assert max(timings(api, [crowded, quiet], 10, lambda _: None)) > 0
        before = crowded.serving.memory_info().rss
        of_executions, of_tenant = Streams(crowded, key_of(api)), Streams(crowded, key_of(api))
        for number in range(OF_EXECUTIONS):
            run(of_executions.read(f"/v1/executions/{executions[number % EXECUTIONS]}/stream"))
        for _ in range(OF_TENANT):
            run(of_tenant.read("/v1/executions/stream"))
        eventually(lambda: of_executions.open + of_tenant.open == OF_EXECUTIONS + OF_TENANT)
        cost = (crowded.serving.memory_info().rss - before) / 1024 / (OF_EXECUTIONS + OF_TENANT)
        assert cost < MOST_KILOBYTES

        with_streams, without = timings(api, [crowded, quiet], REQUESTS, lambda _: api.start(short))
        assert with_streams < 2 * without + 0.05

        for execution in executions:
            api.post(f"/v1/executions/{execution}/signals/go")
        eventually(lambda: of_executions.ended == OF_EXECUTIONS)
        told = of_executions.events()
        assert all(events == told[0] for events in told)
        assert (told[0][0], told[0][-1]) == (b"execution.created", b"execution.succeeded")
        ends = EXECUTIONS + REQUESTS // EVERY
        eventually(lambda: [e.count(b"execution.succeeded") for e in of_tenant.events()] == [ends] * OF_TENANT)


def key_of(api: Api) -> str:
    return str(api.client.headers["Authorization"])


def timings(api: Api, servers: list[Web], count: int, meanwhile: Callable[[int], object]) -> list[float]:
    """For each server, within how many seconds 95 % of the requests are answered, all being asked by turns.

    `meanwhile` is done before every tenth.
    """
    took: list[list[float]] = [[] for _ in servers]
    with ExitStack() as stack:
        headers = {"Authorization": key_of(api)}
        clients = [stack.enter_context(httpx.Client(base_url=s.address, headers=headers, timeout=30)) for s in servers]
        for number in range(count):
            if number % EVERY == 0:
                meanwhile(number)
            for client, seconds in zip(clients, took, strict=True):
                began = time.perf_counter()
                assert client.get("/v1/me").status_code == 200
                seconds.append(time.perf_counter() - began)
    return [sorted(seconds)[int(count * 0.95)] for seconds in took]
