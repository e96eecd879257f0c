"""Issuers that publish their keys: fetched over a real connection, through the guard, and never in a transaction."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, BinaryIO

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from tenants import published_keys
from tenants.key_sets import NotFetched
from tenants.published_keys import LARGEST, check_address, fetch
from tests.integration.http.vouching import trust
from tests.integration.http_client import Caller
from tests.issuing import ec_key, jwk, key_set, rsa_key, token
from tests.unit.orchestrator.raw_server import Seen, Server, answering, reply, serving

Allow = Callable[..., None]


class Publisher:
    """Publishes `document`; `states` is what the other connections to the database were doing meanwhile."""

    def __init__(self) -> None:
        self.document: Any = key_set()
        self.states: list[str] = []
        self._database: str = connection.settings_dict["NAME"]

    def answer(self, _seen: Seen, out: BinaryIO) -> bool:
        with closing(psycopg.connect(settings.DATABASE_URL, dbname=self._database, autocommit=True)) as other:
            sql = "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            self.states += [state for (state,) in other.execute(sql) if state]
        out.write(reply(json.dumps(self.document).encode()))
        return True


@pytest.fixture
def allowing(settings: Any) -> Allow:
    """Allows these hosts, though they are on loopback."""

    def allow(*hosts: str) -> None:
        settings.EGRESS_ALLOWED_HOSTS = list(hosts)

    return allow


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


@pytest.fixture
def server(publisher: Publisher, allowing: Allow) -> Iterator[Server]:
    with serving(publisher.answer) as served:
        allowing(served.host)
        yield served


def me(text: str) -> int:
    status: int = Caller(key=text).get("/v1/me").status_code
    return status


@pytest.mark.django_db(transaction=True)
def test_published_keys_are_fetched_once_and_in_no_transaction(
    alice: Caller, publisher: Publisher, server: Server
) -> None:
    trust(alice, keys=f"{server.address}/keys")
    assert [me(token(name)) for name in ("RS256", "ES256", "EdDSA", "RS256")] == [200] * 4
    assert [(seen.method, seen.target) for seen in server.seen] == [("GET", "/keys")]
    assert server.seen[0].headers["accept-encoding"] == "identity"
    assert set(publisher.states) == {"idle"}


def test_a_new_key_is_found_and_an_unknown_one_is_not_asked_for_again_and_again(
    alice: Caller, publisher: Publisher, server: Server
) -> None:
    trust(alice, keys=f"{server.address}/keys")
    assert me(token()) == 200
    publisher.document = {"keys": [jwk(rsa_key(2048, 1), "new")]}
    assert me(token(header={"kid": "new"}, key=rsa_key(2048, 1))) == 200
    assert me(token()) == 401, "the key was withdrawn"
    for number in range(50):
        assert me(token(header={"kid": f"x{number}"})) == 401
    assert len(server.seen) <= 4


def test_an_issuer_that_is_gone_is_still_trusted_by_the_keys_it_had(
    alice: Caller, publisher: Publisher, allowing: Allow
) -> None:
    with serving(publisher.answer) as served:
        allowing(served.host)
        trust(alice, keys=f"{served.address}/keys")
        assert me(token()) == 200
    assert me(token(header={"kid": "new"})) == 401
    assert me(token()) == 200


def test_keys_of_a_published_set_that_are_none_for_tokens_are_passed_over(
    alice: Caller, publisher: Publisher, server: Server
) -> None:
    publisher.document["keys"] += [{"kty": "oct", "k": "c2VjcmV0", "kid": "HS256"}, jwk(rsa_key(1024), "short")]
    trust(alice, keys=f"{server.address}/keys")
    assert me(token(header={"kid": "short"}, key=rsa_key(1024))) == 401
    assert me(token("ES256")) == 200


def test_an_issuer_on_a_private_address_is_not_reached(alice: Caller, publisher: Publisher) -> None:
    with serving(publisher.answer) as served:
        trust_without_check = f"https://{served.host}/keys"
        trust(alice, keys=trust_without_check)
        assert me(token()) == 401
        with pytest.raises(NotFetched, match="EgressRefused"):
            fetch(trust_without_check)
        assert served.connections == 0


GOOD = json.dumps(key_set("ES256")).encode()
ANSWERS = {
    "404": reply(GOOD, 404),
    "204": reply(b"", 204),
    "a redirect": reply(b"", 302, "Location: /other"),
    "not JSON": reply(b"<html>"),
    "no key set": reply(b'{"key": 1}'),
    "a list": reply(b"[]"),
    "a member twice": reply(GOOD[:-1] + b', "keys": []}'),
    "deep": reply(b"[" * 100_000),
    "too large": reply(GOOD + b" " * LARGEST),
    "compressed": reply(gzip.compress(GOOD), 200, "Content-Encoding: gzip"),
    "not HTTP": b"hello\r\n\r\n",
    "cut off": reply(GOOD)[:-10],
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_what_is_no_key_set_is_not_taken_for_one(kind: str, allowing: Allow) -> None:
    def answer(seen: Seen, out: BinaryIO) -> bool:
        out.write(ANSWERS[kind] if seen.target == "/keys" else reply(GOOD))
        return False

    with serving(answer) as served:
        allowing(served.host)
        with pytest.raises(NotFetched):
            fetch(f"{served.address}/keys")


def test_an_issuer_that_answers_too_slowly_is_given_up(allowing: Allow, monkeypatch: pytest.MonkeyPatch) -> None:
    def drip(_seen: Seen, out: BinaryIO) -> bool:
        out.write(reply(GOOD)[: -len(GOOD)])
        for byte in GOOD:
            out.write(bytes([byte]))
            if served.ended.wait(0.1):
                break
        return False

    monkeypatch.setattr(published_keys, "PATIENCE", 0.5)
    with serving(drip) as served:
        allowing(served.host)
        began = time.monotonic()
        with pytest.raises(NotFetched):
            fetch(f"{served.address}/keys")
        assert time.monotonic() - began < 5


def test_nothing_is_sent_along_that_says_more_than_is_needed(allowing: Allow) -> None:
    with serving(answering(reply(GOOD))) as served:
        allowing(served.host)
        assert fetch(f"{served.address}/keys") == {"ES256": jwk(ec_key(), "ES256")}
    assert {"authorization", "cookie"}.isdisjoint(served.seen[0].headers)


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example/keys",
        "ftp://issuer.example/keys",
        "file:///etc/passwd",
        "https://",
        "https://ada:secret@issuer.example/keys",
        "//issuer.example/keys",
        "issuer.example",
        "https://[",
        "",
    ],
)
def test_keys_come_by_https_alone_or_from_a_host_that_the_settings_allow(url: str, allowing: Allow) -> None:
    allowing("other.example", "third.example:8080")
    with pytest.raises(ValueError, match=r"https://|IPv6"):
        check_address(url)
    for good in ("https://issuer.example/keys", "http://other.example:80/keys", "http://third.example:8080/"):
        check_address(good)
