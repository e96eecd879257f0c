"""Rotating keys: a new key in place of an old one, which is good for a while yet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from tenants import registry
from tenants.models import ApiKey
from tests.integration.http.vouching import trust, user
from tests.integration.http_client import Caller, another_key


def made(alice: Caller, **body: Any) -> dict[str, Any]:
    """A key that was made over HTTP, as it was shown."""
    data: dict[str, Any] = alice.post("/v1/api-keys", {"name": "ci", "scopes": ["agents:read"], **body}).json()["data"]
    return data


def rotate(who: Caller, key_id: str, **body: Any) -> Any:
    return who.post(f"/v1/api-keys/{key_id}/rotate", body)


def status(text: str) -> int:
    found: int = Caller(key=text).get("/v1/agents").status_code
    return found


def ends_in(key_id: str) -> timedelta:
    """How long the key is good yet, by the database's clock."""
    row: Any = ApiKey.objects.annotate(now=Now()).get(id=key_id)
    left: timedelta = row.expires_at - row.now
    return left


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_the_new_key_is_shown_once_and_names_the_old_one(alice: Caller) -> None:
    old = made(alice, rateLimitPerMinute=50)
    answer = rotate(alice, old["id"])
    assert answer.status_code == 200
    new = answer.json()["data"]
    assert new["key"] not in {None, old["key"]}
    assert new["rotatedFrom"] == old["id"]
    assert {name: new[name] for name in ("name", "scopes", "rateLimitPerMinute", "expiresAt", "revokedAt")} == {
        "name": "ci",
        "scopes": ["agents:read"],
        "rateLimitPerMinute": 50,
        "expiresAt": None,
        "revokedAt": None,
    }
    shown = alice.get(f"/v1/api-keys/{new['id']}").json()["data"]
    assert shown == {name: value for name, value in new.items() if name != "key"}
    assert alice.get("/v1/api-keys").json()["data"]["items"][0] == shown


def test_both_keys_are_good_for_a_day_unless_said_otherwise(alice: Caller) -> None:
    old = made(alice)
    new = rotate(alice, old["id"]).json()["data"]
    assert [status(old["key"]), status(new["key"])] == [200, 200]
    assert timedelta(hours=23, minutes=59) < ends_in(old["id"]) <= timedelta(days=1)


def test_the_overlap_may_be_said(alice: Caller) -> None:
    for seconds in (1, 60, 30 * 86_400):
        old = made(alice)
        assert rotate(alice, old["id"], overlapSeconds=seconds).status_code == 200
        assert timedelta(seconds=seconds - 30) < ends_in(old["id"]) <= timedelta(seconds=seconds)


def test_without_an_overlap_the_old_key_opens_nothing_from_then_on(alice: Caller) -> None:
    old = made(alice)
    new = rotate(alice, old["id"], overlapSeconds=0).json()["data"]
    assert [status(old["key"]), status(new["key"])] == [401, 200]


@pytest.mark.parametrize("overlap", [-1, 30 * 86_400 + 1, 1.5, "60", True])
def test_an_overlap_that_is_none_is_refused(alice: Caller, overlap: Any) -> None:
    old = made(alice)
    answer = rotate(alice, old["id"], overlapSeconds=overlap)
    assert (answer.status_code, answer.json()["details"][0]["field"]) == (400, "/overlapSeconds")
    assert status(old["key"]) == 200
    assert ApiKey.objects.filter(rotated_from=old["id"]).count() == 0


def test_an_old_key_never_lasts_longer_than_it_would_have(alice: Caller) -> None:
    soon = timezone.now() + timedelta(minutes=5)
    old = made(alice, expiresAt=soon.isoformat())
    new = rotate(alice, old["id"]).json()["data"]
    assert ends_in(old["id"]) <= timedelta(minutes=5)
    assert new["expiresAt"] == old["expiresAt"], "the new one ends with it, unless said otherwise"


def test_the_end_of_the_new_key_may_be_said(alice: Caller) -> None:
    old = made(alice, expiresAt=(timezone.now() + timedelta(minutes=5)).isoformat())
    new = rotate(alice, old["id"], expiresAt="2999-01-01T00:00:00Z").json()["data"]
    assert new["expiresAt"] == "2999-01-01T00:00:00.000Z"


def test_a_new_key_that_would_have_ended_before_is_refused_and_the_old_one_stays(alice: Caller) -> None:
    old = made(alice)
    answer = rotate(alice, old["id"], expiresAt="2001-01-01T00:00:00Z")
    assert (answer.status_code, answer.json()["details"][0]["field"]) == (400, "/expiresAt")
    assert ApiKey.objects.get(id=old["id"]).expires_at is None


