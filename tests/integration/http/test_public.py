"""/v1/public: anybody may run a workflow that is open to everybody, and look at that run by its token; no more."""

from __future__ import annotations

import io
import logging
from datetime import timedelta
from logging.config import DictConfigurator
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.db.models.functions import Now
from django.test import override_settings

from contract.http import PUBLIC_LIMIT
from executions.models import Execution
from executions.public import token_of
from tenants import public_door
from tests.integration.http.arranging import created, engine, published, rows_of_every_table
from tests.integration.http_client import Caller

VIEW = {
    *("id", "workflowId", "status", "paymentStatus", "checkoutSessionId", "orderId", "runId", "clientSafeMetadata"),
    *("createdAt", "startedAt", "finishedAt", "message", "events"),
}
EVENT = {"id", "eventType", "level", "title", "message", "nodeId", "runId", "createdAt"}
PRICE = {"amount": 500, "currency": "EUR"}
BROKEN = [{"name": "try", "type": "tool_call", "config": {"tool": "fail", "arguments": {"message": "the secret"}}}]


@pytest.fixture(autouse=True)
def an_address_of_its_own(monkeypatch: pytest.MonkeyPatch) -> str:
    """So that the limits of one test do not count in another."""
    address = f"test-{uuid4()}"
    monkeypatch.setattr(public_door, "client_address", lambda _: address)
    return address


def opened(alice: Caller, *args: Any, **members: Any) -> str:
    """The id of a workflow that is open to everybody."""
    return published(alice, *args, visibility="public_execute", **members)


def create(who: Caller, workflow_id: str, body: Any = None, **headers: str) -> Any:
    return who.post(f"/v1/public/workflows/{workflow_id}/executions", body, **headers)


def look(who: Caller, execution_id: str, token: str = "", **headers: str) -> Any:
    return who.get(f"/v1/public/executions/{execution_id}{f'?token={token}' if token else ''}", **headers)


def assert_open_to_every_page(answer: Any) -> None:
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"


# Creating


def test_a_stranger_runs_a_public_workflow_and_is_shown_no_more_than_the_view(alice: Caller, stranger: Caller) -> None:
    workflow_id = opened(alice)
    body = {"requestPayload": {"amount": 1}, "clientSafeMetadata": {"cart": "c-1"}}
    answer = create(stranger, workflow_id, body)
    data = answer.json()["data"]
    assert (answer.status_code, data.keys(), data["execution"].keys()) == (200, {"clientToken", "execution"}, VIEW)
    assert (data["execution"]["workflowId"], data["execution"]["clientSafeMetadata"]) == (workflow_id, {"cart": "c-1"})
    assert_open_to_every_page(answer)
    seen = alice.get(f"/v1/executions/{data['execution']['id']}").json()["data"]["execution"]
    origin = {name: seen[name] for name in ("sourceSystem", "sourceEntityType", "sourceEntityId", "initiatedByType")}
    assert origin == {
        "sourceSystem": "public",
        "sourceEntityType": "workflow",
        "sourceEntityId": workflow_id,
        "initiatedByType": "public",
    }
    assert seen["requestPayload"] == {"amount": 1}


def test_a_priced_one_says_where_it_is_paid(alice: Caller, stranger: Caller) -> None:
    answer = create(stranger, opened(alice, price=PRICE))
    data = answer.json()["data"]
    assert data["checkoutUrl"] == f"{settings.PUBLIC_URL}/pay/{data['execution']['orderId']}"
    assert answer.headers["Link"] == f'<{data["checkoutUrl"]}>; rel="payment"'
    assert (data["execution"]["status"], data["execution"]["paymentStatus"]) == ("awaiting_payment", "unpaid")


def test_what_is_not_open_to_everybody_is_not_there(alice: Caller, stranger: Caller) -> None:
    draft = alice.post("/v1/workflows", {"name": "d", "steps": BROKEN, "visibility": "public_execute"}).json()["id"]
    hidden = published(alice)
    before = rows_of_every_table()
    answers = [create(stranger, which, X_Request_ID="r") for which in (hidden, draft, str(uuid4()), "x", "%00")]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    # It is the same for the tenant's own key: none is read.
    assert create(alice, hidden, X_Request_ID="r").content == answers[0].content
    assert rows_of_every_table() == before
    for answer in answers:
        assert_open_to_every_page(answer)


