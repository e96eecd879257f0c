"""Endpoints that are told of executions, and what they were told, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from standardwebhooks import Webhook

from executions.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from executions.webhooks import endpoints
from executions.webhooks.words import TYPES
from tests.integration.http.arranging import created, published
from tests.integration.http.doors import READS, assert_refused, hooked
from tests.integration.http_client import Caller

HOOKS = "/v1/execution-webhooks"
DELIVERIES = f"{HOOKS}/deliveries"
URL = "https://example.org/hook"


def hook(alice: Caller, **members: Any) -> Any:
    """The data of a creation's answer."""
    answer = alice.post(HOOKS, {"name": "n", "url": URL, **members})
    assert answer.status_code == 200, answer.content
    return answer.json()["data"]


def delivery(
    alice: Caller,
    endpoint: str,
    execution: str,
    number: int,
    status: str = "failed",
    *,
    kind: str = "execution.created",
) -> str:
    assert alice.tenant is not None
    ended = None if status == "pending" else "2026-11-22T10:00:00Z"
    row = WebhookDelivery.objects.create(
        tenant=alice.tenant, endpoint_id=endpoint, execution_id=execution, sequence=number, event_type=kind,
        status=status, finished_at=ended, due_at=None if ended else "2026-11-22T10:00:00Z",
    )  # fmt: skip
    return str(row.id)


def ids(answer: Any) -> list[str]:
    return [item["id"] for item in answer.json()["data"]["items"]]


@pytest.fixture
def execution(alice: Caller) -> str:
    made: str = created(alice, published(alice))["execution"]["id"]
    return made


def test_an_endpoint_is_made_with_a_secret_that_is_shown_this_once(alice: Caller) -> None:
    answer = alice.post(HOOKS, {"name": "shop", "url": URL, "description": "d", "maxRetries": 3})
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert data.keys() == {"endpoint", "signingSecret"}
    endpoint = data["endpoint"]
    assert (endpoint["name"], endpoint["url"], endpoint["description"]) == ("shop", URL, "d")
    assert (endpoint["maxRetries"], endpoint["status"]) == (3, "enabled")
    assert endpoint["subscribedEventTypes"] == ["execution.*", "payment.*"]
    Webhook(data["signingSecret"])
    assert data["signingSecret"].startswith("whsec_")
    path = f"{HOOKS}/{endpoint['id']}"
    for shown in (alice.get(path), alice.get(HOOKS), alice.post(f"{path}/disable"), alice.post(f"{path}/enable")):
        assert shown.status_code == 200
        assert "whsec_" not in shown.content.decode()
    assert alice.get(path).json()["data"] == {**endpoint, "updatedAt": alice.get(path).json()["data"]["updatedAt"]}


@pytest.mark.parametrize("given", [{}, {"subscribedEventTypes": None, "maxRetries": None, "description": None},
                                   {"subscribedEventTypes": [], "description": ""}])  # fmt: skip
def test_what_is_left_out_has_its_default(alice: Caller, given: dict[str, Any]) -> None:
    endpoint = hook(alice, **given)["endpoint"]
    assert endpoint["subscribedEventTypes"] == ["execution.*", "payment.*"]
    assert (endpoint["maxRetries"], endpoint["description"]) == (10, None)


def test_every_published_type_and_pattern_may_be_subscribed_to(alice: Caller) -> None:
    every = [*sorted(TYPES), "execution.*", "step.*", "payment.*", "*"]
    assert {"execution.redriven", "step.retrying", "payment.refunded", "payment.opened"} <= TYPES
    assert hook(alice, subscribedEventTypes=[*every, "*"])["endpoint"]["subscribedEventTypes"] == every


