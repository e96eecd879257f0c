"""A connection to an HTTP server, as light as it can be: on two processors the caller's own work counts."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import orjson


class Refused(Exception):
    """An answer outside 2xx, or none."""


def request(method: str, address: str, path: str, headers: Mapping[str, str], body: Any = None) -> bytes:
    """The bytes of a request with a JSON body."""
    content = b"" if body is None else orjson.dumps(body)
    lines = [f"{method} {path} HTTP/1.1", f"Host: {urlsplit(address).netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"] if content else []
    return "\r\n".join([*lines, "", ""]).encode() + content


class Connection:
    """Kept open over requests; one at a time. Answers need a Content-Length, as all of this product's have."""

    def __init__(self, address: str, seconds: float = 60) -> None:
        target = urlsplit(address)
        self._socket = socket.create_connection((target.hostname, target.port), seconds)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._left = b""

    def exchange(self, sent: bytes) -> bytes:
        """The answer's body. Raises Refused, and OSError where the server is away."""
        self._socket.sendall(sent)
        head = self._head()
        status, length = int(head[9:12]), _length(head)
        while len(self._left) < length:
            self._receive()
        body, self._left = self._left[:length], self._left[length:]
        if not 200 <= status < 300:
            raise Refused(f"{status}: {body[:500].decode(errors='replace')}")
        return body

    def _head(self) -> bytes:
        while (end := self._left.find(b"\r\n\r\n")) < 0:
            self._receive()
        head, self._left = self._left[:end], self._left[end + 4 :]
        return head

    def _receive(self) -> None:
        part = self._socket.recv(65536)
        if not part:
            raise Refused("the server closed the connection")
        self._left += part

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
