"""A mutation under a key happens once, whatever the client and the network do."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection, connections
from django.utils import timezone

from tenants import idempotency, registry
from tenants.idempotency import Once, digest_of
from tenants.models import Agent, ApiKey, IdempotentRequest
from tests.integration.http.arranging import published
from tests.integration.http_client import Caller, caller


def test_a_repeat_is_given_the_first_answer_and_does_nothing(alice: Caller) -> None:
    first = alice.post("/v1/agents", {"name": "scout"}, Idempotency_Key="k")
    again = alice.post("/v1/agents", b'{ "name" : "scout" }', Idempotency_Key="k")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["X-Request-ID"] != first.headers["X-Request-ID"]
    assert Agent.objects.filter(name="scout").count() == 1


@pytest.mark.parametrize("number", [b"1", b"1.0", b"1e0", b"10e-1"])
def test_a_number_written_otherwise_is_the_same_body(alice: Caller, number: bytes) -> None:
    body = b'{"data": {"amount": %s, "of": [0]}}'
    first = alice.post("/api/v2/applications", body % b"1.0", Idempotency_Key="k")
    again = alice.post("/api/v2/applications", body.replace(b"[0]", b"[-0.0]") % number, Idempotency_Key="k")
    assert (again.status_code, again.content) == (201, first.content)


@pytest.mark.parametrize("other", [b"true", b'"1"', b"1.5", b"[1]", b"1e308"])
def test_another_value_is_another_body(alice: Caller, other: bytes) -> None:
    assert alice.post("/api/v2/applications", b'{"data": {"amount": 1}}', Idempotency_Key="k").status_code == 201
    answer = alice.post("/api/v2/applications", b'{"data": {"amount": %s}}' % other, Idempotency_Key="k")
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_reused")


def test_another_body_under_the_same_key_is_a_conflict(alice: Caller) -> None:
    alice.post("/v1/agents", {"name": "scout"}, Idempotency_Key="k")
    answer = alice.post("/v1/agents", {"name": "other"}, Idempotency_Key="k")
    assert answer.status_code == 409
    assert answer.json()["details"]["reason"] == "idempotency_key_reused"
    assert answer.json()["details"]["errors"][0]["field"] == "header.Idempotency-Key"
    assert not Agent.objects.filter(name="other").exists()


def test_a_key_belongs_to_its_tenant_and_path(alice: Caller, bob: Caller) -> None:
    agent = alice.post("/v1/agents", {"name": "scout"}, Idempotency_Key="k").json()
    assert bob.post("/v1/agents", {"name": "scout"}, Idempotency_Key="k").json()["id"] != agent["id"]
    suspended = alice.post(f"/v1/agents/{agent['id']}/suspend", Idempotency_Key="k")
    assert (suspended.status_code, suspended.json()["status"]) == (200, "suspended")


def test_a_refusal_is_not_kept(alice: Caller) -> None:
    assert alice.post("/v1/agents", {"name": "default"}, Idempotency_Key="k").status_code == 409
    assert not IdempotentRequest.objects.exists()
    assert alice.post("/v1/agents", {"name": "scout"}, Idempotency_Key="k").status_code == 201


def test_a_mutation_that_breaks_down_leaves_neither_its_writes_nor_its_key(
    alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = registry.create_agent

    def break_down_late(*args: Any, **members: Any) -> Any:
        create(*args, **members)
        raise RuntimeError

    monkeypatch.setattr(registry, "create_agent", break_down_late)
    assert alice.post("/v1/agents", {"name": "scout"}, Idempotency_Key="k").status_code == 500
    assert alice.post("/v1/agents", {"name": "scout"}).status_code == 500
    monkeypatch.undo()
    assert alice.post("/v1/agents", {"name": "scout"}, Idempotency_Key="k").status_code == 201


def test_a_secret_is_neither_stored_nor_replayed(alice: Caller) -> None:
    first = alice.post("/v1/api-keys", {"name": "ci"}, Idempotency_Key="k").json()
    again = alice.post("/v1/api-keys", {"name": "ci"}, Idempotency_Key="k").json()
    assert again == {**first, "data": {**first["data"], "key": None}}
    assert first["data"]["key"] not in IdempotentRequest.objects.get().text


def test_credential_and_scope_come_before_the_key(alice: Caller) -> None:
    made = alice.post("/v1/api-keys", {"name": "ci", "scopes": ["agents:write"]}).json()["data"]
    other = Caller(key=made["key"])
    assert other.post("/v1/agents", {"name": "scout"}, Idempotency_Key="k").status_code == 201
    ApiKey.objects.filter(id=made["id"]).update(scopes=["agents:read"])
    assert other.post("/v1/agents", {"name": "scout"}, Idempotency_Key="k").status_code == 403


def test_after_thirty_days_a_key_is_free_again(alice: Caller) -> None:
    alice.post("/v1/agents", {"name": "scout"}, Idempotency_Key="k")
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(days=31))
    assert alice.post("/v1/agents", {"name": "other"}, Idempotency_Key="k").status_code == 201


@pytest.mark.parametrize("key", ["", "k" * 256, "a\tb", "\x7f"])
def test_a_key_is_one_to_255_printable_characters(alice: Caller, key: str) -> None:
    answer = alice.post("/v1/agents", {"name": "scout"}, Idempotency_Key=key)
    assert answer.status_code == 400
    assert not Agent.objects.filter(name="scout").exists()


@pytest.mark.parametrize("spelling", ["utf-8", "latin-1"])
def test_a_key_beyond_ascii_is_the_same_in_header_and_body(alice: Caller, spelling: str) -> None:
    key = "é" * 255
    as_received = key.encode(spelling).decode("latin-1")
    body = {"workflowId": published(alice), "sourceSystem": "s", "sourceEntityType": "t", "idempotencyKey": key}
    first = alice.post("/v1/executions", body, Idempotency_Key=as_received)
    assert (first.status_code, first.json()["data"]["execution"]["idempotencyKey"]) == (200, key)
    assert alice.post("/v1/executions", body).content == first.content
    [detail] = alice.post("/v1/executions", {**body, "sourceSystem": "other"}).json()["details"]
    assert (detail["field"], detail["code"]) == ("/idempotencyKey", "idempotency_key_reused")


def test_the_longest_key_is_taken(alice: Caller) -> None:
    assert alice.post("/v1/agents", {"name": "scout"}, Idempotency_Key="k" * 255).status_code == 201


@contextmanager
def lock_held(once: Once) -> Iterator[None]:
    """Another server is carrying this very request out."""
    with psycopg.connect(**connection.get_connection_params()) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s::bigint)", [once.lock])
        yield


def request_of(alice: Caller, body: Any) -> Once:
    assert alice.tenant is not None
    return Once(alice.tenant.id, "POST", "/v1/agents", "k", digest_of(body))


@pytest.mark.django_db(transaction=True)
def test_a_twin_waits_for_the_answer_of_the_first_and_no_longer_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "TWIN_WAITS", 0.2)
    alice = caller("alice")
    with lock_held(request_of(alice, {"name": "scout"})):
        answer = alice.post("/v1/agents", {"name": "scout"}, Idempotency_Key="k")
    assert answer.status_code == 409
    assert answer.json()["details"]["reason"] == "idempotency_in_progress"
    assert answer.headers["Retry-After"] == "1"
    assert alice.post("/v1/agents", {"name": "scout"}, Idempotency_Key="k").status_code == 201


@pytest.mark.django_db(transaction=True)
def test_many_at_the_same_moment_create_one(monkeypatch: pytest.MonkeyPatch) -> None:
    alice = caller("alice")
    together = threading.Barrier(6)
    answers: list[Any] = []

    def post() -> None:
        together.wait()
        answers.append(Caller(key=alice.key).post("/v1/agents", {"name": "scout"}, Idempotency_Key="k"))
        connections.close_all()

    threads = [threading.Thread(target=post) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert [("Idempotent-Replayed" in answer.headers) for answer in answers].count(False) == 1
    assert Agent.objects.filter(name="scout").count() == 1


def test_the_lock_is_a_hash_of_all_that_the_key_is_scoped_to(alice: Caller) -> None:
    once = request_of(alice, {})
    name = f"{once.tenant.hex}\nPOST\n/v1/agents\nk"
    assert once.lock == int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
