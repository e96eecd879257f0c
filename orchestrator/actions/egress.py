"""The egress guard: every outbound request made for a tenant goes through a client from here.

The check is made on the address that is really connected to, after the name was resolved and for every
connection, those of redirects too, so that no name can be rebound between check and use.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Iterable

import httpcore
import httpx

MAX_REDIRECTS = 5
_ORIGIN_FREE_HEADERS = frozenset({"accept", "accept-encoding", "user-agent", "content-type"})


class EgressRefused(Exception):
    """The address may not be reached from here."""


class Guard(httpcore.NetworkBackend):
    """Connects to public addresses and to those hosts (`host` or `host:port`) that the setting allows."""

    def __init__(self, allowed_hosts: Collection[str]) -> None:
        self._allowed = frozenset(host.lower() for host in allowed_hosts)
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to one of the name's addresses, each checked. Raises EgressRefused or httpcore.ConnectError."""
        addresses = _resolve(host, port)
        if not {host.lower(), f"{host.lower()}:{port}"} & self._allowed:
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


class GuardedTransport(httpx.HTTPTransport):
    """httpx's transport with the guard under its connection pool."""

    def __init__(self, guard: Guard) -> None:
        super().__init__(verify=True, trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=20,
            max_keepalive_connections=20,
            keepalive_expiry=15.0,
            network_backend=guard,
        )


def client(allowed_hosts: Collection[str]) -> httpx.Client:
    """An HTTP client behind the guard; it follows no redirect by itself and reads no proxy from the environment."""
    return httpx.Client(transport=GuardedTransport(Guard(allowed_hosts)), trust_env=False, follow_redirects=False)


def redirected(response: httpx.Response) -> httpx.Request | None:
    """The request that a redirect asks for, without credentials where it leads to another origin."""
    request = response.next_request
    if request is None or request.method not in {"GET", "HEAD"}:
        return None
    before = response.request.url
    if (request.url.scheme, request.url.host, request.url.port) != (before.scheme, before.host, before.port):
        for name in [name for name in request.headers if name.lower() not in {*_ORIGIN_FREE_HEADERS, "host"}]:
            del request.headers[name]
    return request


def _resolve(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise httpcore.ConnectError(f"{host} could not be resolved") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _check(host: str, address: str) -> None:
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    for candidate in (ip, *_embedded(ip)):
        if not candidate.is_global or candidate.is_multicast:
            raise EgressRefused(f"{host} is at {address}, which is not a public address")


def _embedded(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """IPv4 addresses that an IPv6 address leads to: mapped, 6to4, Teredo and NAT64 (RFC 6052)."""
    if isinstance(ip, ipaddress.IPv4Address):
        return []
    found = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
    if ip in _NAT64:
        found.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    return [address for address in found if address is not None]


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
