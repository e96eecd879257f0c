"""The egress guard: which addresses are reached, judged by what is really connected to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx
import pytest

from tenants.egress import EgressRefused, Guard, client
from tests.unit.orchestrator.attempts import LOOPBACK
from tests.unit.orchestrator.raw_server import answering, reply, serving

PUBLIC = "93.184.216.34"


class Recorded(httpcore.NetworkBackend):
    """A network that only notes what it is asked to connect to."""

    def __init__(self) -> None:
        self.addresses: list[str] = []

    def connect_tcp(self, host: str, *_: Any, **__: Any) -> httpcore.NetworkStream:
        self.addresses.append(host)
        raise httpcore.ConnectError("not here")


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """In the place of the network, so that nothing is really called."""
    recorded = Recorded()
    monkeypatch.setattr(httpcore, "SyncBackend", lambda: recorded)
    return recorded


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """What each name resolves to, one list of addresses a look-up."""
    answers: dict[str, list[list[str]]] = {}

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers[host].pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return answers


def reach(host: str, port: int = 80, allowed: Iterable[str] = ()) -> None:
    """Try to connect; a connection that the guard lets through fails only because the network is not real."""
    with pytest.raises(httpcore.ConnectError):
        Guard(list(allowed)).connect_tcp(host, port, 5)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "localhost",
        "0.0.0.0", "0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "100.127.255.255",
        "169.254.169.254", "2852039166", "0xa9fea9fe", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
        "::1", "::", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8",
        "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "100::1", "5f00::1", "4000::1",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::1", "2002:a00:1::", "2001:0:7f00:1::1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused_however_it_is_written(host: str, network: Recorded) -> None:
    with pytest.raises(EgressRefused, match="which is not a public address"):
        Guard([]).connect_tcp(host, 80, 5)
    assert network.addresses == []


@pytest.mark.parametrize(
    "host", [PUBLIC, "1.1.1.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::1"]
)
def test_a_public_address_is_connected_to(host: str, network: Recorded) -> None:
    reach(host)
    assert network.addresses == [host]


def test_the_address_connected_to_is_the_one_that_was_checked(
    network: Recorded, names: dict[str, list[list[str]]]
) -> None:
    """A name that is public first and private later is looked up once a connection, and checked each time."""
    names["rebound.test"] = [[PUBLIC], ["127.0.0.1"]]
    guard = Guard([])

    with pytest.raises(httpcore.ConnectError):
        guard.connect_tcp("rebound.test", 80, 5)
    with pytest.raises(EgressRefused, match=r"rebound\.test is at 127\.0\.0\.1"):
        guard.connect_tcp("rebound.test", 80, 5)

    assert network.addresses == [PUBLIC]
    assert names["rebound.test"] == []


@pytest.mark.parametrize("name", ["metadata.google.internal", "instance-data.ec2.internal", "kubernetes.default.svc"])
def test_a_name_with_one_private_address_among_public_ones_is_refused(
    name: str, network: Recorded, names: dict[str, list[list[str]]]
) -> None:
    names[name] = [[PUBLIC, "169.254.169.254"]]
    with pytest.raises(EgressRefused):
        Guard([]).connect_tcp(name, 80, 5)
    assert network.addresses == []


def test_a_name_s_next_address_is_tried_when_one_does_not_answer(
    network: Recorded, names: dict[str, list[list[str]]]
) -> None:
    names["two.test"] = [[PUBLIC, "1.1.1.1", PUBLIC]]
    reach("two.test")
    assert network.addresses == [PUBLIC, "1.1.1.1"]


@pytest.mark.parametrize(
    ("allowed", "host", "port"),
    [
        ("127.0.0.1", "127.0.0.1", 80),
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        (" LocalHost ", "LOCALHOST", 443),
        ("[::1]", "::1", 80),
        ("[::1]:8080", "::1", 8080),
    ],
)
def test_a_host_that_the_setting_names_is_reached(allowed: str, host: str, port: int, network: Recorded) -> None:
    reach(host, port, [allowed])
    assert network.addresses


@pytest.mark.parametrize(
    ("allowed", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 80),
        ("127.0.0.1:80", "127.0.0.1", 8080),
        ("localhost", "127.0.0.1", 80),
        ("127.0.0.1", "localhost", 80),
        ("127.0.0.1", "127.0.0.2", 80),
        ("[::1]:80", "::1", 8080),
        ("", "127.0.0.1", 80),
    ],
)
def test_what_the_setting_names_is_a_host_as_written_and_its_port(
    allowed: str, host: str, port: int, network: Recorded
) -> None:
    with pytest.raises(EgressRefused):
        Guard([allowed]).connect_tcp(host, port, 5)


def test_user_information_does_not_disguise_the_host() -> None:
    with client(["allowed.test"]) as outbound, pytest.raises(EgressRefused, match=r"127\.0\.0\.1"):
        outbound.get("http://allowed.test@127.0.0.1/")
    with client(["allowed.test"]) as outbound, pytest.raises(EgressRefused, match=r"127\.0\.0\.1"):
        outbound.get("http://allowed.test:80@127.0.0.1:80/")


def test_a_socket_of_this_machine_is_never_reached() -> None:
    with pytest.raises(EgressRefused):
        Guard(["/run/a.sock"]).connect_unix_socket("/run/a.sock")


def test_no_proxy_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with serving(answering(reply(b"direct"))) as server, client(LOOPBACK) as outbound:
        assert outbound.get(server.address).text == "direct"


def test_a_name_without_address_and_a_port_that_is_none_fail_to_connect() -> None:
    for url in ("http://no-such-name.invalid/", "http://127.0.0.1:99999/", f"http://{'a' * 64}.test/"):
        with client(LOOPBACK) as outbound, pytest.raises(httpx.ConnectError):
            outbound.get(url)


def test_a_resolver_that_hangs_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: let_go.wait(10) and [])
    began = time.monotonic()
    with client([]) as outbound, pytest.raises(httpx.ConnectTimeout, match="could not be resolved in time"):
        outbound.get("http://slow.test/", timeout=0.2)
    let_go.set()
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "error",
    [
        httpcore.ConnectTimeout, httpcore.ReadTimeout, httpcore.WriteTimeout, httpcore.PoolTimeout,
        httpcore.ConnectError, httpcore.ReadError, httpcore.WriteError, httpcore.LocalProtocolError,
        httpcore.RemoteProtocolError, httpcore.UnsupportedProtocol,
    ],
)  # fmt: skip
def test_what_the_connections_raise_comes_out_as_the_error_of_httpx(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise error("why")

    monkeypatch.setattr(httpcore.ConnectionPool, "handle_request", fail)
    with client([]) as outbound, pytest.raises(httpx.TransportError, match="why") as raised:
        outbound.get("http://any.test/")
    assert type(raised.value).__name__ == error.__name__
