"""What a thread waits for on its connections ends at one moment, whatever the other side drips."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from orchestrator.timed_network import TimedGuard, within
from tenants.egress import EgressRefused, client
from tests.unit.orchestrator.attempts import LOOPBACK
from tests.unit.orchestrator.raw_server import answering, reply, serving


def dripping(_: Any, out: Any) -> bool:
    """A head that never ends."""
    out.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(100):
        out.write(f"X-{number}: y\r\n".encode())
        out.flush()
        time.sleep(0.05)
    return False


def test_a_head_that_drips_is_a_time_out() -> None:
    with serving(dripping) as server, client(LOOPBACK, TimedGuard) as outbound:
        began = time.monotonic()
        with pytest.raises(httpx.ReadTimeout), within(0.5):
            outbound.post(server.address, timeout=0.4)
        assert 0.3 < time.monotonic() - began < 3


def test_time_that_is_over_opens_no_connection() -> None:
    with serving(answering(reply())) as server, client(LOOPBACK, TimedGuard) as outbound:
        with pytest.raises(httpx.ConnectTimeout), within(0.0):
            outbound.post(server.address)
        assert server.connections == 0


def test_without_a_bound_only_the_clients_own_count() -> None:
    with serving(answering(reply(b"a" * 100_000))) as server, client(LOOPBACK, TimedGuard) as outbound:
        with within(5):
            assert len(outbound.post(server.address, content=b"b" * 100_000).content) == 100_000
        assert outbound.post(server.address).status_code == 200
        assert len(server.seen[0].body) == 100_000


def test_the_guard_is_the_same() -> None:
    with client([], TimedGuard) as outbound, within(5), pytest.raises(EgressRefused):
        outbound.post("http://127.0.0.1:9/")