@pytest.mark.parametrize(
    ("members", "field", "code"),
    [
        ({"subscribedEventTypes": ["execution.created", "execution.exploded"]}, "/subscribedEventTypes/1",
         "unknown_event_type"),
        ({"subscribedEventTypes": ["exec*"]}, "/subscribedEventTypes/0", "unknown_event_type"),
        ({"subscribedEventTypes": "execution.*"}, "/subscribedEventTypes", "invalid_type"),
        ({"subscribedEventTypes": ["*"] * 101}, "/subscribedEventTypes", "max_length"),
        ({"maxRetries": -1}, "/maxRetries", "out_of_range"),
        ({"maxRetries": 21}, "/maxRetries", "out_of_range"),
        ({"maxRetries": "3"}, "/maxRetries", "invalid_type"),
        ({"url": "ftp://example.org/"}, "/url", "invalid"),
        ({"url": "https://user:secret@example.org/"}, "/url", "invalid"),
        ({"url": "/hook"}, "/url", "invalid"),
        ({"url": "https://example.org/a b"}, "/url", "invalid"),
        ({"url": "https://example.org/" + "x" * 2048}, "/url", "too_long"),
        ({"url": ""}, "/url", "blank"),
        ({"name": ""}, "/name", "blank"),
        ({"name": "x" * 256}, "/name", "too_long"),
        ({"secret": "whsec_eA=="}, "/secret", "unknown_member"),
    ],
)  # fmt: skip
def test_a_member_that_is_wrong_is_named(alice: Caller, members: dict[str, Any], field: str, code: str) -> None:
    answer = alice.post(HOOKS, {"name": "n", "url": URL, **members})
    assert answer.status_code == 400
    assert [(detail["field"], detail["code"]) for detail in answer.json()["details"]] == [(field, code)]
    assert not WebhookEndpoint.objects.exists()


def test_plain_http_is_taken_as_steps_take_it(alice: Caller) -> None:
    assert hook(alice, url="http://127.0.0.1:8080/hook?token=x")["endpoint"]["url"].startswith("http://")


def test_a_replayed_creation_makes_nothing_and_shows_no_secret(alice: Caller) -> None:
    body = {"name": "n", "url": URL}
    first, again = (alice.post(HOOKS, body, Idempotency_Key="k") for _ in range(2))
    assert first.json()["data"]["signingSecret"].startswith("whsec_")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["data"] == {**first.json()["data"], "signingSecret": None}
    assert WebhookEndpoint.objects.count() == 1
    path = f"{HOOKS}/{first.json()['data']['endpoint']['id']}/regenerate-secret"
    new, replayed = (alice.post(path, Idempotency_Key="k") for _ in range(2))
    assert new.json()["data"]["signingSecret"] != first.json()["data"]["signingSecret"]
    assert replayed.json()["data"]["signingSecret"] is None


def test_a_tenant_has_a_bounded_number_of_endpoints(
    alice: Caller, bob: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "MOST_ENDPOINTS", 2)
    gone = hook(alice)["endpoint"]["id"]
    hook(alice)
    answer = alice.post(HOOKS, {"name": "n", "url": URL})
    assert (answer.status_code, answer.json()["details"][0]["code"]) == (409, "too_many_endpoints")
    hook(bob)
    assert alice.delete(f"{HOOKS}/{gone}").status_code == 204
    hook(alice)


def test_a_new_secret_is_shown_once_with_the_end_of_the_old_one(alice: Caller) -> None:
    made = hook(alice)
    answer = alice.post(f"{HOOKS}/{made['endpoint']['id']}/regenerate-secret").json()["data"]
    assert answer["signingSecret"] not in (None, made["signingSecret"])
    assert answer["endpoint"]["secretOverlapUntil"] > answer["endpoint"]["updatedAt"]


def test_a_deleted_endpoint_is_gone_and_its_deliveries_can_still_be_read(alice: Caller, execution: str) -> None:
    endpoint, told = hooked(alice, execution)
    pending = delivery(alice, endpoint, execution, 2, "pending")
    answer = alice.delete(f"{HOOKS}/{endpoint}")
    assert (answer.status_code, answer.content) == (204, b"")
    for path in (f"{HOOKS}/{endpoint}", f"{HOOKS}/{endpoint}/enable"):
        assert alice.send("GET" if path.endswith(endpoint) else "POST", path).status_code == 404
    assert alice.delete(f"{HOOKS}/{endpoint}").status_code == 404
    assert ids(alice.get(HOOKS)) == []
    assert alice.get(f"{DELIVERIES}/{pending}").json()["data"]["status"] == "dropped"
    for verb in ("retry", "replay"):
        answer = alice.post(f"{DELIVERIES}/{told}/{verb}")
        assert (answer.status_code, answer.json()["details"][0]["code"]) == (409, "endpoint_deleted")


