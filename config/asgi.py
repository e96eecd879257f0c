"""The ASGI entry point, `config.asgi:application`: Django's WSGI handler in threads, streams in the event loop.

Every request is answered in a thread, as by a WSGI server. Only where the answer's content is asynchronous, as a
stream's is, or long, the event loop goes on with it, so that no thread is held. Other content is sent in one piece.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes, urlsplit

from django.http import HttpResponseBase, StreamingHttpResponse

from config.wsgi import application as django
from contract.http import WAITS_LATER, Answer, Waiting

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Handler: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

IN_ONE_PIECE = 1024 * 1024
"""Bytes that an answer may have to be sent in one piece."""
THREADS = 8
"""Requests that one process answers at the same time: more would wait for the interpreter, and for each other."""
WAITED_FOR = 64 * 1024
"""Bytes of a body that are waited for before a thread takes the request: a slow client holds none."""


class Body(io.RawIOBase):
    """The body of a request, as a file for the thread that reads it."""

    def __init__(self, receive: Receive) -> None:
        super().__init__()
        self._receive, self._loop = receive, asyncio.get_running_loop()
        self._left, self._more, self._cut = b"", True, False

    async def begin(self) -> None:
        """Wait for the whole of a small body, or for the beginning of a larger one."""
        while self._more and len(self._left) < WAITED_FOR:
            self._take(await self._receive())

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises ConnectionError where the body ends before its end."""
        while self._more and not self._left:
            self._take(asyncio.run_coroutine_threadsafe(_awaited(self._receive()), self._loop).result())
        if self._cut and not self._left:
            raise ConnectionError("the body ends before its end")
        part, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)

    def _take(self, message: Message) -> None:
        self._cut = message["type"] == "http.disconnect"
        self._left += message.get("body", b"")
        self._more = not self._cut and message.get("more_body", False)


@dataclass(slots=True)
class Reply:
    """What the handler answered: its `body`, the response that `goes_on` in the event loop, or one that `waits`."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    goes_on: StreamingHttpResponse | None = None
    waits: Answer | None = None

    def settle(self, may_wait: bool) -> None:
        """Make what is sent of the answer that waited, unless it waits again: then, if it may not, as it is."""
        answer = self.waits
        assert answer is not None, "it waited"
        with ExitStack() as closes:
            closes.callback(answer.close)
            answer.settle()
            if answer.wait is not None and may_wait:
                closes.pop_all()
                return
            answer.wait = None
            self.status, self.body = answer.status_code, answer.content
            self.headers = [(name.lower().encode("latin-1"), text.encode("latin-1")) for name, text in answer.items()]


class Application:
    """See the module."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="request")
        self._ending = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        body = Body(receive)
        await body.begin()
        environ = environ_of(scope, io.BufferedReader(body))
        loop = asyncio.get_running_loop()
        reply = await loop.run_in_executor(self._threads, self._reply, environ)
        if reply.waits is not None and not await self._settled(reply, reply.waits, receive):
            return
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
        if reply.goes_on is not None:
            await self._go_on(reply.goes_on, receive, send)
        await send({"type": "http.response.body", "body": reply.body})

    def end_streams(self) -> None:
        """Have every open stream end in good order; one that is opened later ends at once."""
        self._ending.set()

    def _reply(self, environ: dict[str, Any]) -> Reply:
        reply = Reply(500, [])

        def start(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            reply.status = int(status[:3])
            reply.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]

        response = self._handler(environ, start)
        assert isinstance(response, HttpResponseBase)
        if isinstance(response, Answer) and response.wait is not None:
            reply.waits = response
            return reply
        if isinstance(response, StreamingHttpResponse) and _goes_on(response, environ["REQUEST_METHOD"]):
            reply.goes_on = response
            return reply
        with closing(response):
            reply.body = b"" if environ["REQUEST_METHOD"] == "HEAD" else b"".join(response)
        return reply

    async def _settled(self, reply: Reply, answer: Answer, receive: Receive) -> bool:
        """Have an answer that waits settled, as often as it waits; False where the client has left meanwhile."""
        # One for all the waits: gunicorn takes a client for gone once a receive was cancelled.
        left = asyncio.create_task(_left(receive))
        try:
            while answer.wait is not None:
                await self._wait(answer.wait, left)
                if left.done():
                    answer.close()
                    return False
                may_wait = not self._ending.is_set()
                await asyncio.get_running_loop().run_in_executor(self._threads, reply.settle, may_wait)
            return True
        finally:
            left.cancel()

    async def _wait(self, wait: Waiting, left: asyncio.Task[None]) -> None:
        """Return when what is waited for has come, it took long enough, the client has left or the server ends."""
        loop, come = asyncio.get_running_loop(), asyncio.Event()
        forget = wait.watch(lambda: loop.call_soon_threadsafe(come.set))
        ends = [asyncio.create_task(come.wait()), asyncio.create_task(self._ending.wait())]
        try:
            await asyncio.wait([left, *ends], timeout=wait.seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            forget()
            for task in ends:
                task.cancel()

    async def _go_on(self, response: StreamingHttpResponse, receive: Receive, send: Send) -> None:
        """Send the content until it ends, the client leaves or the server ends. Raises what the content raises."""
        sending = asyncio.create_task(_send_content(response, send))
        stops = [asyncio.create_task(_left(receive)), asyncio.create_task(self._ending.wait())]
        try:
            await asyncio.wait([sending, *stops], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, *stops):
                task.cancel()
            ends = await asyncio.gather(sending, *stops, return_exceptions=True)
            response.close()
        if isinstance(ends[0], Exception):
            raise ends[0]


def environ_of(scope: Scope, body: io.BufferedIOBase) -> dict[str, Any]:
    """The request as WSGI has it."""
    host, port = scope.get("server") or ("localhost", 80)
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": _path(scope["raw_path"]),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        WAITS_LATER: True,
    }
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").upper().replace("-", "_"), raw_value.decode("latin-1")
        key = name if name in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{name}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


def _path(target: bytes) -> str:
    """The path of a request's target, which may be a whole address, as WSGI wants it: each byte as a character."""
    path = target if target.startswith(b"/") else urlsplit(target).path or b"/"
    return unquote_to_bytes(path.partition(b"?")[0]).decode("latin-1")


def _goes_on(response: StreamingHttpResponse, method: str) -> bool:
    """Whether its content comes by and by, or is too long to be held at once."""
    long = response.has_header("Content-Length") and int(response["Content-Length"]) > IN_ONE_PIECE
    return response.is_async or (long and method != "HEAD")


async def _send_content(response: StreamingHttpResponse, send: Send) -> None:
    async for part in _parts(response):
        await send({"type": "http.response.body", "body": part, "more_body": True})


async def _parts(response: StreamingHttpResponse) -> AsyncIterator[bytes]:
    if response.is_async:
        async for part in response.streaming_content:  # type: ignore[union-attr] # is_async says so
            yield part
        return
    parts = iter(response)
    while (piece := await asyncio.to_thread(next, parts, None)) is not None:
        yield piece


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _awaited(message: Awaitable[Message]) -> Message:
    return await message


application = Application(django)
