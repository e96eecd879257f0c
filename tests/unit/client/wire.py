"""A real HTTP server on loopback that answers as a test's script says, and remembers what it was asked."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar


@dataclass(frozen=True)
class Asked:
    """One request; the names of `headers` are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Say:
    """An answer. Of `chunks`, each goes out by itself; `cut` ends the connection before the answer is whole."""

    status: int = 200
    value: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: Sequence[bytes] | None = None
    cut: bool = False


DROP = Say(0)
"""No answer: the connection ends once the request was read."""

Script = Callable[[Asked, int], Say]


@dataclass
class Wire:
    """What is known of the server: its address, and every request in the order of their coming."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)

    def paths(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.asked]


@contextmanager
def wired(script: Script | Sequence[Say]) -> Iterator[Wire]:
    """A server until the block ends. `script` is told each request and its number from 0, or is a list of answers."""
    wire = Wire()
    answer: Script = script if callable(script) else lambda _, number: script[number]
    members = {"wire": wire, "script": staticmethod(answer), "lock": threading.Lock()}
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), members))
    wire.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing of connections that a client gave up."""


class _Handler(BaseHTTPRequestHandler):
    wire: ClassVar[Wire]
    script: ClassVar[Script]
    lock: ClassVar[threading.Lock]
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.lock:
            number = len(self.wire.asked)
            self.wire.asked.append(Asked(self.command, self.path, headers, body))
        self._say(type(self).script(self.wire.asked[number], number))

    def _say(self, say: Say) -> None:
        if say.status == 0:
            self._end()
            return
        self.send_response(say.status)
        for name, value in say.headers.items():
            self.send_header(name, value)
        if say.chunks is None:
            self._whole(b"" if say.value is None else json.dumps(say.value).encode())
        else:
            self._bit_by_bit(say)

    def _whole(self, body: bytes) -> None:
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _bit_by_bit(self, say: Say) -> None:
        assert say.chunks is not None
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in say.chunks:
            self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            self.wfile.flush()
        if say.cut:
            self._end()
        else:
            self.wfile.write(b"0\r\n\r\n")

    def _end(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
