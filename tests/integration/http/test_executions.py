"""/v1/executions: what is taken, listed, read back step by step, cancelled."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.integration.engine.world import noop
from tests.integration.http.arranging import (
    created,
    creation,
    engine,
    executed,
    published,
    rows_of_every_table,
)
from tests.integration.http_client import Caller

LIST = "/v1/executions"


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [item["id"] for item in answer.json()["data"]["items"]]


# What is taken


def test_client_safe_metadata_has_at_most_16_kib(alice: Caller) -> None:
    workflow_id = published(alice)
    fits = {"a": "x" * (16 * 1024 - len('{"a":""}'))}
    assert created(alice, workflow_id, clientSafeMetadata=fits)["execution"]["clientSafeMetadata"] == fits
    before = rows_of_every_table()
    answer = alice.post(LIST, creation(workflow_id, clientSafeMetadata={"a": fits["a"] + "x"}))
    assert (answer.status_code, answer.json()["details"][0]["field"]) == (400, "/clientSafeMetadata")
    assert rows_of_every_table() == before


def test_what_the_caller_sends_comes_back_as_it_was(alice: Caller) -> None:
    payload: dict[str, Any] = {
        "ä\U0001f600": [1.5, -0.0, 1e300, 2**53 - 1, None, True, "\u2028 \t \x7f", {}],
        "": {"": []},
    }
    made = created(alice, published(alice), requestPayload=payload, clientSafeMetadata=payload)["execution"]
    assert (made["requestPayload"], made["clientSafeMetadata"]) == (payload, payload)
    read = alice.get(f"{LIST}/{made['id']}").json()["data"]["execution"]
    assert read == made


# Lists


def test_newest_first_page_by_page(alice: Caller, bob: Caller) -> None:
    workflow_id = published(alice)
    made = [created(alice, workflow_id)["execution"]["id"] for _ in range(5)][::-1]
    created(bob, published(bob))
    page = alice.get(f"{LIST}?limit=2").json()["data"]
    assert ([item["id"] for item in page["items"]], page["hasMore"], page["limit"]) == (made[:2], True, 2)
    second = alice.get(f"{LIST}?limit=2&cursor={page['nextCursor']}").json()["data"]
    third = alice.get(f"{LIST}?limit=2&cursor={second['nextCursor']}").json()["data"]
    assert [item["id"] for item in second["items"] + third["items"]] == made[2:]
    assert (third["hasMore"], third["nextCursor"]) == (False, None)
    assert ids(alice.get(f"{LIST}?limit=2&offset=3")) == made[3:]


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=101", "limit=x", "limit=", "offset=-1", "offset=10001", "limit=1&limit=2", "cursor=abc"),
        *("status=running", "status=", "workflowId=x", "createdAfter=yesterday", "createdBefore=2024-01-01"),
        *("externalRef=", "externalRef=%00", "sourceSystem=" + "x" * 256, "createdAfter=0001-01-01T00:00:00%2B10:00"),
    ],
)
def test_a_query_that_is_not_taken_is_refused_by_name(alice: Caller, query: str) -> None:
    answer = alice.get(f"{LIST}?{query}")
    assert (answer.status_code, answer.json()["details"][0]["field"]) == (400, f"query.{query.partition('=')[0]}")


def test_a_cursor_goes_with_its_own_list_only(alice: Caller, bob: Caller) -> None:
    workflow_id = published(alice)
    for _ in range(2):
        created(alice, workflow_id)
    cursor = alice.get(f"{LIST}?limit=1").json()["data"]["nextCursor"]
    for who, path in ((bob, LIST), (alice, "/v1/agents"), (alice, f"{LIST}?offset=0")):
        answer = who.get(f"{path}{'&' if '?' in path else '?'}cursor={cursor}")
        assert answer.status_code == 400


def test_filters_narrow_the_list_and_go_together(alice: Caller) -> None:
    one, other = published(alice), published(alice, price={"amount": 1, "currency": "EUR"})
    a = created(alice, one, externalRef="r-1", sourceEntityId="e-1")["execution"]
    b = created(alice, other, externalRef="r-1")["execution"]
    c = executed(alice, one).json()["execution_id"]
    found = {
        "status=awaiting_payment": [b["id"]],
        "status=workflow_queued": [c, a["id"]],
        f"workflowId={one}": [c, a["id"]],
        f"workflowId={uuid4()}": [],
        "sourceSystem=workflows": [c],
        "sourceEntityId=e-1": [a["id"]],
        "externalRef=r-1": [b["id"], a["id"]],
        f"externalRef=r-1&workflowId={one}": [a["id"]],
        "externalRef=r-1&limit=1&offset=1": [a["id"]],
        f"createdAfter={a['createdAt']}&createdBefore={b['createdAt']}": [a["id"]],
        "createdAfter=2999-01-01T00:00:00Z": [],
    }
    for query, expected in found.items():
        assert ids(alice.get(f"{LIST}?{query}")) == expected, query


# One


@pytest.mark.django_db(transaction=True)
def test_steps_come_in_the_definitions_order_page_by_page(alice: Caller) -> None:
    steps = [noop("c", "b"), noop("b", "a"), noop("a")]
    execution = created(alice, published(alice, steps))["execution"]["id"]
    path = f"{LIST}/{execution}/steps"
    before = alice.get(path).json()["data"]["items"]
    with engine() as world:
        world.drain()
    after = alice.get(path).json()["data"]["items"]
    assert [(step["name"], step["status"], step["attempts"]) for step in before] == [
        (name, "pending", []) for name in "cba"
    ]
    assert [step["id"] for step in before] == [step["id"] for step in after]
    assert {step["status"] for step in after} == {"succeeded"}
    first = alice.get(f"{path}?limit=2").json()["data"]
    second = alice.get(f"{path}?limit=2&cursor={first['nextCursor']}").json()["data"]
    assert (first["items"] + second["items"], second["nextCursor"]) == (after, None)
    other = created(alice, published(alice))["execution"]["id"]
    for query in (f"cursor={first['nextCursor']}", "cursor=x", "limit=0", "offset=1"):
        assert alice.get(f"{LIST}/{other}/steps?{query}").status_code == 400


@pytest.mark.django_db(transaction=True)
def test_a_step_shows_its_attempts(alice: Caller) -> None:
    config = {"tool": "fail", "arguments": {"message": "not yet", "times": 1}}
    retry = {"max_attempts": 2, "initial_seconds": 0, "jitter": False}
    steps = [{"name": "try", "type": "tool_call", "config": config, "retry": retry}]
    execution = created(alice, published(alice, steps))["execution"]["id"]
    with engine() as world:
        world.drain()
    [step] = alice.get(f"{LIST}/{execution}/steps").json()["data"]["items"]
    assert step.keys() == {
        *("id", "name", "type", "status", "dependsOn", "startedAt", "finishedAt", "input", "output", "error"),
        *("parent", "parts", "childExecutionId", "attempts"),
    }
    assert (step["parent"], step["parts"], step["childExecutionId"]) == (None, None, None)
    failed, succeeded = step["attempts"]
    assert (step["status"], step["type"], step["error"]) == ("succeeded", "tool_call", None)
    assert (failed["number"], failed["status"], failed["output"]) == (1, "failed", None)
    assert "not yet" in failed["error"]["message"]
    assert (succeeded["number"], succeeded["status"], succeeded["worker"]) == (2, "succeeded", "test:1")
    assert step["startedAt"] == failed["startedAt"]
    assert step["finishedAt"] == succeeded["finishedAt"]
    assert failed["durationMs"] >= 0


@pytest.mark.django_db(transaction=True)
def test_events_are_paged_by_sequence(alice: Caller) -> None:
    execution = created(alice, published(alice))["execution"]["id"]
    with engine() as world:
        world.drain()
    path = f"{LIST}/{execution}/events"
    events = alice.get(path).json()["data"]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert alice.get(f"{path}?after=2&limit=3").json()["data"] == events[2:5]
    assert alice.get(f"{path}?after={len(events)}").json()["data"] == []
    assert alice.get(f"{LIST}/{execution}").json()["data"]["events"] == events
    for query in ("limit=0", "limit=1001", "after=-1", "after=x", "after=2147483648"):
        assert alice.get(f"{path}?{query}").status_code == 400
    assert alice.get(f"{path}?limit=1000").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_an_event_has_the_published_members(alice: Caller) -> None:
    assert alice.tenant is not None
    workflow_id = published(alice, price={"amount": 1, "currency": "EUR"})
    made = alice.post(LIST, creation(workflow_id), X_Request_ID="r-1").json()["data"]["execution"]
    alice.post(f"/v1/payments/{made['orderId']}/confirm", {"reference": "b"}, X_Request_ID="r-1")
    with engine() as world:
        world.drain()
    shown = alice.get(f"{LIST}/{made['id']}").json()["data"]
    run = shown["execution"]["runId"]
    for event in shown["events"]:
        assert event.keys() == {
            *("id", "sequence", "executionId", "organizationId", "workflowId", "runId", "nodeId", "requestId"),
            *("eventType", "level", "title", "message", "data", "createdAt"),
        }
        assert (event["executionId"], event["workflowId"], event["requestId"]) == (made["id"], workflow_id, "r-1")
        assert event["organizationId"] == str(alice.tenant.id)
        assert (event["nodeId"] is not None) == event["eventType"].startswith("step.")
    unqueued = ["execution.created", "execution.awaiting_payment", "payment.opened"]
    assert [event["eventType"] for event in shown["events"] if event["runId"] is None] == unqueued
    assert {event["runId"] for event in shown["events"][3:]} == {run}
    assert len({event["id"] for event in shown["events"]}) == len(shown["events"])


@pytest.mark.django_db(transaction=True)
def test_the_last_hundred_events_are_shown_with_the_execution(alice: Caller) -> None:
    steps = [noop(f"s{number}") for number in range(60)]
    execution = created(alice, published(alice, steps))["execution"]["id"]
    with engine() as world:
        world.drain()
    events = alice.get(f"{LIST}/{execution}").json()["data"]["events"]
    assert [event["sequence"] for event in events] == list(range(25, 125))
    assert events[-1]["eventType"] == "execution.succeeded"


@pytest.mark.django_db(transaction=True)
def test_a_failed_execution_says_why(alice: Caller) -> None:
    steps = [{"name": "try", "type": "tool_call", "config": {"tool": "fail", "arguments": {"message": "broken"}}}]
    execution = created(alice, published(alice, [*steps, noop("after", "try")]))["execution"]["id"]
    with engine() as world:
        world.drain()
    shown = alice.get(f"{LIST}/{execution}").json()["data"]
    assert (shown["execution"]["status"], shown["execution"]["responsePayload"]) == ("workflow_failed", None)
    assert "broken" in shown["execution"]["statusReason"] == shown["message"]
    orchestration = alice.get(f"/v1/orchestrations/{execution}").json()
    assert (orchestration["status"], orchestration["error"]["message"]) == ("failed", shown["message"])


# Cancelling


@pytest.mark.django_db(transaction=True)
def test_what_is_queued_is_cancelled_by_its_next_look(alice: Caller) -> None:
    execution = created(alice, published(alice))["execution"]["id"]
    assert alice.post(f"{LIST}/{execution}/cancel", {"reason": "no need"}).status_code == 200
    with engine() as world:
        world.drain()
    shown = alice.get(f"{LIST}/{execution}").json()["data"]["execution"]
    assert (shown["status"], shown["statusReason"]) == ("workflow_cancelled", "no need")
    assert shown["finishedAt"] is not None
    steps = alice.get(f"{LIST}/{execution}/steps").json()["data"]["items"]
    assert {step["status"] for step in steps} == {"cancelled"}
    again = alice.post(f"{LIST}/{execution}/cancel")
    assert (again.status_code, again.json()["details"][0]["code"]) == (409, "already_ended")
