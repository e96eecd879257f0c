"""/v1/secrets: names and versions are shown, values never; each tenant has its own."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client, override_settings
from django.urls import reverse

from tenants import secrets
from tenants.models import IdempotentRequest, Secret
from tests.integration.http.arranging import rows_of_every_table
from tests.integration.http_client import Caller, another_key

VALUE = "canary-7f3a-value"
MEMBERS = {"id", "name", "version", "createdAt", "updatedAt", "lastUsedAt"}


def put(who: Caller, name: str = "TOKEN", value: Any = VALUE, **headers: str) -> Any:
    return who.put(f"/v1/secrets/{name}", {"value": value}, **headers)


def listed(who: Caller) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = who.get("/v1/secrets").json()["data"]["items"]
    return items


def opened(who: Caller, *names: str) -> dict[str, str]:
    assert who.tenant is not None
    return secrets.opened(who.tenant.id, names)


def test_a_secret_is_put_and_listed_and_its_value_is_in_no_answer_and_no_row(alice: Caller) -> None:
    made = put(alice, Idempotency_Key="k")
    assert made.status_code == 200
    assert made.json()["data"].keys() == MEMBERS
    assert (made.json()["data"]["version"], made.json()["data"]["lastUsedAt"]) == (1, None)
    assert listed(alice) == [made.json()["data"]]
    assert opened(alice, "TOKEN") == {"TOKEN": VALUE}
    assert listed(alice)[0]["lastUsedAt"] is not None
    assert VALUE not in made.content.decode() + str(rows_of_every_table())


def test_a_new_value_takes_the_old_one_s_place_under_the_next_version(alice: Caller) -> None:
    first, second, same = (put(alice, value=value).json()["data"] for value in ("one1", "two2", "two2"))
    assert [made["version"] for made in (first, second, same)] == [1, 2, 3]
    assert first["createdAt"] == same["createdAt"]
    assert opened(alice, "TOKEN") == {"TOKEN": "two2"}
    assert len(listed(alice)) == 1


def test_a_deleted_secret_is_gone_and_can_be_made_again(alice: Caller) -> None:
    put(alice)
    assert alice.delete("/v1/secrets/TOKEN").status_code == 204
    assert (listed(alice), opened(alice, "TOKEN")) == ([], {})
    assert alice.delete("/v1/secrets/TOKEN").status_code == 404
    assert put(alice).json()["data"]["version"] == 1


def test_each_tenant_has_its_own_secret_of_a_name(alice: Caller, bob: Caller) -> None:
    put(alice, value="hers")
    assert (listed(bob), opened(bob, "TOKEN")) == ([], {})
    foreign = bob.delete("/v1/secrets/TOKEN", X_Request_ID="r")
    unknown = bob.delete("/v1/secrets/NOTHING", X_Request_ID="r")
    assert (foreign.status_code, foreign.content) == (404, unknown.content)
    assert put(bob, value="his1").json()["data"]["version"] == 1
    bob.delete("/v1/secrets/TOKEN")
    assert opened(alice, "TOKEN") == {"TOKEN": "hers"}


@pytest.mark.parametrize("name", ["1A", "a-b", "a.b", "%20", "%00", "ä", "x" * 101, "A%0A"])
def test_what_can_be_no_name_is_a_404_that_says_what_is_one(alice: Caller, name: str) -> None:
    answer = put(alice, name)
    assert answer.status_code == 404
    assert "letters, digits and underscores" in answer.json()["message"]
    assert alice.delete(f"/v1/secrets/{name}").status_code == 404
    assert not Secret.objects.exists()


@pytest.mark.parametrize(
    "body",
    [{}, {"value": ""}, {"value": None}, {"value": 5}, {"value": {"a": 1}}, {"value": "x" * 65_537},
     {"value": "é" * 32_769}, {"value": "v", "name": "x"}],
)  # fmt: skip
def test_what_can_be_no_value_is_refused(alice: Caller, body: Any) -> None:
    answer = alice.put("/v1/secrets/TOKEN", body)
    assert answer.status_code == 400
    assert {detail["field"] for detail in answer.json()["details"]} <= {"/value", "/name"}
    assert not Secret.objects.exists()


@pytest.mark.parametrize("value", ["x", "x" * 65_536, "é" * 32_768, " \n\t", '{"a": "\\u0001"}'])
def test_any_other_text_is_kept_to_the_letter(alice: Caller, value: str) -> None:
    assert put(alice, value=value).status_code == 200
    assert opened(alice, "TOKEN") == {"TOKEN": value}


def test_reading_and_writing_need_their_own_scopes(alice: Caller) -> None:
    assert alice.tenant is not None
    reader, writer = (another_key(alice.tenant, scope) for scope in ("secrets:read", "secrets:write"))
    assert [put(reader).status_code, reader.delete("/v1/secrets/TOKEN").status_code] == [403, 403]
    assert [put(writer).status_code, writer.get("/v1/secrets").status_code] == [200, 403]
    assert reader.get("/v1/secrets").status_code == 200


def test_a_repeat_under_its_key_changes_nothing_and_another_value_is_a_conflict(alice: Caller) -> None:
    first, again = put(alice, Idempotency_Key="k"), put(alice, Idempotency_Key="k")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["data"] == first.json()["data"]
    other = put(alice, value="another", Idempotency_Key="k")
    assert (other.status_code, other.json()["details"][0]["code"]) == (409, "idempotency_key_reused")
    gone = [alice.delete("/v1/secrets/TOKEN", Idempotency_Key="d").status_code for _ in range(2)]
    assert gone == [204, 204]


def test_what_is_kept_of_a_request_does_not_tell_a_guess_of_its_value(alice: Caller) -> None:
    put(alice, Idempotency_Key="k")
    kept = IdempotentRequest.objects.get(key="k").body_digest
    with override_settings(SECRET_KEY="another"):
        put(alice, Idempotency_Key="l")
    assert IdempotentRequest.objects.get(key="l").body_digest != kept


def set_secret(monkeypatch: pytest.MonkeyPatch, text: str, *arguments: str) -> str:
    monkeypatch.setattr("sys.stdin", StringIO(text))
    out = StringIO()
    call_command("set_secret", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_line_sets_a_secret_from_standard_input(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set_secret(monkeypatch, "two\nlines\n", "--tenant", "alice", "TOKEN") == "1\n"
    assert opened(alice, "TOKEN") == {"TOKEN": "two\nlines"}
    assert set_secret(monkeypatch, "x", "--tenant", "alice", "TOKEN") == "2\n"
    for tenant, name, text, told in (
        ("nobody", "TOKEN", "x", "no tenant"),
        ("alice", "1", "x", "letters, digits"),
        ("alice", "TOKEN", "\n", "1 to 65,536"),
        ("alice", "TOKEN", "a\0b", "1 to 65,536"),
        ("alice", "TOKEN", "a\udcffb", "1 to 65,536"),
    ):
        with pytest.raises(CommandError, match=told):
            set_secret(monkeypatch, text, "--tenant", tenant, name)
    assert opened(alice, "TOKEN") == {"TOKEN": "x"}


@pytest.fixture
def operator(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    return client


def test_an_operator_sets_values_and_sees_none(operator: Client, alice: Caller) -> None:
    assert alice.tenant is not None
    add = reverse("admin:tenants_secret_add")
    given = {"tenant": alice.tenant.pk, "name": "TOKEN", "value": "two\r\nlines " + VALUE}
    assert operator.post(add, given).status_code == 302
    assert opened(alice, "TOKEN") == {"TOKEN": "two\nlines " + VALUE}
    row = Secret.objects.get()
    change = reverse("admin:tenants_secret_change", args=[row.pk])
    for page in (
        change,
        reverse("admin:tenants_secret_changelist"),
        reverse("admin:tenants_secret_history", args=[row.pk]),
    ):
        told = operator.get(page).content.decode()
        assert "TOKEN" in told
        assert VALUE not in told
        assert row.sealed not in told
    assert operator.post(change, {"value": "new1", "name": "OTHER"}).status_code == 302
    assert (opened(alice, "TOKEN"), Secret.objects.get().version) == ({"TOKEN": "new1"}, 2)


@pytest.mark.parametrize(
    "wrong", [{"name": "1"}, {"value": ""}, {"value": "x" * 65_537 + VALUE}, {"name": "TAKEN", "value": VALUE}]
)
def test_what_an_operator_may_not_set_is_told_without_the_value(
    operator: Client, alice: Caller, wrong: dict[str, str]
) -> None:
    assert alice.tenant is not None
    put(alice, "TAKEN", "x")
    given = {"tenant": alice.tenant.pk, "name": "TOKEN", "value": VALUE, **wrong}
    page = operator.post(reverse("admin:tenants_secret_add"), given)
    assert page.status_code == 200
    assert "errorlist" in page.content.decode() or "error" in page.content.decode()
    assert VALUE not in page.content.decode()
    assert opened(alice, "TOKEN", "TAKEN") == {"TAKEN": "x"}


def test_what_another_key_sealed_is_not_read(alice: Caller) -> None:
    put(alice)
    with override_settings(SECRET_KEY="a new one", SECRET_KEY_FALLBACKS=[settings.SECRET_KEY]):
        assert opened(alice, "TOKEN") == {"TOKEN": VALUE}
    with override_settings(SECRET_KEY="a new one"), pytest.raises(secrets.InvalidToken):
        opened(alice, "TOKEN")