def test_no_credential_is_read(alice: Caller, bob: Caller, stranger: Caller) -> None:
    workflow_id = opened(alice)
    for who in (alice, bob, stranger):
        assert create(who, workflow_id, X_Tenant_ID="nobody").status_code == 200
    assert create(stranger, workflow_id, Authorization="Bearer nonsense").status_code == 200


def test_what_is_paused_or_archived_is_not_run(alice: Caller, stranger: Caller) -> None:
    workflow_id = opened(alice)
    for verb, reason in (("pause", "workflow_paused"), ("archive", "workflow_archived")):
        alice.post(f"/v1/workflows/{workflow_id}/{verb}")
        answer = create(stranger, workflow_id)
        assert (answer.status_code, answer.json()["details"][0]["code"]) == (409, reason)


def test_why_an_agent_may_not_run_it_is_not_told(alice: Caller, stranger: Caller) -> None:
    workflow_id = opened(alice)
    agent = alice.get("/v1/agents").json()["items"][0]["id"]
    alice.post(f"/v1/agents/{agent}/suspend")
    answer = create(stranger, workflow_id)
    assert (answer.status_code, answer.json()["details"][0]["code"]) == (409, "not_runnable")
    assert "agent" not in answer.text if hasattr(answer, "text") else b"agent" not in answer.content


@pytest.mark.parametrize(
    ("body", "headers", "answered"),
    [
        (b"x" * (PUBLIC_LIMIT + 1), {"Content_Type": "text/plain"}, (413, None)),
        (b"{}", {"Content_Type": "text/plain"}, (415, None)),
        (b"{", {}, (400, None)),
        ({"sourceSystem": "crm"}, {}, (400, "/sourceSystem")),
        ({"externalRef": "r"}, {}, (400, "/externalRef")),
        ({"workflowId": "w"}, {}, (400, "/workflowId")),
        ({"requestPayload": []}, {}, (400, "/requestPayload")),
        ({"clientSafeMetadata": {"a": "x" * 16384}}, {}, (400, "/clientSafeMetadata")),
        ({"idempotencyKey": "k" * 31}, {}, (400, "/idempotencyKey")),
        ({}, {"Idempotency_Key": "k" * 31}, (400, "header.Idempotency-Key")),
    ],
)
def test_a_creation_that_is_refused_writes_nothing(
    alice: Caller, stranger: Caller, body: Any, headers: dict[str, str], answered: tuple[int, str | None]
) -> None:
    workflow_id = opened(alice)
    before = rows_of_every_table()
    answers = [create(stranger, which, body, X_Request_ID="r", **headers) for which in (workflow_id, str(uuid4()))]
    status, field = answered
    assert answers[0].status_code == status
    assert field is None or answers[0].json()["details"][0]["field"] == field
    # Whether there is such a workflow is asked last of all.
    assert answers[0].content == answers[1].content
    assert rows_of_every_table() == before
    assert_open_to_every_page(answers[0])


def test_the_input_is_checked_against_the_schema(alice: Caller, stranger: Caller) -> None:
    schema = {"type": "object", "required": ["amount"]}
    answer = create(stranger, opened(alice, input_schema=schema), {"requestPayload": {}})
    assert (answer.status_code, answer.json()["details"][0]["field"]) == (400, "/requestPayload/amount")


def test_a_key_makes_one_execution_and_is_nobody_elses(alice: Caller, stranger: Caller) -> None:
    workflow_id, other, key = opened(alice), opened(alice), "k" * 32
    first = create(stranger, workflow_id, {"requestPayload": {"a": 1}}, Idempotency_Key=key)
    again = create(stranger, workflow_id, {"requestPayload": {"a": 1}, "idempotencyKey": key})
    assert (again.json()["data"], again.headers["Idempotent-Replayed"]) == (first.json()["data"], "true")
    assert again.json()["data"]["clientToken"].startswith("ct_")
    assert create(stranger, workflow_id, {"requestPayload": {"a": 2}}, Idempotency_Key=key).status_code == 409
    assert create(stranger, other, {"requestPayload": {"a": 1}}, Idempotency_Key=key).status_code == 200
    assert created(alice, workflow_id, idempotencyKey=key)["execution"]["id"] != first.json()["data"]["execution"]["id"]
    assert Execution.objects.count() == 3


