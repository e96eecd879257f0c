"""Who waits is rung, by the real Valkey; who does not is sent a message. Neither is lost in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import uuid4

import pytest
import redis
from django.conf import settings

from executions import announce, bell
from executions.bell import Bell, ring
from orchestrator import tasks
from tests.waiting import eventually

LONG = 20.0
"""Seconds; no test waits so long."""


@pytest.fixture
def valkey() -> Iterator[redis.Redis]:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> str:
    """Nobody else waits here, and nobody else's messages are in this queue."""
    name = uuid4().hex
    monkeypatch.setattr(bell, "WAITING", f"traceway:test:{name}")
    monkeypatch.setattr(bell, "PATIENCE_SECONDS", 2 * LONG)
    monkeypatch.setattr(announce, "QUEUE", name)
    return name


@pytest.fixture
def waits(queue: str, valkey: redis.Redis) -> Iterator[Callable[..., Future[bool]]]:
    """Begins to wait with a bell of its own, and returns once it does."""
    with ThreadPoolExecutor(4) as pool:

        def begun(seconds: float = LONG) -> Future[bool]:
            before = valkey.zcard(bell.WAITING)
            future = pool.submit(Bell(settings.REDIS_URL).rung, seconds)
            eventually(lambda: valkey.zcard(bell.WAITING) > before)
            return future

        yield begun
        ring(4, queue)


Waits = Callable[..., Future[bool]]


def test_who_waits_is_rung_at_once_and_no_message_is_sent(waits: Waits, queue: str, valkey: redis.Redis) -> None:
    waiting = waits()
    assert announce.publish()
    assert waiting.result(LONG / 2)
    assert valkey.llen(f"traceway:{queue}") == 0


def test_where_nobody_waits_a_message_is_sent(queue: str, valkey: redis.Redis) -> None:
    assert announce.publish()
    assert valkey.llen(f"traceway:{queue}") == 1


def test_as_many_are_woken_as_things_are_due(waits: Waits, queue: str, valkey: redis.Redis) -> None:
    waiting = [waits(), waits()]
    assert announce.publish(3)
    assert [one.result(LONG / 2) for one in waiting] == [True, True]
    assert valkey.llen(f"traceway:{queue}") == 1


def test_no_more_messages_are_sent_than_wake_anybody_sooner(queue: str, valkey: redis.Redis) -> None:
    announce.publish(announce.ENOUGH_QUEUED + 2)
    announce.publish()
    assert valkey.llen(f"traceway:{queue}") == announce.ENOUGH_QUEUED


def test_one_ring_wakes_one(waits: Waits, queue: str) -> None:
    waiting = [waits(), waits()]
    assert ring(1, queue) == (1, 0)
    eventually(lambda: any(one.done() for one in waiting))
    assert ring(2, queue) == (1, 0)
    assert all(one.result(LONG / 2) for one in waiting)


def test_who_was_not_rung_is_not_rung_afterwards(waits: Waits, queue: str) -> None:
    assert not waits(0.05).result(LONG / 2)
    assert ring(1, queue) == (0, 0)


def test_who_died_while_it_waited_is_rung_no_more_once_its_time_is_over(queue: str, valkey: redis.Redis) -> None:
    seconds, _ = valkey.time()
    valkey.zadd(bell.WAITING, {"dead": (seconds - 1) * 1000})
    assert ring(1, queue) == (0, 0)
    assert not valkey.exists("dead")


def test_a_ring_at_the_last_moment_is_heard(queue: str, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Bell(settings.REDIS_URL)
    rung: list[tuple[int, int]] = []
    execute = redis.client.Pipeline.execute

    def ringing_in_between(asked: redis.client.Pipeline) -> object:
        answer = execute(asked)
        if not rung:
            assert answer[1] is None, "nobody has rung yet"
            valkey.zadd(bell.WAITING, {one._name: (time.time() + LONG) * 1000})
            rung.append(ring(1, queue))
        return answer

    monkeypatch.setattr(redis.client.Pipeline, "execute", ringing_in_between)
    assert one.rung(0.05)
    assert rung == [(1, 0)]


def test_without_a_broker_nobody_waits_and_what_is_left_is_announced_later() -> None:
    begun = time.monotonic()
    assert not Bell("redis://127.0.0.1:1/0").rung(LONG)
    assert time.monotonic() - begun < LONG / 2


class _Process:
    """A worker process whose engine finds so much at each look, and that is rung so often."""

    def __init__(self, finds: list[int], rings: list[bool]) -> None:
        self.engine = self.bell = self
        self.taken = 0
        self.looks: list[float] = []
        self.waits: list[float] = []
        self._finds, self._rings = iter(finds), iter(rings)

    def drain(self, seconds: float) -> int:
        self.looks.append(seconds)
        found = next(self._finds)
        self.taken += found
        return found

    def rung(self, seconds: float) -> bool:
        self.waits.append(seconds)
        return next(self._rings)


def test_a_message_keeps_its_process_for_as_long_as_it_is_rung_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    process = _Process([2, 0, 1], [True, True, False])
    monkeypatch.setattr(tasks, "_process", [process])
    assert tasks.wake() == 3
    assert process.looks[0] == tasks.DRAIN_SECONDS > process.looks[1] > process.looks[2]
    assert process.waits == [tasks.LINGER_SECONDS] * 3


def test_who_finds_nothing_at_first_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    process = _Process([0], [])
    monkeypatch.setattr(tasks, "_process", [process])
    assert tasks.wake() == 0
    assert process.waits == []


def test_what_is_to_be_told_later_is_told_then(waits: Waits) -> None:
    waiting, began = waits(), time.monotonic()
    announce.Announcer()(0.2)
    assert waiting.result(LONG / 2)
    assert time.monotonic() - began >= 0.2


def test_what_is_put_off_again_and_again_is_told_once_after_the_last(
    waits: Waits, queue: str, valkey: redis.Redis
) -> None:
    told, waiting = announce.Announcer(), waits()
    for _ in range(10):
        told(0.3)
        last = time.monotonic()
        time.sleep(0.01)
    assert waiting.result(LONG / 2)
    assert time.monotonic() - last >= 0.3
    assert valkey.llen(f"traceway:{queue}") == 0


def test_what_is_told_at_once_does_not_wait_for_what_is_told_later(waits: Waits) -> None:
    told, waiting = announce.Announcer(), waits()
    told(LONG)
    told()
    assert waiting.result(LONG / 2)
