"""Streams and waiting: events as they happen, resumed where a connection broke, and an execution until it has ended."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import httpx

from traceway.asking import answered, get
from traceway.effects import Emit, Flow, Open, Program, Read, Reply, Request, Sleep
from traceway.errors import ApiError, UnexpectedAnswer, Unreachable, WaitTimeout
from traceway.retries import LOST, Retry
from traceway.sse import Parser, ServerSentEvent

T = TypeVar("T")
LAST_ID = "Last-Event-ID"
SILENCE_SECONDS = 45.0
"""The server is heard from every 15 s; after three times that nobody is there any more."""
LONGEST_SECONDS = 300
POLL_SECONDS = (0.02, 2.0)
"""The first and the longest time between two questions after an execution that is waited for."""
TERMINAL_EVENTS = frozenset({"execution.succeeded", "execution.failed", "execution.cancelled"})


class Ending(Protocol):
    """Something that ends."""

    @property
    def is_over(self) -> bool: ...


E = TypeVar("E", bound=Ending)


@dataclass(slots=True)
class _Listening:
    """Where one stream stands, over all of its connections. `fruitless` are those since an event was heard."""

    parser: Parser
    last: str = ""
    fruitless: int = 0

    def begin(self, reply: Reply) -> None:
        """A stream without a beginning says in its head where it was taken up."""
        if not self.parser.last_id:
            self.parser = Parser(reply.headers.get(LAST_ID, ""), self.parser.retry)

    def renew(self) -> None:
        """What one connection left unfinished is void on the next."""
        self.parser = Parser(self.parser.last_id, self.parser.retry)
        self.fruitless += 1

    def pause(self, retry: Retry) -> float:
        return max(retry.pause(self.fruitless), self.parser.retry or 0)


def follow(
    retry: Retry, at: str, read: Callable[[Any], T], *, after: str | None = None, endless: bool = False
) -> Flow[T]:
    """Every event of the stream at `at`, each once, from the one after `after`.

    A connection that breaks is made again and goes on with the next event. Ends after the terminal event, unless it is
    `endless`, and where the server says that nothing follows. Raises ApiError, Unreachable.
    """
    listening = _Listening(Parser(after or ""))
    while True:
        reply = yield from answered(retry, _opening(at, listening.parser.last_id), Open)
        if reply.status != 200:
            return
        listening.begin(reply)
        in_order = yield from _hear(listening, read)
        if in_order and not endless and listening.last in TERMINAL_EVENTS:
            return
        listening.renew()
        yield Sleep(listening.pause(retry))


def ended(retry: Retry, look: Callable[[], Program[tuple[E, str]]], stream: str, seconds: float | None) -> Program[E]:
    """What `look` gives beside its last event's id, once it is over.

    Listens to `stream` in between; where nothing is to be heard, looks again and again. Raises WaitTimeout after
    `seconds`, and what `look` raises.
    """
    deadline = math.inf if seconds is None else retry.clock() + seconds
    pause, longest = POLL_SECONDS
    while True:
        found, last_id = yield from look()
        if found.is_over:
            return found
        began = retry.clock()
        if began >= deadline:
            raise WaitTimeout(f"{stream.removesuffix('/stream')} had not ended after {seconds:g} s; it goes on")
        yield from _listen(retry, stream, last_id, deadline - began)
        now = retry.clock()
        spare = min(began + pause, deadline) - now
        if spare > 0:
            yield Sleep(spare)
        pause = min(pause * 2, longest)


def _hear(listening: _Listening, read: Callable[[Any], T]) -> Any:
    """Emit what one connection tells; returns whether it came to an orderly end."""
    while True:
        try:
            chunk: bytes = yield Read()
        except httpx.TransportError:
            return False
        if not chunk:
            return True
        for heard in listening.parser.feed(chunk):
            listening.last, listening.fruitless = heard.event, 0
            yield Emit(read(_event(heard)))


def _listen(retry: Retry, stream: str, last_id: str, seconds: float) -> Program[None]:
    """Return when the stream is over, or after about `seconds`; at once where there is no listening."""
    most = min(seconds, LONGEST_SECONDS)
    opening = _opening(stream, last_id, max_seconds=math.ceil(most))
    until = retry.clock() + most
    try:
        reply = yield from answered(
            replace(retry, seconds=0), replace(opening, seconds=min(SILENCE_SECONDS, most + 2)), Open
        )
        while reply.status == 200 and retry.clock() < until and (yield Read()):
            continue
    except (ApiError, Unreachable, *LOST):
        return


def _opening(at: str, last_id: str, **query: int) -> Request:
    headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
    headers |= {LAST_ID: last_id} if last_id else {}
    return replace(get(at, query), headers=headers, seconds=SILENCE_SECONDS)


def _event(heard: ServerSentEvent) -> Any:
    try:
        return json.loads(heard.data)
    except ValueError as error:
        raise UnexpectedAnswer(f"an event of the stream is not JSON: {heard.data[:100]}") from error
