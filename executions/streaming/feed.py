"""The one reader of a process: while streams are open it looks for events and feeds all of them; else there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle, islice
from weakref import WeakKeyDictionary

import psycopg
import structlog

from executions.streaming import reading
from executions.streaming.following import AtPlace, AtSequence, Follower, at_places, at_sequences
from executions.streaming.reading import Connection

logger = structlog.get_logger(__name__)

LOOK_SECONDS = 0.2
"""Between two looks, while none of them found all that it may."""
BREATH_SECONDS = 0.01
"""Between two looks at least: the event loop serves everybody else meanwhile. One look holds it for 20 ms at most."""
OUTAGE_SECONDS = 1.0
EXECUTIONS_AT_ONCE = 10
PLACES_AT_ONCE = 4


class Feed:
    """Reads the database at `url` for the followers that joined, in the event loop that they joined in."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._followers: set[Follower] = set()
        self._reader: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._turn = 0

    def join(self, follower: Follower) -> None:
        """From now on `follower` is given what comes after its position."""
        self._followers.add(follower)
        self._wanted.set()
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read())

    def leave(self, follower: Follower) -> None:
        """It is given nothing more."""
        self._followers.discard(follower)

    def taken(self, follower: Follower) -> bytes:
        """What waits to be sent to `follower`; where more is known to be there, it is looked for at once."""
        if follower.more:
            self._wanted.set()
        return follower.handed_on()

    async def _read(self) -> None:
        while self._followers:
            try:
                async with await reading.connect(self._url) as connection:
                    await self._look_again_and_again(connection)
            except psycopg.Error as error:
                logger.warning("streams_wait_for_database", error=str(error))
                await asyncio.sleep(OUTAGE_SECONDS)

    async def _look_again_and_again(self, connection: Connection) -> None:
        while self._followers:
            self._wanted.clear()
            more = await self._look(connection)
            await asyncio.sleep(BREATH_SECONDS)
            if not more:
                await self._rest()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS - BREATH_SECONDS):
                await self._wanted.wait()
        except TimeoutError:
            return

    async def _look(self, connection: Connection) -> bool:
        """Give every follower that is hungry what comes next; whether somebody is still hungry and there is more."""
        hungry = [follower for follower in self._followers if follower.hungry]
        more = await self._look_at_executions(connection, at_sequences(hungry))
        for group in self._turn_of(at_places(hungry)):
            more |= await self._look_behind(connection, group)
        return more

    async def _look_at_executions(self, connection: Connection, groups: Sequence[AtSequence]) -> bool:
        told = await reading.with_news(connection, groups) if groups else []
        if told:
            for group, events, ended in await reading.next_of_executions(connection, told[:EXECUTIONS_AT_ONCE]):
                more = len(events) == reading.AT_ONCE
                _give(group, partial(group.give, events, more=more, ended=ended))
                await asyncio.sleep(0)
        return len(told) > EXECUTIONS_AT_ONCE

    def _turn_of(self, groups: list[AtPlace]) -> list[AtPlace]:
        """Who is looked for now: those who are furthest, and of those who have to catch up some, by turns."""
        if len(groups) <= PLACES_AT_ONCE:
            return groups
        *behind, furthest = groups
        self._turn = (self._turn + PLACES_AT_ONCE - 1) % len(behind)
        return [furthest, *islice(cycle(behind), self._turn, self._turn + PLACES_AT_ONCE - 1)]

    async def _look_behind(self, connection: Connection, group: AtPlace) -> bool:
        end = await reading.scan_end(connection, group.after)
        if end is None:
            return False
        upto, more = end
        events = await reading.between(connection, group.after, upto, group.tenants)
        _give(group, partial(group.give, events, upto, more=more))
        return more


def _give(group: AtSequence | AtPlace, give: Callable[[], None]) -> None:
    """An event that cannot be shown ends the streams that it was for, and no others."""
    try:
        give()
    except Exception:
        logger.exception("stream_failed")
        group.end()


_FEEDS: WeakKeyDictionary[asyncio.AbstractEventLoop, Feed] = WeakKeyDictionary()


def feed_of_this_process(url: str) -> Feed:
    """The feed of the running event loop."""
    return _FEEDS.setdefault(asyncio.get_running_loop(), Feed(url))
