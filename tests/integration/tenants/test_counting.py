"""Counting in Valkey: a window that slides, shared by all servers, and a Valkey that is away, slow or back again."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import redis
from django.conf import settings
from prometheus_client import REGISTRY

from contract.problems import RateLimited
from tenants.rate_limits import Bucket, Limiter, Standing, impatient
from tests.waiting import eventually


@pytest.fixture
def valkey() -> Iterator[redis.Redis]:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client


def limiter_at(gate: Gate) -> Limiter:
    """One that asks again soon."""
    return Limiter(impatient(gate.url), pause=0.05)


@pytest.fixture
def limiter(valkey: redis.Redis) -> Limiter:
    return Limiter(valkey)


def unavailable() -> float:
    return REGISTRY.get_sample_value("traceway_rate_limit_unavailable_total") or 0


def bucket(per_minute: int) -> Bucket:
    return Bucket(f"test:{uuid4()}", per_minute)


def takes(limiter: Limiter, *buckets: Bucket) -> bool:
    """Whether it is not too much."""
    try:
        return limiter.take(buckets) is not None
    except RateLimited:
        return False


def hits_were(valkey: redis.Redis, of: Bucket, **seconds_ago: int) -> int:
    """Put down so many hits of the past, `s59=2` two of 59 seconds ago; Valkey's second."""
    [now, _] = valkey.time()
    valkey.hset(f"traceway:rate:{of.name}", mapping={now - int(ago[1:]): count for ago, count in seconds_ago.items()})
    return int(now)


def test_as_many_as_the_limit_pass_and_no_more(limiter: Limiter) -> None:
    few = bucket(5)
    assert [takes(limiter, few) for _ in range(7)] == [True] * 5 + [False] * 2


def test_what_is_refused_is_not_counted(limiter: Limiter) -> None:
    full, other = bucket(1), bucket(10)
    assert takes(limiter, full)
    assert not any(takes(limiter, full, other) for _ in range(3))
    assert not any(takes(limiter, other, full) for _ in range(3))
    standing = limiter.take((other,))
    assert standing is not None
    assert standing.remaining == 9


def test_hits_are_forgotten_a_minute_later_one_second_after_the_other(limiter: Limiter, valkey: redis.Redis) -> None:
    old, aging = bucket(3), bucket(3)
    hits_were(valkey, old, s60=2, s61=1, s100=50)
    assert [takes(limiter, old) for _ in range(4)] == [True, True, True, False]
    now = hits_were(valkey, aging, s30=1, s20=2)
    with pytest.raises(RateLimited) as refused:
        limiter.take((aging,))
    assert int(refused.value.headers["Retry-After"]) in {29, 30}
    assert refused.value.headers["X-RateLimit-Reset"] == str(now + 30)


def test_a_place_that_needs_several_to_be_forgotten_is_waited_for(limiter: Limiter, valkey: redis.Redis) -> None:
    lowered = bucket(2)
    hits_were(valkey, lowered, s50=2, s40=1, s10=3)
    with pytest.raises(RateLimited) as refused:
        limiter.take((lowered,))
    assert int(refused.value.headers["Retry-After"]) in {49, 50}


def test_a_bucket_is_forgotten_when_nobody_takes_from_it(limiter: Limiter, valkey: redis.Redis) -> None:
    one = bucket(5)
    limiter.take((one,))
    assert 0 < valkey.ttl(f"traceway:rate:{one.name}") <= 60


def test_servers_share_the_window(valkey: redis.Redis) -> None:
    shared = bucket(20)
    with redis.Redis.from_url(settings.REDIS_URL) as other, ThreadPoolExecutor(10) as pool:
        servers = [Limiter(valkey), Limiter(other)]
        taken = list(pool.map(lambda number: takes(servers[number % 2], shared), range(60)))
    assert taken.count(True) == 20


def test_what_was_forgotten_by_valkey_is_loaded_again(limiter: Limiter, valkey: redis.Redis) -> None:
    few = bucket(2)
    assert takes(limiter, few)
    valkey.script_flush()
    assert [takes(limiter, few) for _ in range(2)] == [True, False]


class Gate:
    """Between a client and the real Valkey: open, everything passes; else connections are taken and nothing comes."""

    def __init__(self, port: int = 0) -> None:
        self.open = True
        self._server = socket.create_server(("127.0.0.1", port))
        real = urlsplit(settings.REDIS_URL)
        self._real = (str(real.hostname), int(real.port or 6379))
        self.port: int = self._server.getsockname()[1]
        self.url = (
            f"redis://:{real.password or ''}@127.0.0.1:{self.port}/0"
            if real.password
            else f"redis://127.0.0.1:{self.port}/0"
        )
        self._sockets, self._threads = [self._server], list[threading.Thread]()
        self._begin(self._serve)

    def _begin(self, work: Callable[..., None], *sockets: socket.socket) -> None:
        thread = threading.Thread(target=work, args=sockets, daemon=True)
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        """Threads that wait in a socket of it end, and close it."""
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _serve(self) -> None:
        with suppress(OSError), self._server:
            while True:
                here, _ = self._server.accept()
                there = socket.create_connection(self._real)
                self._sockets += [here, there]
                self._begin(self._pass_on, here, there)
                self._begin(self._pass_on, there, here)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError), source:
            while data := source.recv(65536):
                if self.open:
                    target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def gate() -> Iterator[Gate]:
    with closing(Gate()) as made:
        yield made


def test_a_valkey_that_hangs_delays_one_request_a_little_and_then_nobody(gate: Gate) -> None:
    limiter, one = limiter_at(gate), bucket(1)
    assert takes(limiter, one)
    gate.open = False
    before, began = unavailable(), time.monotonic()
    assert [limiter.take((one,)) for _ in range(500)] == [None] * 500
    assert time.monotonic() - began < 10, "all of them waiting would take two minutes"
    assert unavailable() == before + 500
    gate.open = True
    eventually(lambda: not takes(limiter, one))


def test_a_valkey_that_hangs_delays_requests_that_come_together_a_little(gate: Gate) -> None:
    limiter, one = limiter_at(gate), bucket(1)
    gate.open = False
    began = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(lambda _: limiter.take((one,)), range(2000))) == [None] * 2000
    assert time.monotonic() - began < 10, "each of them waiting would take half a minute"
    gate.open = True
    eventually(lambda: isinstance(_standing(limiter, one), Standing | str))


def _standing(limiter: Limiter, of: Bucket) -> Standing | str | None:
    try:
        return limiter.take((of,))
    except RateLimited as refused:
        return refused.message


def test_a_valkey_that_is_gone_is_asked_again_when_it_is_back() -> None:
    with closing(Gate()) as first:
        limiter, one, port = limiter_at(first), bucket(1), first.port
    assert limiter.take((one,)) is None
    with closing(Gate(port)):
        eventually(lambda: not takes(limiter, one))
