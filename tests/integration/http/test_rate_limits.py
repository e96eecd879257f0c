"""Rate limits over HTTP: by key, by user, by tenant; what is told of them, and when they are checked."""

from __future__ import annotations

import time
from typing import Any

import pytest
from prometheus_client import REGISTRY

from tenants import rate_limits, registry
from tenants.models import ApiKey, Tenant, TrustedIssuer
from tests.integration.http.vouching import trust, user
from tests.integration.http_client import Caller

HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


def limited(alice: Caller, per_minute: int, *scopes: str) -> Caller:
    """Speaks with another key of the tenant, which has this limit."""
    assert alice.tenant is not None
    _, key = registry.create_key(alice.tenant, "limited", scopes or ("*",), rate_limit=per_minute)
    return Caller(alice.tenant, key)


def unavailable() -> float:
    return REGISTRY.get_sample_value("traceway_rate_limit_unavailable_total") or 0


def statuses(who: Caller, times: int) -> list[int]:
    return [who.get("/v1/me").status_code for _ in range(times)]


def test_nothing_is_limited_or_told_until_a_limit_is_set(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "_valkey", lambda: pytest.fail("Valkey was asked"))
    answer = alice.get("/v1/me")
    assert answer.status_code == 200
    assert not {"Retry-After", *HEADERS}.intersection(answer.headers)


def test_a_key_over_its_limit_is_refused_and_told_when_to_come_again(alice: Caller) -> None:
    bot = limited(alice, 3)
    told = [bot.get("/v1/me").headers for _ in range(3)]
    assert [headers["X-RateLimit-Remaining"] for headers in told] == ["2", "1", "0"]
    refused = bot.get("/v1/me")
    assert refused.status_code == 429
    assert refused.headers["X-RateLimit-Limit"] == "3"
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert 0 < int(refused.headers["X-RateLimit-Reset"]) - time.time() <= 61
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert alice.get("/v1/me").status_code == 200


@pytest.mark.parametrize("path", ["/v1/agents", "/api/v2/applications", "/v1/api-keys"])
def test_the_refusal_speaks_the_dialect_of_the_path(alice: Caller, path: str) -> None:
    bot = limited(alice, 1)
    assert bot.get(path).status_code == 200
    answer = bot.get(path)
    body: Any = answer.json()
    assert (answer.status_code, body["message"]) == (429, "the rate limit of 1 a minute is reached")
    name = answer.headers["X-Request-ID"]
    if path == "/v1/agents":
        assert (body["code"], body["http_status"], body["request_id"]) == ("RATE_LIMITED", 429, name)
        assert body["details"] == {"reason": "rate_limited", "errors": []}
    elif path == "/v1/api-keys":
        assert (body["code"], body["requestId"]) == (429, name)
        assert body["details"] == [{"field": "", "code": "rate_limited", "message": body["message"]}]
    else:
        assert body == {"message": body["message"], "errors": {}, "code": "rate_limited"}


def test_the_limit_of_a_tenant_is_shared_by_all_its_callers(alice: Caller, bob: Caller) -> None:
    assert alice.tenant is not None
    trust(alice)
    Tenant.objects.filter(id=alice.tenant.id).update(rate_limit_per_minute=3)
    callers = [alice, user(), limited(alice, 100)]
    assert [who.get("/v1/me").status_code for who in [*callers, *callers]] == [200] * 3 + [429] * 3
    assert bob.get("/v1/me").status_code == 200


def test_of_two_limits_the_one_with_the_least_left_is_told(alice: Caller) -> None:
    assert alice.tenant is not None
    bot = limited(alice, 2)
    Tenant.objects.filter(id=alice.tenant.id).update(rate_limit_per_minute=4)
    told = [bot.get("/v1/me").headers, bot.get("/v1/me").headers, bot.get("/v1/me").headers]
    assert [headers["X-RateLimit-Limit"] for headers in told] == ["2", "2", "2"]
    assert "Retry-After" in told[2]
    left = [alice.get("/v1/me").headers["X-RateLimit-Remaining"] for _ in range(2)]
    assert left == ["1", "0"], "what was refused by the key's limit is not counted in the tenant's"
    assert alice.get("/v1/me").status_code == 429