def test_thirty_a_minute_for_each_address_and_workflow(
    alice: Caller, stranger: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow_id, other = opened(alice), opened(alice)
    answers = [create(stranger, workflow_id, b"{", Content_Type="text/plain") for _ in range(30)]
    assert {answer.status_code for answer in answers} == {415}
    refused = create(stranger, workflow_id.upper(), b"x" * (PUBLIC_LIMIT + 1))
    assert (refused.status_code, refused.json()["details"][0]["code"]) == (429, "rate_limited")
    assert int(refused.headers["Retry-After"]) in range(1, 61)
    assert (refused.headers["X-RateLimit-Limit"], refused.headers["X-RateLimit-Remaining"]) == ("30", "0")
    assert_open_to_every_page(refused)
    assert create(stranger, other).status_code == 200
    monkeypatch.setattr(public_door, "client_address", lambda _: f"elsewhere-{uuid4()}")
    assert create(stranger, workflow_id).status_code == 200


# Looking


def test_a_token_shows_its_execution_and_nothing_that_it_made(alice: Caller, stranger: Caller) -> None:
    made = create(stranger, opened(alice)).json()["data"]
    by_query = look(stranger, made["execution"]["id"], made["clientToken"])
    by_header = look(stranger, made["execution"]["id"], X_Client_Token=made["clientToken"])
    both = look(stranger, made["execution"]["id"], made["clientToken"], X_Client_Token=made["clientToken"])
    for answer in (by_query, by_header, both):
        assert (answer.status_code, answer.json()["data"]) == (200, made["execution"])
        assert_open_to_every_page(answer)
    for event in made["execution"]["events"]:
        assert event.keys() == EVENT


@pytest.mark.django_db(transaction=True)
def test_the_view_of_a_failure_has_fixed_words_only(alice: Caller, stranger: Caller) -> None:
    made = create(stranger, opened(alice, BROKEN), {"requestPayload": {"a": "the secret"}}).json()["data"]
    with engine() as world:
        world.drain()
    answer = look(stranger, made["execution"]["id"], made["clientToken"])
    shown = answer.json()["data"]
    assert (shown["status"], shown["message"]) == ("workflow_failed", "The execution failed.")
    assert [event["eventType"] for event in shown["events"]][-1] == "execution.failed"
    assert {event["nodeId"] for event in shown["events"]} == {None, "try"}
    assert b"the secret" not in answer.content
    assert alice.tenant is not None
    assert str(alice.tenant.id).encode() not in answer.content


def test_the_token_of_any_creation_opens_the_view(alice: Caller, stranger: Caller) -> None:
    made = created(alice, published(alice))
    assert look(stranger, made["execution"]["id"], made["clientToken"]).json()["data"].keys() == VIEW


def test_every_token_that_is_not_this_ones_is_refused_alike(alice: Caller, stranger: Caller) -> None:
    workflow_id = opened(alice)
    mine, other = (create(stranger, workflow_id).json()["data"] for _ in range(2))
    mine_id, token = mine["execution"]["id"], mine["clientToken"]
    unknown = uuid4()
    path = "/v1/public/executions"
    answers = [
        stranger.get(f"{path}/{mine_id}", X_Request_ID="r"),
        stranger.get(f"{path}/{mine_id}?token=", X_Request_ID="r"),
        stranger.get(f"{path}/{mine_id}?token=%ff%00", X_Request_ID="r"),
        stranger.get(f"{path}/{mine_id}?token={token[:-1]}", X_Request_ID="r"),
        stranger.get(f"{path}/{mine_id}?token={other['clientToken']}", X_Request_ID="r"),
        stranger.get(f"{path}/{mine_id}?token={token}", X_Client_Token=other["clientToken"], X_Request_ID="r"),
        stranger.get(f"{path}/{mine_id}?token={token}&token=x", X_Request_ID="r"),
        stranger.get(f"{path}/{mine['execution']['runId']}?token={token}", X_Request_ID="r"),
        stranger.get(f"{path}/{unknown}?token={token_of(unknown)}", X_Request_ID="r"),
        stranger.get(f"{path}/nonsense?token={token}", X_Request_ID="r"),
        alice.get(f"{path}/{mine_id}", X_Request_ID="r"),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    for answer in answers:
        assert_open_to_every_page(answer)
        assert answer.headers["WWW-Authenticate"]


@pytest.mark.django_db(transaction=True)
def test_a_token_is_good_until_thirty_days_after_the_end(alice: Caller, stranger: Caller) -> None:
    made = create(stranger, opened(alice)).json()["data"]
    with engine() as world:
        world.drain()
    rows = Execution.objects.filter(id=made["execution"]["id"])
    for days, status in ((29, 200), (30, 401)):
        rows.update(finished_at=Now() - timedelta(days=days, minutes=1))
        assert look(stranger, made["execution"]["id"], made["clientToken"]).status_code == status


def test_a_token_made_with_an_earlier_key_goes_on_opening(alice: Caller, stranger: Caller) -> None:
    made = create(stranger, opened(alice)).json()["data"]
    with override_settings(SECRET_KEY="a new one", SECRET_KEY_FALLBACKS=[settings.SECRET_KEY]):
        assert look(stranger, made["execution"]["id"], made["clientToken"]).status_code == 200
    with override_settings(SECRET_KEY="a new one"):
        assert look(stranger, made["execution"]["id"], made["clientToken"]).status_code == 401


def test_looking_is_limited_too_and_creating_does_not_count_in_it(alice: Caller, stranger: Caller) -> None:
    made = create(stranger, opened(alice)).json()["data"]
    path = f"/v1/public/executions/{made['execution']['id']}?token={made['clientToken']}"
    assert {stranger.get(path).status_code for _ in range(30)} == {200}
    refused = stranger.get(path)
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (429, "*")


def test_an_unknown_parameter_is_named_only_to_who_has_the_token(alice: Caller, stranger: Caller) -> None:
    made = create(stranger, opened(alice)).json()["data"]
    path = f"/v1/public/executions/{made['execution']['id']}"
    answer = stranger.get(f"{path}?token={made['clientToken']}&limit=1")
    assert (answer.status_code, answer.json()["details"][0]["field"]) == (400, "query.limit")
    assert stranger.get(f"{path}?limit=1").status_code == 401


# Pages of other sites


def test_a_preflight_names_the_methods_and_headers(stranger: Caller) -> None:
    for path, methods in (
        (f"/v1/public/workflows/{uuid4()}/executions", "POST, OPTIONS"),
        (f"/v1/public/executions/{uuid4()}", "GET, HEAD, OPTIONS"),
    ):
        answer = stranger.send(
            "OPTIONS", path, Origin="https://shop.example", Access_Control_Request_Headers="content-type"
        )
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["Access-Control-Allow-Methods"] == methods
        assert {"Content-Type", "Idempotency-Key", "X-Client-Token"} <= set(
            answer.headers["Access-Control-Allow-Headers"].split(", ")
        )
        assert_open_to_every_page(answer)


def test_no_other_route_may_be_called_by_other_sites(alice: Caller, stranger: Caller) -> None:
    for who, path in ((alice, "/v1/executions"), (stranger, "/v1/executions"), (stranger, "/v1/me")):
        for method in ("GET", "OPTIONS"):
            answer = who.send(method, path, Origin="https://shop.example")
            assert not any(name.startswith("Access-Control") for name in answer.headers)


def test_another_method_is_405_before_anything_else(stranger: Caller) -> None:
    for path in (f"/v1/public/workflows/{uuid4()}/executions", f"/v1/public/executions/{uuid4()}"):
        answer = stranger.put(path, b"x" * (PUBLIC_LIMIT + 1))
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (405, "*")


# Logs


def test_no_log_line_holds_a_token(alice: Caller, stranger: Caller) -> None:
    made = create(stranger, opened(alice)).json()["data"]
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    formatters: Any = settings.LOGGING["formatters"]
    handler.setFormatter(DictConfigurator({"version": 1}).configure_formatter(formatters["json"]))
    logging.getLogger().addHandler(handler)
    try:
        assert look(stranger, str(uuid4()), made["clientToken"]).status_code == 401
    finally:
        logging.getLogger().removeHandler(handler)
    assert "Unauthorized" in written.getvalue()
    assert made["clientToken"] not in written.getvalue()
    assert "token" not in written.getvalue()