def test_a_key_does_not_make_itself_last_longer(alice: Caller) -> None:
    assert alice.tenant is not None
    ends = timezone.now() + timedelta(hours=1)
    row, key = registry.create_key(alice.tenant, "short", ["*"], ends)
    new = rotate(Caller(key=key), str(row.id), expiresAt="2999-01-01T00:00:00Z").json()["data"]
    assert moment(new["expiresAt"]) <= ends


def test_a_key_may_rotate_itself(alice: Caller) -> None:
    me = alice.get("/v1/me").json()["data"]["credential"]["id"]
    new = rotate(alice, me, overlapSeconds=0).json()["data"]
    assert alice.get("/v1/me").status_code == 401
    assert Caller(key=new["key"]).get("/v1/me").json()["data"]["credential"]["scopes"] == ["*"]


def test_a_key_is_rotated_once_and_then_the_one_that_came_of_it(alice: Caller) -> None:
    old = made(alice)
    new = rotate(alice, old["id"]).json()["data"]
    again = rotate(alice, old["id"])
    assert (again.status_code, again.json()["details"][0]["code"]) == (409, "already_rotated")
    assert rotate(alice, new["id"]).status_code == 200


def test_a_key_that_is_no_longer_good_cannot_be_rotated(alice: Caller) -> None:
    assert alice.tenant is not None
    revoked = made(alice)
    alice.post(f"/v1/api-keys/{revoked['id']}/revoke")
    expired, _ = registry.create_key(alice.tenant, "x", ["*"], timezone.now() - timedelta(seconds=1))
    for key_id in (revoked["id"], str(expired.id)):
        answer = rotate(alice, key_id)
        assert (answer.status_code, answer.json()["details"][0]["code"]) == (409, "key_not_active")


def test_a_key_with_more_scopes_than_the_caller_has_is_not_rotated(alice: Caller) -> None:
    assert alice.tenant is not None
    limited = another_key(alice.tenant, "keys:write", "agents:*")
    assert rotate(limited, made(alice, scopes=["agents:read"])["id"]).status_code == 200
    strong = made(alice, scopes=["agents:read", "workflows:read"])
    answer = rotate(limited, strong["id"])
    assert (answer.status_code, answer.json()["details"][0]["code"]) == (403, "scope_not_held")
    assert "workflows:read" in answer.json()["message"]
    assert (status(strong["key"]), ends(strong["id"])) == (200, None)


def ends(key_id: str) -> datetime | None:
    return ApiKey.objects.get(id=key_id).expires_at


def test_a_key_of_another_tenant_is_not_rotated_or_shown(alice: Caller, bob: Caller) -> None:
    old = made(alice)
    for path in (f"/v1/api-keys/{old['id']}/rotate", "/v1/api-keys/nonsense/rotate"):
        assert bob.post(path).status_code == 404
    for key_id in (old["id"], "nonsense"):
        assert bob.get(f"/v1/api-keys/{key_id}").status_code == 404
    assert ends(old["id"]) is None


def test_a_replayed_rotation_makes_no_second_key_and_does_not_show_the_first(alice: Caller) -> None:
    old = made(alice)
    path = f"/v1/api-keys/{old['id']}/rotate"
    first, second = (alice.post(path, {}, Idempotency_Key="k") for _ in range(2))
    assert second.headers["Idempotent-Replayed"] == "true"
    assert first.json()["data"]["key"] is not None
    assert second.json()["data"] == {**first.json()["data"], "key": None}
    assert ApiKey.objects.filter(rotated_from=old["id"]).count() == 1


def test_who_made_a_key_is_on_record(alice: Caller) -> None:
    trust(alice)
    assert alice.tenant is not None
    old = made(alice)
    assert old["createdBy"] == "api_key:a test's key"
    assert rotate(user(), old["id"]).json()["data"]["createdBy"] == "user:ada"
    by_command, _ = registry.create_key(alice.tenant, "x", ["*"])
    assert alice.get(f"/v1/api-keys/{by_command.id}").json()["data"]["createdBy"] is None


@pytest.mark.django_db(transaction=True)
def test_of_rotations_at_the_same_moment_one_makes_a_key(alice: Caller) -> None:
    old = made(alice)

    def rotated(_: int) -> int:
        try:
            found: int = rotate(alice, old["id"]).status_code
        finally:
            connection.close()
        return found

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(rotated, range(8))) == [200] + [409] * 7
    assert ApiKey.objects.filter(rotated_from=old["id"]).count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_first_uses_of_a_key_at_the_same_moment_are_all_good_and_the_next_one_writes_nothing(alice: Caller) -> None:
    key = made(alice)["key"]

    def used(_: int) -> int:
        try:
            return status(key)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(used, range(16))) == {200}
    last = ApiKey.objects.get(name="ci").last_used_at
    assert status(key) == 200
    assert ApiKey.objects.get(name="ci").last_used_at == last