def test_disabling_and_enabling_again_changes_nothing_more(alice: Caller) -> None:
    path = f"{HOOKS}/{hook(alice)['endpoint']['id']}"
    first, again = (alice.post(f"{path}/disable").json()["data"] for _ in range(2))
    assert first == again
    assert (first["status"], first["disabledReason"]) == ("disabled", "requested")
    assert first["disabledAt"] is not None
    WebhookEndpoint.objects.update(failures=12, failing_since="2026-11-22T10:00:00Z")
    first, again = (alice.post(f"{path}/enable").json()["data"] for _ in range(2))
    assert first == again
    names = ("status", "disabledReason", "disabledAt", "failingSince")
    assert [first[name] for name in names] == ["enabled", None, None, None]
    assert WebhookEndpoint.objects.get().failures == 0


def test_a_delivery_is_shown_with_its_attempts(alice: Caller, execution: str) -> None:
    endpoint, told = hooked(alice, execution)
    WebhookDelivery.objects.update(attempts_made=2)
    at = {"started_at": "2026-11-22T10:00:00Z", "finished_at": "2026-11-22T10:00:01.5Z"}
    WebhookAttempt.objects.create(delivery_id=told, number=1, status="lost", **at)
    WebhookAttempt.objects.create(
        delivery_id=told, number=2, status="failed", response_status=500, response_excerpt="no",
        error_kind="http_status", error_message="it answered 500", **at,
    )  # fmt: skip
    shown = alice.get(f"{DELIVERIES}/{told}").json()["data"]
    assert shown == alice.get(DELIVERIES).json()["data"]["items"][0]
    assert (shown["endpointId"], shown["executionId"], shown["status"]) == (endpoint, execution, "failed")
    assert shown["eventId"] == alice.get(f"/v1/executions/{execution}/events").json()["data"][0]["id"]
    assert (shown["attemptCount"], shown["nextAttemptAt"], shown["replayOf"]) == (2, None, None)
    lost, failed = shown["attempts"]
    assert (lost["number"], lost["status"], lost["error"]) == (1, "lost", None)
    assert (failed["responseStatus"], failed["responseExcerpt"], failed["durationMs"]) == (500, "no", 1500)
    assert failed["error"] == {"kind": "http_status", "message": "it answered 500"}


def test_of_many_attempts_the_newest_are_shown(alice: Caller, execution: str) -> None:
    _, told = hooked(alice, execution)
    WebhookAttempt.objects.bulk_create(
        WebhookAttempt(delivery_id=told, number=number, status="failed", started_at="2026-11-22T10:00:00Z",
                       finished_at="2026-11-22T10:00:00Z")
        for number in range(1, 41)
    )  # fmt: skip
    shown = alice.get(f"{DELIVERIES}/{told}").json()["data"]["attempts"]
    assert [attempt["number"] for attempt in shown] == list(range(16, 41))


def test_deliveries_are_listed_by_what_they_are_asked_for(alice: Caller, bob: Caller, execution: str) -> None:
    other = created(alice, published(alice))["execution"]["id"]
    first, second = (hook(alice)["endpoint"]["id"] for _ in range(2))
    a = delivery(alice, first, execution, 1, "failed")
    b = delivery(alice, first, other, 2, "delivered", kind="execution.queued")
    c = delivery(alice, second, execution, 1, "pending")
    d = delivery(alice, first, execution, 2, "delivered", kind="execution.queued")
    hooked(bob, created(bob, published(bob))["execution"]["id"])
    wanted = {
        "": [d, c, b, a],
        f"endpointId={first}": [d, b, a],
        "status=delivered": [d, b],
        f"status=delivered&endpointId={first}": [d, b],
        "eventType=execution.created": [c, a],
        f"eventType=execution.created&endpointId={first}": [a],
        f"executionId={other}": [b],
        f"executionId={execution}&status=pending": [c],
        "eventType=payment.paid": [],
    }
    for query, expected in wanted.items():
        assert ids(alice.get(f"{DELIVERIES}?{query}")) == expected, query
        paged, cursor = [], ""
        while True:
            page = alice.get(f"{DELIVERIES}?limit=1{cursor}&{query}").json()["data"]
            paged += [item["id"] for item in page["items"]]
            if page["nextCursor"] is None:
                break
            cursor = f"&cursor={page['nextCursor']}"
        assert paged == expected, query
    foreign = WebhookEndpoint.objects.get(tenant=bob.tenant).id
    assert ids(alice.get(f"{DELIVERIES}?endpointId={foreign}")) == []


