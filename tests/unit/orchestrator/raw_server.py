"""A server on loopback that answers with whatever bytes a test writes: the http and webhook actions are tried on it."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it came in; the names of `headers` are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Seen, BinaryIO], bool]
"""Writes the answer; whether the connection stays open."""


@dataclass
class Server:
    """`address` is `http://127.0.0.1:<port>`, `host` without the scheme; `seen` are all requests so far."""

    host: str
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        return f"http://{self.host}"


def reply(body: bytes = b"", status: int = 200, *headers: str) -> bytes:
    """An answer with its length and these header lines."""
    lines = [f"HTTP/1.1 {status} Word", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def answering(data: bytes) -> Answer:
    """Always this answer, on a connection that stays open."""

    def answer(_seen: Seen, out: BinaryIO) -> bool:
        out.write(data)
        return True

    return answer


@contextmanager
def serving(answer: Answer) -> Iterator[Server]:
    """Served in threads until the block ends."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            served.connections += 1
            try:
                while (seen := _read(self.rfile)) is not None:
                    served.seen.append(seen)
                    if not answer(seen, cast("BinaryIO", self.wfile)):
                        return
            except OSError:
                return

    with _Listening(("127.0.0.1", 0), Handler) as server:
        served = Server(f"127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield served
        finally:
            served.ended.set()
            server.shutdown()
            thread.join()


class _Listening(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False


def _read(stream: Any) -> Seen | None:
    start = stream.readline().decode("latin-1").split()
    if len(start) != 3:
        return None
    headers: dict[str, str] = {}
    while line := stream.readline().decode("latin-1").rstrip("\r\n"):
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return Seen(start[0], start[1], headers, stream.read(int(headers.get("content-length", 0))))
