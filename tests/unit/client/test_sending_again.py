"""A request is sent again where that may help, under one key, for a bounded time; and never where it may not."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.unit.client.answers import created, execution, shown, wrapped
from tests.unit.client.wire import DROP, Asked, Say, wired
from traceway import (
    ApiError,
    AsyncTraceway,
    Closed,
    Conflict,
    InvalidRequest,
    NotConfigured,
    RateLimited,
    Retry,
    ServerError,
    Traceway,
    Unreachable,
)
from traceway.retries import IN_PROGRESS

QUICK = Retry(seconds=5, first=0.01, longest=0.02)
TWIN = Say(409, {"code": 409, "message": "m", "details": [{"field": "", "code": IN_PROGRESS, "message": "m"}]})
UNAVAILABLE = Say(503, {"code": 503, "message": "not now", "details": [], "requestId": "r"})


@pytest.mark.parametrize("trouble", [DROP, UNAVAILABLE, Say(502), Say(504), Say(429), TWIN], ids=lambda say: say.status)
def test_a_mutation_is_sent_again_under_the_same_key_until_it_is_answered(trouble: Say) -> None:
    with wired([trouble, trouble, created()]) as wire, Traceway(wire.url, "k", retry=QUICK) as client:
        assert client.executions.create("w", {"n": 1}).client_token == "ct_1_abc"
    assert wire.paths() == ["POST /v1/executions"] * 3
    assert len({asked.headers["idempotency-key"] for asked in wire.asked}) == 1
    assert len({asked.body for asked in wire.asked}) == 1


def test_each_call_has_a_key_of_its_own_unless_it_is_given_one() -> None:
    with wired(lambda *_: created()) as wire, Traceway(wire.url, "k") as client:
        client.executions.create("w")
        client.executions.create("w")
        client.executions.create("w", idempotency_key="mine")
    first, second, given = (asked.headers["idempotency-key"] for asked in wire.asked)
    assert len({first, second, given}) == 3
    assert given == "mine"


def test_a_read_is_sent_again_and_carries_no_key() -> None:
    with wired([DROP, UNAVAILABLE, shown()]) as wire, Traceway(wire.url, "k", retry=QUICK) as client:
        assert client.executions.get("x").status == "workflow_running"
    assert len(wire.asked) == 3
    assert "idempotency-key" not in wire.asked[0].headers


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 500])
def test_a_refusal_is_an_answer(status: int) -> None:
    refused = pytest.raises(ApiError)
    with (
        wired(lambda *_: Say(status, {"message": "no"})) as wire,
        Traceway(wire.url, "k", retry=QUICK) as client,
        refused,
    ):
        client.executions.create("w")
    assert len(wire.asked) == 1


def test_a_conflict_that_is_no_twin_is_not_sent_again() -> None:
    reused = Say(409, {"code": 409, "message": "m", "details": [{"field": "", "code": "idempotency_key_reused"}]})
    with wired([reused]) as wire, Traceway(wire.url, "k", retry=QUICK) as client, pytest.raises(Conflict) as refused:
        client.executions.create("w")
    assert refused.value.reason == "idempotency_key_reused"


def test_retry_after_is_waited_for() -> None:
    with (
        wired([Say(429, headers={"Retry-After": "1"}), shown()]) as wire,
        Traceway(wire.url, "k", retry=QUICK) as client,
    ):
        began = time.monotonic()
        client.executions.get("x")
    assert 1 <= time.monotonic() - began < 3


def test_what_would_take_longer_than_there_is_time_is_not_waited_for() -> None:
    later = Say(429, {"code": 429, "message": "slowly"}, headers={"Retry-After": "60"})
    with wired([later]) as wire, Traceway(wire.url, "k", retry=QUICK) as client:
        began = time.monotonic()
        with pytest.raises(RateLimited, match="slowly"):
            client.executions.get("x")
    assert time.monotonic() - began < 1


def test_the_time_is_bounded_and_the_key_is_told() -> None:
    brief = Retry(seconds=0.3, first=0.01, longest=0.05)
    with wired(lambda *_: DROP) as wire, Traceway(wire.url, "k", retry=brief) as client:
        began = time.monotonic()
        with pytest.raises(Unreachable, match="POST /v1/executions: no answer") as gone:
            client.executions.create("w")
    assert 0.1 < time.monotonic() - began < 2
    assert gone.value.idempotency_key == wire.asked[0].headers["idempotency-key"]
    assert len(wire.asked) > 3


def test_the_last_refusal_is_told_when_the_time_is_over() -> None:
    brief = Retry(seconds=0.1, first=0.02, longest=0.05)
    refused = pytest.raises(ServerError, match="not now")
    with wired(lambda *_: UNAVAILABLE) as wire, Traceway(wire.url, "k", retry=brief) as client, refused:
        client.executions.get("x")
    assert len(wire.asked) > 1


def test_pauses_grow_to_a_limit_and_chance_shortens_them() -> None:
    longest = Retry(first=0.1, longest=1, chance=lambda: 1.0)
    assert [longest.pause(tries) for tries in (1, 2, 3, 4, 5, 6)] == [0.1, 0.2, 0.4, 0.8, 1, 1]
    assert Retry(first=0.1, chance=lambda: 0.0).pause(1) == 0.05
    assert longest.pause(1, told=7) >= 7


def test_nobody_at_the_address_is_unreachable() -> None:
    with wired([]) as wire:
        address = wire.url
    with Traceway(address, "k", retry=Retry(seconds=0.1, first=0.02)) as client, pytest.raises(Unreachable):
        client.me()


def test_a_closed_client_stops_sending_again() -> None:
    called = threading.Event()

    def answer(_: Asked, __: int) -> Say:
        called.set()
        return UNAVAILABLE

    with wired(answer) as wire, ThreadPoolExecutor(1) as pool:
        client = Traceway(wire.url, "k", retry=Retry(first=20))
        pending = pool.submit(client.me)
        assert called.wait(10)
        client.close()
        with pytest.raises(Closed):
            pending.result(timeout=10)
        with pytest.raises(Closed):
            client.me()


def test_the_asynchronous_client_sends_again_in_the_same_way() -> None:
    async def create(url: str) -> str | None:
        async with AsyncTraceway(url, "k", retry=QUICK) as client:
            return (await client.executions.create("w")).client_token

    with wired([DROP, UNAVAILABLE, created()]) as wire:
        assert asyncio.run(create(wire.url)) == "ct_1_abc"
    assert len({asked.headers["idempotency-key"] for asked in wire.asked}) == 1


def test_validation_and_dry_runs_carry_no_key() -> None:
    plan: dict[str, Any] = {
        "workflow_id": "w",
        "workflow_version": "1.0.0",
        "plan_hash": "h",
        "price": None,
        "steps": [],
    }
    answers = [Say(200, {"valid": True, "errors": []}), Say(200, plan)]
    with wired(answers) as wire, Traceway(wire.url, "k") as client:
        assert client.workflows.validate({"name": None}).valid
        assert client.workflows.plan("w").plan_hash == "h"
    assert not [asked for asked in wire.asked if "idempotency-key" in asked.headers]
    assert wire.asked[0].json == {"name": None}


def test_the_tenant_is_asked_for_once_where_a_route_wants_it_named() -> None:
    me = wrapped({"tenant": {"id": "t", "slug": "s", "name": "n"}, "credential": {"type": "api_key", "name": "k"}})
    run = {"execution_id": "e", "workflow_id": "w", "status": "running"}

    def answer(asked: Asked, _: int) -> Say:
        return Say(200, me if asked.path == "/v1/me" else run)

    with wired(answer) as wire, Traceway(wire.url, "k") as client:
        client.workflows.execute("w", parameters={"a": 1})
        client.workflows.execute("w", {"n": 1})
        client.workflows.execute("w", {"n": 2})
    assert wire.paths() == [
        "POST /v1/workflows/w/execute",
        "GET /v1/me",
        "POST /v1/workflows/w/execute",
        "POST /v1/workflows/w/execute",
    ]
    assert [asked.headers.get("x-tenant-id") for asked in wire.asked] == [None, None, "t", "t"]


def test_what_is_left_out_is_not_sent_and_what_is_asked_for_first_is_preferred() -> None:
    with wired([created()]) as wire, Traceway(wire.url, "k") as client:
        client.executions.create("w", wait=12.4)
    assert wire.asked[0].json == {"workflowId": "w", "sourceSystem": "traceway-python", "sourceEntityType": "call"}
    assert wire.asked[0].headers["prefer"] == "wait=12"
    assert wire.asked[0].headers["authorization"] == "Bearer k"


def test_a_name_in_a_path_stays_one_segment() -> None:
    with wired([Say(200, wrapped(execution()))]) as wire, Traceway(wire.url, "k") as client:
        client.executions.approve("maip-orch:01M8", "each[3]/../x?y")
    assert wire.paths() == ["POST /v1/executions/maip-orch:01M8/steps/each%5B3%5D%2F..%2Fx%3Fy/approve"]


@pytest.mark.parametrize(("url", "key"), [("", "k"), ("localhost:8000", "k"), ("http://x", ""), ("http://x", "a\nb")])
def test_an_address_or_a_key_that_cannot_be_used_is_told_at_once(
    url: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRACEWAY_URL", raising=False)
    monkeypatch.delenv("TRACEWAY_API_KEY", raising=False)
    with pytest.raises(NotConfigured):
        Traceway(url, key)


def test_address_and_key_come_from_the_environment_where_they_are_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with wired([shown()]) as wire:
        monkeypatch.setenv("TRACEWAY_URL", wire.url + "/")
        monkeypatch.setenv("TRACEWAY_API_KEY", "from-there")
        with Traceway() as client:
            client.executions.get("x")
    assert wire.asked[0].headers["authorization"] == "Bearer from-there"
    assert wire.paths() == ["GET /v1/executions/x"]


def test_a_key_stands_in_no_representation() -> None:
    with Traceway("http://127.0.0.1:1", "tw_live_hidden", retry=Retry(seconds=0)) as client:
        assert "hidden" not in repr(vars(client))
        with pytest.raises(Unreachable) as gone:
            client.me()
    assert "hidden" not in str(gone.value)


def test_an_invalid_request_names_every_problem_once() -> None:
    problems = [
        {"field": "/a", "code": "missing", "message": "is missing"},
        {"field": "/b", "code": "x", "message": "y"},
    ]
    body = {"code": 400, "message": "two problems", "details": problems, "requestId": "r"}
    with wired([Say(400, body)]) as wire, Traceway(wire.url, "k") as client, pytest.raises(InvalidRequest) as refused:
        client.executions.create("w")
    assert [(one.field, one.code) for one in refused.value.problems] == [("/a", "missing"), ("/b", "x")]
    assert str(refused.value) == "two problems (invalid_input); /a: is missing; /b: y"