@pytest.mark.parametrize("query", ["status=sent", "eventType=execution.*", "endpointId=x", "executionId=", "url=x"])
def test_a_filter_that_is_none_is_named(alice: Caller, query: str) -> None:
    answer = alice.get(f"{DELIVERIES}?{query}")
    assert answer.status_code == 400
    assert [detail["field"] for detail in answer.json()["details"]] == [f"query.{query.split('=', maxsplit=1)[0]}"]


def test_a_list_costs_the_same_for_more_deliveries(alice: Caller, execution: str) -> None:
    endpoint, _ = hooked(alice, execution)

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert alice.get(f"{DELIVERIES}?limit=50").status_code == 200
        return len(captured)

    few = cost()
    for number in range(2, 30):
        delivery(alice, endpoint, execution, number)
    assert cost() == few


def test_what_failed_is_retried_and_what_was_delivered_is_not(alice: Caller, execution: str) -> None:
    endpoint, failed = hooked(alice, execution)
    pending, delivered, dropped = (
        delivery(alice, endpoint, execution, number, status)
        for number, status in ((2, "pending"), (3, "delivered"), (4, "dropped"))
    )
    for one in (failed, pending):
        shown = alice.post(f"{DELIVERIES}/{one}/retry").json()["data"]
        assert (shown["status"], shown["finishedAt"]) == ("pending", None)
        assert shown["nextAttemptAt"] > "2026-11-22T10:00:00Z"
    for one in (delivered, dropped):
        answer = alice.post(f"{DELIVERIES}/{one}/retry")
        assert (answer.status_code, answer.json()["details"][0]["code"]) == (409, "already_delivered")


def test_a_replay_is_a_new_delivery(alice: Caller, execution: str) -> None:
    _, told = hooked(alice, execution)
    first = alice.post(f"{DELIVERIES}/{told}/replay", Idempotency_Key="k").json()["data"]
    assert alice.post(f"{DELIVERIES}/{told}/replay", Idempotency_Key="k").json()["data"] == first
    second = alice.post(f"{DELIVERIES}/{told}/replay").json()["data"]
    assert len({told, first["id"], second["id"]}) == 3
    before = alice.get(f"{DELIVERIES}/{told}").json()["data"]
    assert (first["replayOf"], first["status"], first["attempts"]) == (told, "pending", [])
    assert first["eventId"] == before["eventId"]
    assert before["status"] == "failed"


def test_to_a_disabled_endpoint_nothing_is_sent_again(alice: Caller, execution: str) -> None:
    endpoint, told = hooked(alice, execution)
    alice.post(f"{HOOKS}/{endpoint}/disable")
    for verb in ("retry", "replay"):
        answer = alice.post(f"{DELIVERIES}/{told}/{verb}")
        assert (answer.status_code, answer.json()["details"][0]["code"]) == (409, "endpoint_disabled")
    assert WebhookDelivery.objects.filter(status="pending").count() == 0


def test_another_tenants_endpoints_and_deliveries_are_in_no_list(alice: Caller, bob: Caller, execution: str) -> None:
    hooked(alice, execution)
    for path in (HOOKS, DELIVERIES, f"{DELIVERIES}?executionId={execution}"):
        assert ids(bob.get(path)) == []


def test_deliveries_is_no_endpoint(alice: Caller) -> None:
    for method in ("DELETE", "POST"):
        assert_refused(alice.send(method, DELIVERIES), READS["deliveries"], 405, "method_not_allowed")


@pytest.mark.parametrize("members", [{}, {"format": "event"}])
def test_only_a_receiver_of_open_lineage_may_want_a_key_of_its_own(alice: Caller, members: Any) -> None:
    refused = alice.post(HOOKS, {"name": "n", "url": URL, "apiKey": "theirs", **members})
    assert refused.status_code == 400
    assert [(problem["field"], problem["code"]) for problem in refused.json()["details"]] == [
        ("/apiKey", "not_allowed")
    ]


def test_the_key_of_a_receiver_is_never_shown(alice: Caller) -> None:
    answer = alice.post(HOOKS, {"name": "n", "url": URL, "apiKey": "theirs-alone", "format": "openlineage"})
    assert answer.json()["data"]["endpoint"]["format"] == "openlineage"
    shown = alice.get(f"{HOOKS}/{answer.json()['data']['endpoint']['id']}")
    assert b"theirs-alone" not in answer.content + shown.content
    assert "theirs-alone" not in str(WebhookEndpoint.objects.values())