def test_each_user_of_an_issuer_has_the_issuers_limit(alice: Caller) -> None:
    trust(alice)
    TrustedIssuer.objects.update(rate_limit_per_minute=2)
    assert statuses(user(sub="ada"), 3) == [200, 200, 429]
    assert statuses(user(sub="ada", jti="another token"), 1) == [429]
    assert statuses(user(sub="eve"), 3) == [200, 200, 429]
    assert user(sub="joe").get("/v1/me").json()["data"]["credential"]["rateLimitPerMinute"] == 2


def test_a_limit_counts_from_the_moment_it_is_set(alice: Caller) -> None:
    assert statuses(alice, 3) == [200] * 3
    ApiKey.objects.update(rate_limit_per_minute=1)
    assert statuses(alice, 2) == [200, 429]
    ApiKey.objects.update(rate_limit_per_minute=None)
    assert statuses(alice, 2) == [200, 200]


def test_the_limit_is_checked_after_the_credential_and_before_the_tenant(alice: Caller) -> None:
    bot = limited(alice, 1, "agents:read")
    assert bot.get("/v1/me").status_code == 200
    wrong = {"X_Tenant_ID": "nobody", "Content_Type": "text/plain"}
    assert bot.post("/v1/agents", b"{", **wrong).status_code == 429
    assert bot.put("/v1/agents", b"{", **wrong).status_code == 405
    assert bot.get("/v1/nothing").status_code == 404
    assert Caller(key=f"{bot.key}x").post("/v1/agents", b"{", **wrong).status_code == 401


def test_where_it_stands_is_told_of_refusals_too(alice: Caller) -> None:
    bot = limited(alice, 5, "agents:read")
    for path, status in (("/v1/agents?x=1", 400), ("/v1/executions", 403), ("/v1/agents/nobody", 404)):
        answer = bot.get(path)
        assert (answer.status_code, answer.headers["X-RateLimit-Limit"]) == (status, "5")
    assert bot.get("/v1/me").headers["X-RateLimit-Remaining"] == "1"


def test_a_replayed_answer_tells_where_the_limit_stands_now(alice: Caller) -> None:
    bot = limited(alice, 5)
    told = [
        bot.post("/v1/agents", {"name": "scout"}, Idempotency_Key="k").headers["X-RateLimit-Remaining"]
        for _ in range(2)
    ]
    assert told == ["4", "3"]


def test_the_limit_of_a_key_is_at_most_that_of_its_maker(alice: Caller) -> None:
    bot = limited(alice, 50)
    for given, limit in (({"rateLimitPerMinute": 50}, 50), ({}, 50), ({"rateLimitPerMinute": 9}, 9)):
        made = bot.post("/v1/api-keys", {"name": "x", **given})
        assert (made.status_code, made.json()["data"]["rateLimitPerMinute"]) == (200, limit)
    beyond = bot.post("/v1/api-keys", {"name": "x", "rateLimitPerMinute": 51})
    assert beyond.status_code == 400
    assert [(d["field"], d["code"]) for d in beyond.json()["details"]] == [
        ("/rateLimitPerMinute", "rate_limit_not_held")
    ]
    for wrong in (0, -1, 100_001, 1.5, "5", True):
        assert alice.post("/v1/api-keys", {"name": "x", "rateLimitPerMinute": wrong}).status_code == 400
    assert alice.post("/v1/api-keys", {"name": "x"}).json()["data"]["rateLimitPerMinute"] is None


def test_requests_pass_while_valkey_is_away_and_they_are_counted(
    alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = rate_limits.Limiter(rate_limits.impatient("redis://127.0.0.1:1/0"), pause=3600)
    monkeypatch.setattr(rate_limits, "_valkey", lambda: away)
    before = unavailable()
    bot = limited(alice, 1)
    answers = [bot.get("/v1/me") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    assert not {"Retry-After", *HEADERS}.intersection(answers[-1].headers)
    assert unavailable() == before + 5
