"""Published key sets: when an issuer is asked, how often at most, and what is used while it does not answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tenants.key_sets import AFTER_FAILURE, AT_ONCE, EVERY, FRESH, MISSED, PATIENCE, STALE, KeySets, NotFetched

URL = "https://issuer.example/keys"


class Issuer:
    """Publishes `keys`, or does not answer; counts how often it was asked."""

    def __init__(self, *kids: str) -> None:
        self.now = 1000.0
        self.asked = 0
        self.answers = True
        self.publish(*kids)
        self.sets = KeySets(self.fetch, lambda: self.now)

    def publish(self, *kids: str) -> None:
        self.keys: dict[str, Any] = {kid: {"kid": kid} for kid in kids}

    def fetch(self, url: str) -> dict[str, Any]:
        assert url == URL
        self.asked += 1
        if not self.answers:
            raise NotFetched("down")
        return self.keys

    def has(self, kid: str) -> bool:
        return self.sets.key(URL, kid) is not None


@pytest.fixture
def issuer() -> Issuer:
    return Issuer("a")


def test_a_set_is_fetched_once_while_it_is_fresh(issuer: Issuer) -> None:
    assert all(issuer.has("a") for _ in range(10))
    issuer.now += FRESH - 1
    assert issuer.has("a")
    assert issuer.asked == 1


def test_a_key_that_was_withdrawn_counts_no_more_once_the_set_is_old(issuer: Issuer) -> None:
    assert issuer.has("a")
    issuer.publish("b")
    issuer.now += FRESH + 1
    assert not issuer.has("a")
    assert issuer.has("b")
    assert issuer.asked == 2


def test_a_new_key_is_found_at_once(issuer: Issuer) -> None:
    assert issuer.has("a")
    issuer.publish("a", "b")
    assert issuer.has("b")
    assert issuer.has("a")
    assert issuer.asked == 2


def test_a_flood_of_unknown_keys_asks_the_issuer_a_few_times(issuer: Issuer) -> None:
    for number in range(1000):
        issuer.now += 1.1 * EVERY / 1000
        assert not issuer.has(f"x{number}")
    assert issuer.asked == AT_ONCE + 1
    assert issuer.has("a")


def test_a_new_key_is_found_in_the_middle_of_a_flood(issuer: Issuer) -> None:
    for number in range(100):
        issuer.has(f"x{number}")
    issuer.publish("b")
    assert not issuer.has("b")
    issuer.now += EVERY
    assert issuer.has("b")


def test_one_unknown_key_is_looked_for_once_a_minute(issuer: Issuer) -> None:
    assert issuer.has("a")
    for _ in range(10):
        assert not issuer.has("x")
    assert issuer.asked == 2
    issuer.now += MISSED
    assert not issuer.has("x")
    assert issuer.asked == 3


def test_an_old_set_is_used_while_the_issuer_does_not_answer_but_not_for_ever(issuer: Issuer) -> None:
    assert issuer.has("a")
    issuer.answers = False
    issuer.now += FRESH + 1
    assert issuer.has("a")
    issuer.now += STALE - FRESH - 2
    assert issuer.has("a")
    issuer.now += 1
    assert not issuer.has("a")
    issuer.answers = True
    issuer.now += AFTER_FAILURE
    assert issuer.has("a")


def test_an_issuer_that_does_not_answer_is_left_alone_for_a_while(issuer: Issuer) -> None:
    issuer.answers = False
    assert not issuer.has("a")
    issuer.answers = True
    issuer.now += AFTER_FAILURE - 1
    assert not issuer.has("a")
    assert issuer.asked == 1
    issuer.now += 1
    assert issuer.has("a")


def test_requests_that_come_together_wait_for_one_fetch() -> None:
    issuer, fetching, go_on = Issuer("a"), threading.Event(), threading.Event()
    plain: Callable[[str], Any] = issuer.fetch

    def fetch(url: str) -> Any:
        fetching.set()
        assert go_on.wait(10)
        return plain(url)

    sets, found = KeySets(fetch, lambda: issuer.now), []
    threads = [threading.Thread(target=lambda: found.append(sets.key(URL, "a"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert fetching.wait(10)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert found == [{"kid": "a"}] * 8
    assert issuer.asked == 1


def test_a_known_key_does_not_wait_for_a_fetch_that_somebody_else_makes() -> None:
    issuer, fetching, go_on = Issuer("a"), threading.Event(), threading.Event()
    plain: Callable[[str], Any] = issuer.fetch

    def fetch(url: str) -> Any:
        if issuer.asked:
            fetching.set()
            assert go_on.wait(10)
        return plain(url)

    sets = KeySets(fetch, lambda: issuer.now)
    assert sets.key(URL, "a")
    issuer.now += FRESH + 1
    other = threading.Thread(target=lambda: sets.key(URL, "a"))
    other.start()
    assert fetching.wait(10)
    began = time.monotonic()
    assert sets.key(URL, "a") == {"kid": "a"}
    assert time.monotonic() - began < PATIENCE / 2
    go_on.set()
    other.join(10)
