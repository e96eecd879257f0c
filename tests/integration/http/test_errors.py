"""Errors speak the dialect of their path and tell nothing of the inside."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError

from tenants import registry
from tests.integration.http_client import Caller


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/v1/executions/x/y/z", "/v1/workflowsx", "/nowhere", "/v1/agentsmith"]
)
def test_the_executions_dialect_stands_everywhere_else(stranger: Caller, path: str) -> None:
    answer = stranger.get(path, X_Request_ID="abc-123")
    assert answer.json() == {
        "code": 404,
        "message": "there is nothing at this path",
        "details": [{"field": "", "code": "not_found", "message": "there is nothing at this path"}],
        "requestId": "abc-123",
    }


@pytest.mark.parametrize("path", ["/v1/workflows/x/y/z", "/v1/orchestrations/x/y/z", "/v1/agents/x/y/z"])
def test_the_workflow_dialect(stranger: Caller, path: str) -> None:
    answer = stranger.get(path, X_Request_ID="abc-123")
    assert answer.json() == {
        "code": "NOT_FOUND",
        "message": "there is nothing at this path",
        "http_status": 404,
        "details": {"reason": "not_found", "errors": []},
        "request_id": "abc-123",
    }


def test_the_data_orchestration_dialect(stranger: Caller, alice: Caller) -> None:
    missing = stranger.get("/api/v2/nothing")
    assert missing.json() == {"message": "there is nothing at this path", "errors": {}, "code": "not_found"}
    refused = stranger.get("/api/v2/data_orchestration/templates")
    assert (refused.status_code, refused.json()) == (401, {"message": "Unauthenticated."})
    invalid = alice.post("/api/v2/data_orchestration/templates", {"name": 1})
    assert invalid.status_code == 422
    assert invalid.json()["errors"]["name"] == ["a string is wanted"]
    malformed = alice.post("/api/v2/data_orchestration/templates", b"{")
    assert malformed.status_code == 400


def test_an_unexpected_exception_is_a_500_that_tells_nothing(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*args: Any) -> Any:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(registry, "agents_of", break_down)
    answer = alice.get("/v1/agents", X_Request_ID="abc-123")
    assert answer.status_code == 500
    assert answer.json()["code"] == "INTERNAL_ERROR"
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"] == "abc-123"
    assert "secret" not in answer.content.decode()


def test_a_database_that_does_not_answer_is_a_503(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*args: Any) -> Any:
        raise OperationalError("connection to 10.0.0.1 refused")

    monkeypatch.setattr(registry, "agents_of", gone)
    answer = alice.get("/v1/agents")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert "10.0.0.1" not in answer.content.decode()


@pytest.mark.parametrize("given", ["abc-123", "A._-9" * 12])
def test_a_request_id_that_is_well_formed_is_kept(alice: Caller, given: str) -> None:
    answer = alice.get("/v1/me", X_Request_ID=given)
    assert answer.headers["X-Request-ID"] == answer.json()["requestId"] == given


def test_a_mutation_can_be_found_in_the_log_by_its_request_id(alice: Caller, caplog: pytest.LogCaptureFixture) -> None:
    alice.post("/v1/agents", {"name": "scout"}, X_Request_ID="abc-123")
    [line] = [record.__dict__["msg"] for record in caplog.records if record.name == "contract.http"]
    said = {name: line[name] for name in ("event", "request_id", "method", "path", "status")}
    assert said == {
        "event": "request_answered",
        "request_id": "abc-123",
        "method": "POST",
        "path": "/v1/agents",
        "status": 201,
    }


@pytest.mark.parametrize("given", ["", "a" * 65, "a b", "a\nb", "ü"])
def test_any_other_is_made(stranger: Caller, given: str) -> None:
    for path in ("/v1/me", "/nowhere", "/healthz"):
        made = stranger.get(path, X_Request_ID=given).headers["X-Request-ID"]
        assert made != given
        assert len(made) == 32


def test_a_foreign_host_is_refused_and_addresses_do_not_come_from_it(alice: Caller) -> None:
    refused = alice.get("/admin/", Host="evil.example")
    assert refused.status_code == 400
    assert refused.json()["code"] == 400
    made = alice.post("/v1/agents", {"name": "scout"}, X_Forwarded_Host="evil.example")
    assert "evil" not in made.headers["Location"]


def test_health_needs_no_key_and_readiness_tells_its_parts(stranger: Caller) -> None:
    assert stranger.get("/healthz").json() == {"status": "ok"}
    ready = stranger.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["checks"]["database"] == ready.json()["checks"]["migrations"] == "ok"
