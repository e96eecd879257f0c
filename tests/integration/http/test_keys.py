"""Who is calling: keys, their scopes, their end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tenants import registry
from tenants.authentication import hash_of
from tenants.models import ApiKey
from tests.integration.http_client import Caller, another_key


def without_request_id(answer: Any) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name != "requestId"}


def test_a_key_is_taken_as_a_bearer_token_and_as_a_header_of_its_own(alice: Caller, stranger: Caller) -> None:
    assert alice.key is not None
    for headers in (
        {"Authorization": f"Bearer {alice.key}"},
        {"X_API_Key": alice.key},
        {"Authorization": f"bearer {alice.key}"},
    ):
        answer = stranger.get("/v1/me", **headers)
        assert answer.status_code == 200
        assert answer.json()["data"]["tenant"]["slug"] == "alice"


def test_the_same_key_in_both_headers_is_one_credential_and_two_keys_are_none(alice: Caller, bob: Caller) -> None:
    assert alice.key is not None
    assert bob.key is not None
    both = {"Authorization": f"Bearer {alice.key}"}
    assert alice.get("/v1/me", **both, X_API_Key=alice.key).status_code == 200
    assert alice.get("/v1/me", **both, X_API_Key=bob.key).status_code == 401
    assert alice.get("/v1/me", X_API_Key=alice.key, Authorization="Basic YTpi").status_code == 401


def test_unknown_expired_and_revoked_keys_are_refused_alike(alice: Caller, stranger: Caller) -> None:
    assert alice.tenant is not None
    revoked, revoked_text = registry.create_key(alice.tenant, "revoked", ["*"])
    registry.revoke_key(alice.tenant, str(revoked.id))
    _, expired = registry.create_key(alice.tenant, "expired", ["*"], timezone.now() - timedelta(seconds=1))
    texts = ["tw_live_unknown", revoked_text, expired, "", "ü"]
    answers = [stranger.get("/v1/me", X_API_Key=text) for text in texts] + [stranger.get("/v1/me")]
    assert {answer.status_code for answer in answers} == {401}
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {'Bearer realm="traceway"'}
    assert all(without_request_id(answer) == without_request_id(answers[0]) for answer in answers)


def test_a_key_that_has_not_expired_is_good(alice: Caller) -> None:
    assert alice.tenant is not None
    _, key = registry.create_key(alice.tenant, "soon", ["*"], timezone.now() + timedelta(minutes=1))
    assert Caller(key=key).get("/v1/me").status_code == 200


def test_only_the_hash_of_a_key_is_stored(alice: Caller) -> None:
    assert alice.key is not None
    row = ApiKey.objects.get()
    assert row.hash == hash_of(alice.key)
    assert alice.key not in str(vars(row))
    assert len(alice.key) >= len("tw_live_") + 43


def test_a_request_costs_one_query_for_the_credential_and_writes_its_use_once_a_minute(alice: Caller) -> None:
    alice.get("/v1/me")
    first = ApiKey.objects.get().last_used_at
    assert first is not None
    with CaptureQueriesContext(
        connection,
    ) as queries:
        alice.get("/v1/me")
    assert len(queries) == 1
    ApiKey.objects.update(last_used_at=first - timedelta(minutes=2))
    alice.get("/v1/me")
    last = ApiKey.objects.get().last_used_at
    assert last is not None
    assert last >= first


def test_a_tenant_header_must_name_the_tenant_of_the_credential_if_it_is_there(alice: Caller, bob: Caller) -> None:
    assert alice.tenant is not None
    assert bob.tenant is not None
    for good in (alice.tenant.slug, str(alice.tenant.id), str(alice.tenant.id).upper()):
        assert alice.get("/v1/me", X_Tenant_ID=good).status_code == 200
    refused = [alice.get("/v1/me", X_Tenant_ID=bad) for bad in ("bob", str(bob.tenant.id), "nobody")]
    assert {answer.status_code for answer in refused} == {403}
    assert all(without_request_id(answer) == without_request_id(refused[0]) for answer in refused)


def test_a_missing_scope_is_named(alice: Caller) -> None:
    assert alice.tenant is not None
    reader = another_key(alice.tenant, "agents:read")
    assert reader.get("/v1/agents").status_code == 200
    answer = reader.post("/v1/agents", {"name": "scout"})
    assert answer.status_code == 403
    assert "agents:write" in answer.json()["message"]
    assert answer.json()["details"]["reason"] == "missing_scope"


def test_every_scope_of_a_resource_may_be_granted_at_once(alice: Caller) -> None:
    assert alice.tenant is not None
    assert another_key(alice.tenant, "agents:*").post("/v1/agents", {"name": "scout"}).status_code == 201
    assert another_key(alice.tenant, "keys:write", "agents:*").get("/v1/workflows").status_code == 403


def test_a_key_made_over_http_is_shown_once_and_opens_what_it_was_given(alice: Caller) -> None:
    made = alice.post("/v1/api-keys", {"name": "ci", "scopes": ["agents:read"]})
    assert made.status_code == 200
    data = made.json()["data"]
    assert Caller(key=data["key"]).get("/v1/agents").status_code == 200
    listed = alice.get("/v1/api-keys").json()["data"]["items"][0]
    assert listed["id"] == data["id"]
    assert listed["prefix"] == data["key"][:12]
    assert "key" not in listed


def test_a_key_grants_at_most_its_own_scopes(alice: Caller) -> None:
    assert alice.tenant is not None
    limited = another_key(alice.tenant, "keys:write", "agents:*")
    for scopes in (["agents:read", "agents:write"], ["agents:*"], ["keys:write"]):
        assert limited.post("/v1/api-keys", {"name": "x", "scopes": scopes}).status_code == 200
    for scopes in (["*"], ["workflows:read"], ["keys:*"]):
        answer = limited.post("/v1/api-keys", {"name": "x", "scopes": scopes})
        assert answer.status_code == 400
        assert answer.json()["details"][0]["field"] == "/scopes/0"
    copied = limited.post("/v1/api-keys", {"name": "x"}).json()["data"]
    assert copied["scopes"] == ["agents:*", "keys:write"]


def test_a_key_made_with_an_expiring_key_ends_no_later(alice: Caller) -> None:
    assert alice.tenant is not None
    ends = timezone.now() + timedelta(hours=1)
    _, key = registry.create_key(alice.tenant, "short", ["*"], ends)
    made = Caller(key=key).post("/v1/api-keys", {"name": "x", "expiresAt": "2999-01-01T00:00:00Z"})
    assert ApiKey.objects.get(id=made.json()["data"]["id"]).expires_at == ends


def test_a_key_that_would_have_ended_before_it_was_made_is_refused(alice: Caller) -> None:
    before = ApiKey.objects.count()
    answer = alice.post("/v1/api-keys", {"name": "x", "expiresAt": "2001-01-01T00:00:00Z"})
    assert answer.status_code == 400
    [problem] = answer.json()["details"]
    assert (problem["field"], problem["code"]) == ("/expiresAt", "out_of_range")
    assert ApiKey.objects.count() == before


def test_unknown_and_missing_scopes_are_refused_by_name(alice: Caller) -> None:
    before = ApiKey.objects.count()
    answer = alice.post("/v1/api-keys", {"name": "x", "scopes": ["agents:read", "agents:fly"]})
    assert answer.status_code == 400
    assert answer.json()["details"] == [
        {"field": "/scopes/1", "code": "unknown_scope", "message": "there is no scope 'agents:fly'"}
    ]
    assert alice.post("/v1/api-keys", {"name": "x", "scopes": []}).status_code == 400
    assert ApiKey.objects.count() == before


def test_a_revoked_key_opens_nothing_from_then_on(alice: Caller) -> None:
    made = alice.post("/v1/api-keys", {"name": "x"}).json()["data"]
    other = Caller(key=made["key"])
    assert other.get("/v1/me").status_code == 200
    revoked = alice.post(f"/v1/api-keys/{made['id']}/revoke")
    assert revoked.status_code == 200
    assert revoked.json()["data"]["revokedAt"] is not None
    assert other.get("/v1/me").status_code == 401
    again = alice.post(f"/v1/api-keys/{made['id']}/revoke").json()["data"]
    assert again["revokedAt"] == revoked.json()["data"]["revokedAt"]


def test_a_key_of_another_tenant_cannot_be_seen_or_revoked(alice: Caller, bob: Caller) -> None:
    made = alice.post("/v1/api-keys", {"name": "x"}).json()["data"]
    foreign = bob.post(f"/v1/api-keys/{made['id']}/revoke")
    unknown = bob.post("/v1/api-keys/nonsense/revoke")
    assert foreign.status_code == unknown.status_code == 404
    assert without_request_id(foreign) == without_request_id(unknown)
    assert made["id"] not in str(bob.get("/v1/api-keys").json())


@pytest.mark.parametrize("cookie", ["sessionid=abc"])
def test_a_cookie_is_no_credential_and_none_is_set(alice: Caller, stranger: Caller, cookie: str) -> None:
    assert stranger.get("/v1/me", Cookie=cookie).status_code == 401
    assert "Set-Cookie" not in alice.get("/v1/me").headers
