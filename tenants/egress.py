"""The egress guard: every outbound request made for a tenant goes through a client from here.

The check is made on the address that is really connected to, after the name was resolved and for every
connection, those of redirects too, so that no name can be rebound between check and use.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from queue import Empty, SimpleQueue

import httpcore
import httpx

MAX_REDIRECTS = 5
REPEATABLE = "repeatable"
"""The request extension that allows a request to be sent again when the server had closed the connection before."""

_ORIGIN_FREE_HEADERS = frozenset({"accept", "accept-encoding", "user-agent", "content-type", "host"})
_UNICAST = ipaddress.IPv6Network("2000::/3")
"""The only IPv6 addresses in public use; before Python 3.11.10 `is_global` lets others through (fec0::/10, ::/96)."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class EgressRefused(Exception):
    """The address may not be reached from here."""


class Guard(httpcore.NetworkBackend):
    """Connects to public addresses, and to the hosts (`host` or `host:port`, IPv6 in brackets) that the setting allows.

    `opened` counts the connections it was asked for.
    """

    def __init__(self, allowed_hosts: Collection[str]) -> None:
        self.opened = 0
        self._allowed = frozenset(host.strip().lower() for host in allowed_hosts)
        self._backend: httpcore.NetworkBackend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to one of the name's addresses, each checked. Raises EgressRefused or httpcore.ConnectError."""
        self.opened += 1
        addresses = _resolve(host, port, timeout)
        if not self._allows(host, port):
            for address in addresses:
                _check(host, address)
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002 - httpcore's signature
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Never: a socket of this machine is nothing that a tenant may reach."""
        raise EgressRefused(f"{path} is a socket of this machine")

    def _allows(self, host: str, port: int) -> bool:
        written = f"[{host}]" if ":" in host else host
        return not self._allowed.isdisjoint({written.lower(), f"{written}:{port}".lower()})


class GuardedTransport(httpx.BaseTransport):
    """httpx over a connection pool with the guard as its network, for which httpx's own transport has no parameter.

    A server may close a connection that waits for its next request just as that is sent: a request that may be
    repeated is then sent once more, on a connection of its own.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._pool = httpcore.ConnectionPool(
            ssl_context=_tls(),
            max_connections=None,
            max_keepalive_connections=20,
            keepalive_expiry=15.0,
            network_backend=guard,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        opened = self._guard.opened
        try:
            return self._send(request)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            if self._guard.opened > opened or not request.extensions.get(REPEATABLE):
                raise
            return self._send(request)

    def close(self) -> None:
        self._pool.close()

    def _send(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        address = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        with _as_httpx_tells():
            answer = self._pool.handle_request(
                httpcore.Request(
                    request.method,
                    address,
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer), extensions=answer.extensions)


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx_tells():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


def client(allowed_hosts: Collection[str], guard: type[Guard] = Guard) -> httpx.Client:
    """An HTTP client behind a guard of this kind; it follows no redirect by itself and reads no proxy setting.

    It keeps no cookies: every tenant's requests go through it.
    """
    return httpx.Client(
        transport=GuardedTransport(guard(allowed_hosts)),
        trust_env=False,
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"User-Agent": "Traceway", "Accept-Encoding": "gzip"},
    )


def redirected(response: httpx.Response) -> httpx.Request | None:
    """The request that a redirect of a GET or HEAD asks for, without credentials where it leads to another origin."""
    request = response.next_request
    if request is None or response.request.method not in {"GET", "HEAD"}:
        return None
    before = response.request.url
    if (request.url.scheme, request.url.host, request.url.port) != (before.scheme, before.host, before.port):
        for name in [name for name in request.headers if name.lower() not in _ORIGIN_FREE_HEADERS]:
            del request.headers[name]
    return request


_HTTPX: dict[type[Exception], type[httpx.TransportError]] = {
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.WriteTimeout: httpx.WriteTimeout,
    httpcore.PoolTimeout: httpx.PoolTimeout,
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ReadError: httpx.ReadError,
    httpcore.WriteError: httpx.WriteError,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
    httpcore.UnsupportedProtocol: httpx.UnsupportedProtocol,
}
_TOLD = tuple(_HTTPX)


@contextmanager
def _as_httpx_tells() -> Iterator[None]:
    try:
        yield
    except _TOLD as error:
        raise _HTTPX[type(error)](str(error)) from error


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


def _resolve(host: str, port: int, seconds: float | None) -> list[str]:
    """The name's addresses. In a thread, for nothing interrupts a resolver that waits for its server."""
    answers: SimpleQueue[list[str] | None] = SimpleQueue()
    threading.Thread(target=lambda: answers.put(_look_up(host, port)), name="resolver", daemon=True).start()
    try:
        addresses = answers.get(timeout=seconds)
    except Empty:
        raise httpcore.ConnectTimeout(f"{host} could not be resolved in time") from None
    if addresses is None:
        raise httpcore.ConnectError(f"{host} could not be resolved")
    return addresses


def _look_up(host: str, port: int) -> list[str] | None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        return None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _check(host: str, address: str) -> None:
    ip = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    if not _is_public(ip):
        raise EgressRefused(f"{host} is at {address}, which is not a public address")


def _is_public(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not ip.is_multicast
    if ip in _NAT64:
        return _is_public(ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF))
    if ip not in _UNICAST or not ip.is_global:
        return False
    return ip.sixtofour is None or _is_public(ip.sixtofour)
