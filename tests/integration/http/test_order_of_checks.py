"""The first check that fails answers: path, method, credential, tenant, scope, size, type, JSON, shape."""

from __future__ import annotations

from typing import Any

import pytest

from contract.http import BODY_LIMIT
from tests.integration.http_client import Caller, another_key

WRONG_EVERYTHING = {"Content_Type": "text/plain", "X_Tenant_ID": "nobody"}
TOO_LARGE = b"x" * (BODY_LIMIT + 1)


def test_an_unknown_path_is_404_whoever_asks(stranger: Caller) -> None:
    for path in ("/v1/nothing", "/", "/v1/agents/", "/v1/me/", "/api/v2/nothing"):
        assert stranger.post(path, TOO_LARGE, **WRONG_EVERYTHING).status_code == 404


def test_a_method_that_is_not_there_is_405_before_any_credential(stranger: Caller) -> None:
    answer = stranger.put("/v1/agents", TOO_LARGE, **WRONG_EVERYTHING)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, POST, HEAD, OPTIONS"
    assert stranger.send("BREW", "/v1/agents").status_code == 405


def test_then_the_credential_the_tenant_and_the_scope(alice: Caller, stranger: Caller) -> None:
    assert alice.tenant is not None
    reader = another_key(alice.tenant, "agents:read")
    assert stranger.post("/v1/agents", TOO_LARGE, **WRONG_EVERYTHING).status_code == 401
    wrong_tenant = reader.post("/v1/agents", TOO_LARGE, **WRONG_EVERYTHING)
    assert wrong_tenant.json()["details"]["reason"] == "wrong_tenant"
    wrong_scope = reader.post("/v1/agents", TOO_LARGE, Content_Type="text/plain")
    assert wrong_scope.json()["details"]["reason"] == "missing_scope"


def test_then_the_size_the_type_the_json_and_the_shape(alice: Caller) -> None:
    assert alice.post("/v1/agents", TOO_LARGE, Content_Type="text/plain").status_code == 413
    assert alice.post("/v1/agents", b"{", Content_Type="text/plain").status_code == 415
    malformed = alice.post("/v1/agents?x=1", b"{")
    assert malformed.json()["details"]["reason"] == "invalid_json"
    query = alice.post("/v1/agents?x=1", {"bad": 1})
    assert query.json()["details"]["errors"][0]["field"] == "query.x"
    shape = alice.post("/v1/agents", {"bad": 1}, Idempotency_Key="")
    assert {error["field"] for error in shape.json()["details"]["errors"]} == {"/bad", "/name"}
    key = alice.post("/v1/agents", {"name": "default"}, Idempotency_Key="")
    assert key.json()["details"]["errors"][0]["field"] == "header.Idempotency-Key"


def test_a_body_of_exactly_the_limit_is_read(alice: Caller) -> None:
    padding = b" " * (BODY_LIMIT - len(b'{"name": "a"}'))
    assert alice.post("/v1/agents", b'{"name": "a"}' + padding).status_code == 201
    assert alice.post("/v1/agents", b'{"name": "b"}' + padding + b" ").status_code == 413


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON"]
)
def test_json_may_say_that_it_is_utf_8(alice: Caller, kind: str) -> None:
    assert alice.post("/v1/agents", {"name": "scout"}, Content_Type=kind).status_code == 201


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/json; v=1; charset=latin-1"]
)
def test_any_other_type_is_refused_unless_there_is_no_body(alice: Caller, kind: str) -> None:
    assert alice.post("/v1/agents", {"name": "scout"}, Content_Type=kind).status_code == 415
    agent = alice.get("/v1/agents").json()["items"][0]
    assert alice.post(f"/v1/agents/{agent['id']}/suspend", Content_Type=kind).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"nonsense",
        b'{"name": "a", "name": "b"}',
        b'{"name": NaN}',
        b'{"name": 9007199254740993}',
        b'{"name": "\\u0000"}',
        b'{"name": "\\ud800"}',
        b'{"name": "\xff"}',
        b'{"name": ' + b"[" * 65 + b"]" * 65 + b"}",
        b"[" * 100_000,
        b'{"name": ' + b"9" * 5000 + b"}",
    ],
)
def test_json_that_is_not_taken_is_400_and_writes_nothing(alice: Caller, body: bytes) -> None:
    answer = alice.post("/v1/agents", body)
    assert answer.status_code == 400
    assert answer.json()["details"]["reason"] == "invalid_json"
    assert len(alice.get("/v1/agents").json()["items"]) == 1


@pytest.mark.parametrize("body", [[], "text", 1, None, True])
def test_a_body_that_is_no_object_is_refused(alice: Caller, body: Any) -> None:
    answer = alice.post("/v1/agents", b"null" if body is None else str(body).lower().encode() if body is True else body)
    assert answer.status_code == 400


def test_head_is_get_without_a_body_and_options_names_the_methods(alice: Caller, stranger: Caller) -> None:
    head = alice.send("HEAD", "/v1/agents")
    assert (head.status_code, head.content) == (200, b"")
    options = stranger.send("OPTIONS", "/v1/agents")
    assert (options.status_code, options.headers["Allow"]) == (204, "GET, POST, HEAD, OPTIONS")
    assert not any(name.startswith("Access-Control") for name in options.headers)


def test_the_answer_is_json_whatever_is_accepted(alice: Caller) -> None:
    for accept in ("text/html", "application/xml;q=0.9", "nonsense"):
        answer = alice.get("/v1/me", Accept=accept)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
