"""What gunicorn's ASGI worker lacks here: time for a request to come, a bound on connections, a prompt end.

Its names that begin with an underscore are used with care: tests/acceptance/test_server.py tries each of these over
real sockets, and gunicorn is pinned to one minor version.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from uuid import uuid4

import orjson
from gunicorn import glogging
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers import gasgi

LINGER_SECONDS = 0.5
"""How long a worker that ends leaves idle connections open, for a request that is on its way."""
STALLED_MILLISECONDS = 30_000
"""A client that takes nothing of what was sent for so long is gone."""


class Log(glogging.Logger):  # type: ignore[misc] # gunicorn is not typed
    """Gunicorn's own words, but no line a request: that is written where its id is known (contract/http.py)."""

    @property
    def access_log_enabled(self) -> bool:
        return False


class Connection(ASGIProtocol):  # type: ignore[misc]
    """One connection of a client."""

    worker: Worker

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes it, unless there are too many; the first request has as long to come as any other."""
        super().connection_made(transport)
        if self.worker.nr_conns > self.worker.worker_connections:
            assert isinstance(transport, asyncio.Transport)
            transport.abort()
            return
        self.worker.connections.add(self)
        self._arm_keepalive_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets it."""
        self.worker.connections.discard(self)
        super().connection_lost(exc)

    def close_if_idle(self) -> None:
        """Closes it unless a request is being answered."""
        if self._awaiting_request:
            self._keepalive_timeout()

    def _will_close(self, request: object, response_requires_close: bool) -> bool:
        # gunicorn closes a connection on which the rest of a body is still to come, but does not say so beforehand.
        receiver = self._body_receiver
        unread = receiver is not None and not receiver._complete
        return unread or bool(super()._will_close(request, response_requires_close))

    def _send_error_response(self, status: int, message: str, extra_headers: Iterable[tuple[str, str]] = ()) -> None:
        # What is not understood has no path, and so the dialect of all paths that have none of their own.
        name = uuid4().hex
        problem = {"field": "", "code": "internal_error" if status == 500 else "malformed_request", "message": message}
        body = orjson.dumps({"code": status, "message": message, "details": [problem], "requestId": name})
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), "X-Request-ID": name}
        lines = [f"HTTP/1.1 {status} {self._get_reason_phrase(status)}", "Connection: close"]
        lines += [f"{header}: {value}" for header, value in [*headers.items(), *extra_headers]]
        self._safe_write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)


class Worker(gasgi.ASGIWorker):  # type: ignore[misc]
    """A web process: gunicorn's own, with connections as above."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.connections: set[Connection] = set()

    def init_process(self) -> None:
        """Has the kernel cut off clients that take nothing; accepted sockets inherit this."""
        for listener in self.sockets:
            listener.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_MILLISECONDS)
        super().init_process()

    def handle_exit_signal(self) -> None:
        """TERM: streams end, what is being answered is answered, idle connections are closed."""
        super().handle_exit_signal()
        self.asgi.end_streams()
        self.loop.call_later(LINGER_SECONDS, self._close_idle)

    def _close_idle(self) -> None:
        for connection in list(self.connections):
            connection.close_if_idle()


gasgi.ASGIProtocol = Connection
