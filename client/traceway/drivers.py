"""Carry programs out, over httpx: Direct in this thread, Awaited in the event loop. Nothing here knows the API."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

import httpx

from traceway.effects import Effect, Emit, Flow, Open, Program, Read, Reply, Request, Send, Sleep
from traceway.errors import Closed
from traceway.retries import Retry

T = TypeVar("T")
CONNECT_SECONDS = 10.0


@dataclass(slots=True)
class Settings:
    """What a client knows beside its connections. `tenant` is asked for once, where it is not given."""

    retry: Retry
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The end of a program."""

    value: T


@dataclass(slots=True)
class Course(Generic[T]):
    """A program on its way: `at` is the effect that is wanted next, or Done."""

    program: Generator[Any, Any, T]
    at: Any = field(init=False)

    def __post_init__(self) -> None:
        self.answer(None)

    def answer(self, value: Any) -> None:
        """Hand it what came of its effect."""
        try:
            self.at = self.program.send(value)
        except StopIteration as end:
            self.at = Done(cast("T", end.value))

    def fail(self, error: Exception) -> None:
        """Tell it that nothing came of its effect."""
        try:
            self.at = self.program.throw(error)
        except StopIteration as end:
            self.at = Done(cast("T", end.value))


class Direct:
    """Runs programs in the calling thread; several threads may share it."""

    def __init__(self, http: httpx.Client, settings: Settings) -> None:
        self.settings = settings
        self._http = http
        self._closed = threading.Event()

    def run(self, program: Program[T]) -> T:
        """The result of the program."""
        with closing(_Pipe(self._http)) as pipe, closing(program):
            course = Course(program)
            while not isinstance(course.at, Done):
                self._carry_out(course, pipe)
            return cast("T", course.at.value)

    def iterate(self, flow: Flow[T]) -> Iterator[T]:
        """What the flow gives, as it comes."""
        with closing(_Pipe(self._http)) as pipe, closing(flow):
            course = Course(flow)
            while not isinstance(course.at, Done):
                if isinstance(course.at, Emit):
                    yield course.at.item
                    course.answer(None)
                else:
                    self._carry_out(course, pipe)

    def close(self) -> None:
        """End what waits in other threads, and the connections."""
        self._closed.set()
        self._http.close()

    def _carry_out(self, course: Course[Any], pipe: _Pipe) -> None:
        try:
            came = self._came_of(course.at, pipe)
        except httpx.TransportError as error:
            course.fail(error)
        else:
            course.answer(came)

    def _came_of(self, effect: Effect, pipe: _Pipe) -> Any:
        if isinstance(effect, Sleep):
            self._closed.wait(effect.seconds)
        if self._closed.is_set():
            raise Closed("the client was closed")
        match effect:
            case Send(request):
                return _reply(self._http.send(_built(self._http, request)))
            case Open(request):
                return pipe.open(request)
            case Read():
                return pipe.read()
            case Sleep():
                return None


class _Pipe:
    """The one body that a program reads bit by bit."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._chunks: Iterator[bytes] = iter(())

    def open(self, request: Request) -> Reply:
        self.close()
        response = self._response = self._http.send(_built(self._http, request), stream=True)
        if response.status_code != 200:
            response.read()
            return _reply(response)
        self._chunks = response.iter_bytes()
        return Reply(200, response.headers)

    def read(self) -> bytes:
        return next(self._chunks, b"")

    def close(self) -> None:
        if self._response is not None:
            self._response.close()


class Awaited:
    """Runs programs in the event loop."""

    def __init__(self, http: httpx.AsyncClient, settings: Settings) -> None:
        self.settings = settings
        self._http = http

    async def run(self, program: Program[T]) -> T:
        """The result of the program."""
        async with aclosing(_AsyncPipe(self._http)) as pipe:
            with closing(program):
                course = Course(program)
                while not isinstance(course.at, Done):
                    await self._carry_out(course, pipe)
                return cast("T", course.at.value)

    async def iterate(self, flow: Flow[T]) -> AsyncIterator[T]:
        """What the flow gives, as it comes."""
        async with aclosing(_AsyncPipe(self._http)) as pipe:
            with closing(flow):
                course = Course(flow)
                while not isinstance(course.at, Done):
                    if isinstance(course.at, Emit):
                        yield course.at.item
                        course.answer(None)
                    else:
                        await self._carry_out(course, pipe)

    async def close(self) -> None:
        """End the connections."""
        await self._http.aclose()

    async def _carry_out(self, course: Course[Any], pipe: _AsyncPipe) -> None:
        try:
            came = await self._came_of(course.at, pipe)
        except httpx.TransportError as error:
            course.fail(error)
        else:
            course.answer(came)

    async def _came_of(self, effect: Effect, pipe: _AsyncPipe) -> Any:
        if self._http.is_closed:
            raise Closed("the client was closed")
        match effect:
            case Sleep(seconds):
                return await asyncio.sleep(seconds)
            case Send(request):
                return _reply(await self._http.send(_built(self._http, request)))
            case Open(request):
                return await pipe.open(request)
            case Read():
                return await pipe.read()


class _AsyncPipe:
    """As _Pipe."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None

    async def open(self, request: Request) -> Reply:
        await self.aclose()
        response = self._response = await self._http.send(_built(self._http, request), stream=True)
        if response.status_code != 200:
            await response.aread()
            return _reply(response)
        self._chunks = response.aiter_bytes()
        return Reply(200, response.headers)

    async def read(self) -> bytes:
        return b"" if self._chunks is None else await anext(self._chunks, b"")

    async def aclose(self) -> None:
        if self._response is not None:
            await self._response.aclose()


def _built(http: httpx.Client | httpx.AsyncClient, request: Request) -> httpx.Request:
    headers = {"Content-Type": "application/json", **request.headers} if request.body is not None else request.headers
    return http.build_request(
        request.method,
        request.path,
        params=dict(request.query) or None,
        headers=dict(headers),
        content=request.body,
        timeout=httpx.Timeout(request.seconds, connect=min(CONNECT_SECONDS, request.seconds)),
    )


def _reply(response: httpx.Response) -> Reply:
    return Reply(response.status_code, response.headers, response.content)
