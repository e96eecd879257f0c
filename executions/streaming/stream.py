"""One open stream as its server sees it: parts to be sent, a heartbeat now and then, an end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self, TypeAlias

import structlog
from django.db import Error, close_old_connections

from contract.problems import Refusal
from executions.streaming import sse
from executions.streaming.feed import Feed, feed_of_this_process
from executions.streaming.following import Follower, OfExecution, OfTenant, Place

logger = structlog.get_logger(__name__)

Check: TypeAlias = Callable[[], object]
"""Raises a Refusal where the stream may not go on."""

# Two are enough for hundreds of streams, and leave the processor to requests.
_CHECKERS = ThreadPoolExecutor(2, thread_name_prefix="stream-check")


@dataclass(frozen=True, slots=True)
class Terms:
    """`heartbeat` and `lasts` (None: no end of its own) in seconds; `check` is made at every heartbeat."""

    heartbeat: float
    check: Check
    lasts: float | None = None


class Stream:
    """Iterated over in the event loop of a server, it gives the bytes to send. `close` when it is over, in any way."""

    def __init__(self, url: str, source: OfExecution | OfTenant, after: int | Place, terms: Terms) -> None:
        self._url, self._terms = url, terms
        self._news = asyncio.Event()
        self._follower = Follower(source, after, self._news.set)
        self._feed: Feed | None = None
        self._beats_at = self._ends_at = 0.0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._feed is None:
            return self._open()
        clock = asyncio.get_running_loop().time
        while clock() < self._ends_at:
            if clock() >= self._beats_at:
                return await self._beat()
            if self._follower.waiting:
                self._news.clear()
                return self._feed.taken(self._follower)
            if self._follower.ended:
                break
            await self._wait_until(min(self._beats_at, self._ends_at))
        raise StopAsyncIteration

    def close(self) -> None:
        """It is over; nothing is kept of it."""
        if self._feed is not None:
            self._feed.leave(self._follower)

    def _open(self) -> bytes:
        now = asyncio.get_running_loop().time()
        self._beats_at = now + self._terms.heartbeat
        self._ends_at = float("inf") if self._terms.lasts is None else now + self._terms.lasts
        self._feed = feed_of_this_process(self._url)
        self._feed.join(self._follower)
        return sse.OPENING

    async def _beat(self) -> bytes:
        loop = asyncio.get_running_loop()
        if not await loop.run_in_executor(_CHECKERS, _holds, self._terms.check):
            raise StopAsyncIteration
        self._beats_at = loop.time() + self._terms.heartbeat
        return sse.HEARTBEAT

    async def _wait_until(self, moment: float) -> None:
        try:
            async with asyncio.timeout_at(moment):
                await self._news.wait()
        except TimeoutError:
            return
        self._news.clear()


def _holds(check: Check) -> bool:
    """Whether the stream may go on. Without a database nobody can say: the client comes again, and is checked then."""
    close_old_connections()
    try:
        check()
    except Refusal:
        return False
    except Error as error:
        logger.warning("streams_wait_for_database", error=str(error))
        return False
    return True
