"""Connections whose every wait ends at one moment, so that what is dripped byte by byte holds nobody any longer."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore

from tenants.egress import Guard

_CHUNK = 4_096
_bounds = threading.local()


class TimedGuard(Guard):
    """The egress guard; what a thread does on its connections `within` some seconds has to be done by then."""

    def __init__(self, allowed_hosts: Collection[str]) -> None:
        super().__init__(allowed_hosts)
        self._backend = _TimedBackend()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """From here, this thread's waits on timed connections end after `seconds` altogether, as the time-outs of httpx."""
    _bounds.until = time.monotonic() + seconds
    try:
        yield
    finally:
        del _bounds.until


def _left(timeout: float | None, over: type[Exception]) -> float | None:
    """What is left of `timeout`. Raises `over` for nothing."""
    until: float | None = getattr(_bounds, "until", None)
    if until is None:
        return timeout
    left = until - time.monotonic()
    if left <= 0:
        raise over("the time is over")
    return left if timeout is None else min(timeout, left)


class _TimedBackend(httpcore.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        bounded = _left(timeout, httpcore.ConnectTimeout)
        return _Timed(super().connect_tcp(host, port, bounded, local_address, socket_options))


class _Timed(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _CHUNK):
            self._stream.write(buffer[start : start + _CHUNK], _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        bounded = _left(timeout, httpcore.ConnectTimeout)
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, bounded))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
