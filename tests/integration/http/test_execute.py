"""POST /v1/workflows/{id}/execute: the plan of a dry run, parameters, input, the tenant's header."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.integration.engine.world import noop, transform
from tests.integration.http.arranging import (
    ECHO,
    application,
    creation,
    engine,
    executed,
    published,
    reasons,
    rows_of_every_table,
    template,
)
from tests.integration.http_client import Caller, another_key

STEP_MEMBERS = {
    *("name", "action", "agent_id", "status", "result"),
    *("type", "depends_on", "wave", "config", "effect"),
}
DIAMOND = [
    transform("join", "${{ steps.left.output }}", "left", "right"),
    noop("right", "root"),
    {
        "name": "left",
        "type": "transform",
        "config": {"output": "${{ steps.root.output.name }}"},
        "depends_on": ["root"],
    },
    noop("root"),
]


def dry(alice: Caller, workflow_id: str, body: Any = None, **headers: str) -> Any:
    answer = executed(alice, workflow_id, {**(body or {}), "dry_run": True}, **headers)
    assert answer.status_code == 200, answer.content
    return answer.json()


# What a dry run shows


def test_a_dry_run_stores_nothing_and_has_no_id(alice: Caller) -> None:
    workflow_id = published(alice, DIAMOND)
    before = rows_of_every_table()
    shown = dry(alice, workflow_id, Idempotency_Key="k")
    assert rows_of_every_table() == before
    assert {shown[name] for name in ("execution_id", "run_id", "started_at", "created_at", "checkout_url")} == {None}
    assert (shown["status"], shown["price"], shown["workflow_version"]) == ("pending", None, "1.0.0")


def test_the_plan_is_in_the_order_of_execution(alice: Caller) -> None:
    steps = dry(alice, published(alice, DIAMOND))["steps"]
    assert {frozenset(step) for step in steps} == {frozenset(STEP_MEMBERS)}
    assert [(step["name"], step["wave"], step["depends_on"], step["effect"]) for step in steps] == [
        ("root", 0, [], "idempotent"),
        ("right", 1, ["root"], "idempotent"),
        ("left", 1, ["root"], "pure"),
        ("join", 2, ["right", "left"], "pure"),
    ]


def test_a_config_is_resolved_as_far_as_nothing_has_to_run_first(alice: Caller) -> None:
    steps = [
        noop("known", config={"tool": "noop", "arguments": {"a": "${{ input.a }}", "p": "${{ parameters.p }}"}}),
        noop("later", "known", config={"tool": "noop", "arguments": {"a": "${{ steps.known.output.a }}"}}),
        {"action": "noop", "parameters": {"a": "${{ steps.later.output.a }}"}},
    ]
    body = {"input": {"a": 1}, "parameters": {"p": "x"}}
    shown = dry(alice, published(alice, steps), body, X_Tenant_ID="alice")["steps"]
    assert [step["config"]["arguments"] for step in shown] == [
        {"a": 1, "p": "x"},
        {"a": "${{ steps.known.output.a }}"},
        {"a": "${{ steps.later.output.a }}"},
    ]
    assert {step["config"]["tool"] for step in shown} == {"noop"}


def test_a_transform_shows_its_output_where_nothing_has_to_run_first(alice: Caller) -> None:
    steps = [
        transform("known", "${{ parameters.p }} of ${{ input.a }}"),
        transform("later", "${{ steps.known.output }}", "known"),
        transform("unsaid", "${{ parameters.q }}"),
    ]
    body = {"input": {"a": 1}, "parameters": {"p": "x"}}
    shown = dry(alice, published(alice, steps), body, X_Tenant_ID="alice")["steps"]
    assert {step["name"]: step["config"] for step in shown} == {
        "known": {"output": "x of 1"},
        "later": {"output": "${{ steps.known.output }}"},
        "unsaid": {"output": "${{ parameters.q }}"},
    }


def test_a_plan_shows_no_secret(alice: Caller) -> None:
    call = {"url": "https://example.com/", "payload": {}, "secret": "whsec_" + "c2VjcmV0" * 4}
    headers = {"authorization": "Bearer hidden", "x-shown": "shown"}
    asked = {"method": "GET", "url": "https://example.com/", "headers": headers}
    steps = [
        {"name": "tell", "type": "webhook", "config": call},
        {"name": "ask", "type": "http", "config": asked},
    ]
    tell, ask = dry(alice, published(alice, steps))["steps"]
    assert tell["config"]["secret"] == "***"
    assert ask["config"]["headers"] == {"authorization": "***", "x-shown": "shown"}


def test_a_plan_names_its_price(alice: Caller) -> None:
    price = {"amount": 5, "currency": "EUR", "refund": "never"}
    assert dry(alice, published(alice, price=price))["price"] == price


def test_a_dry_run_makes_every_check_of_a_real_one(alice: Caller) -> None:
    schema = {"type": "object", "required": ["amount"]}
    workflow_id = published(alice, input_schema=schema)
    for body in ({}, {"parameters": {"nothing": 1}}, {"agent_id": str(uuid4())}, {"surprise": 1}):
        answers = [
            executed(alice, workflow_id, {**body, "dry_run": flag}, X_Tenant_ID="alice", X_Request_ID="r")
            for flag in (True, False)
        ]
        assert answers[0].status_code in {400, 404}
        assert answers[0].content == answers[1].content


# The plan's hash


def test_a_run_of_the_plan_that_was_shown_is_taken(alice: Caller) -> None:
    workflow_id = published(alice, DIAMOND)
    shown = dry(alice, workflow_id)
    assert dry(alice, workflow_id)["plan_hash"] == shown["plan_hash"]
    assert executed(alice, workflow_id, {"plan_hash": shown["plan_hash"]}).status_code == 200


@pytest.mark.parametrize(
    "changed",
    [{"parameters": {"second": {"output": 1}}}, {"input": {"a": 1}}, {"plan_hash": "other"}, {"agent_id": "scout"}],
)
def test_another_plan_is_a_conflict(alice: Caller, changed: dict[str, Any]) -> None:
    workflow_id = published(alice)
    scout = alice.post("/v1/agents", {"name": "scout"}).json()["id"]
    body = {"plan_hash": dry(alice, workflow_id)["plan_hash"]} | changed
    if "agent_id" in changed:
        body["agent_id"] = scout
    before = rows_of_every_table()
    for flag in (True, False):
        answer = executed(alice, workflow_id, {**body, "dry_run": flag}, X_Tenant_ID="alice")
        assert reasons(answer)[:2] == (409, "plan_changed")
    assert rows_of_every_table() == before


def test_a_version_published_in_between_changes_the_plan(alice: Caller) -> None:
    workflow_id = published(alice)
    shown = dry(alice, workflow_id)
    alice.put(f"/v1/workflows/{workflow_id}", {"name": "again", "steps": ECHO})
    assert executed(alice, workflow_id, {"plan_hash": shown["plan_hash"], "dry_run": True}).status_code == 200
    alice.post(f"/v1/workflows/{workflow_id}/publish")
    answer = executed(alice, workflow_id, {"plan_hash": shown["plan_hash"]})
    assert reasons(answer)[:2] == (409, "plan_changed")


# Parameters


@pytest.mark.django_db(transaction=True)
def test_a_patch_is_merged_into_the_step_s_config_and_stays_literal(alice: Caller) -> None:
    steps = [noop("tell", config={"tool": "noop", "arguments": {"a": 1, "b": {"c": 2, "d": 3}}})]
    patch = {"tell": {"arguments": {"b": {"c": None, "e": "${{ input.secret }}"}}}}
    workflow_id = published(alice, steps)
    made = executed(alice, workflow_id, {"parameters": patch}).json()
    with engine() as world:
        world.drain()
    [step] = alice.get(f"/v1/executions/{made['execution_id']}/steps").json()["data"]["items"]
    assert step["attempts"][0]["input"]["arguments"] == {"a": 1, "b": {"d": 3, "e": "${{ input.secret }}"}}
    assert step["output"] == {"a": 1, "b": {"d": 3, "e": "${{ input.secret }}"}}
    assert alice.get(f"/v1/orchestrations/{made['run_id']}").json()["parameters"] == patch
    [planned] = dry(alice, workflow_id, {"parameters": patch})["steps"]
    assert planned["config"] == step["input"]


@pytest.mark.django_db(transaction=True)
def test_a_free_value_is_read_by_an_expression(alice: Caller) -> None:
    workflow_id = published(alice, [transform("only", "${{ parameters.factor * 2 }}")])
    made = executed(alice, workflow_id, {"parameters": {"factor": 21}}).json()
    with engine() as world:
        world.drain()
    assert alice.get(f"/v1/orchestrations/{made['run_id']}").json()["results"] == {"only": {"value": 42}}


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"nothing": 1}, "/parameters/nothing"),
        ({"a/b~c": 1}, "/parameters/a~1b~0c"),
        ({"first": 1}, "/parameters/first"),
        ({"first": {"tool": "fib"}}, "/parameters/first/tool"),
        ({"first": {"surprise": 1}}, "/parameters/first/surprise"),
        ({"call": {"url": "https://evil.example/"}}, "/parameters/call/url"),
        ({"call": {"method": "DELETE"}}, "/parameters/call/method"),
        ({"call": {"headers": {"x": "y"}}}, "/parameters/call/headers"),
        ({"call": {"timeout_seconds": "soon"}}, "/parameters/call/timeout_seconds"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_by_name(alice: Caller, parameters: Any, field: str) -> None:
    call = {"name": "call", "type": "http", "config": {"method": "GET", "url": "https://example.com/"}}
    workflow_id = published(alice, [noop("first"), call])
    before = rows_of_every_table()
    for flag in (True, False):
        answer = executed(alice, workflow_id, {"parameters": parameters, "dry_run": flag})
        assert reasons(answer) == (400, "invalid_parameters", {field})
    assert rows_of_every_table() == before


# The input


def test_an_input_that_does_not_fit_is_refused_at_every_door(alice: Caller) -> None:
    amount = {"type": "number", "minimum": 1}
    schema = {"type": "object", "properties": {"amount": amount}, "required": ["amount", "name"]}
    workflow_id = published(alice, input_schema=schema)
    template_id = template(alice, workflow_id)
    body = {"template_id": template_id, "application_id": application(alice, amount=0)}
    before = rows_of_every_table()
    one = alice.post("/v1/executions", creation(workflow_id, requestPayload={"amount": 0}))
    two = executed(alice, workflow_id, {"input": {"amount": 0}}, X_Tenant_ID="alice")
    three = alice.post("/api/v2/data_orchestration/execute", body)
    assert one.status_code == 400
    assert {problem["field"] for problem in one.json()["details"]} == {"/requestPayload/name", "/requestPayload/amount"}
    assert reasons(two) == (400, "invalid_content", {"/input/name", "/input/amount"})
    assert (three.status_code, three.json()["code"]) == (422, "invalid_content")
    assert three.json()["errors"].keys() == {"application_id.name", "application_id.amount"}
    assert rows_of_every_table() == before


# The tenant's header, and what comes before what


@pytest.mark.parametrize("body", [{"input": {}}, {"agent_id": "a"}, {"input": {"a": 1}, "dry_run": True}])
def test_the_prose_contract_names_its_tenant(alice: Caller, body: Any) -> None:
    workflow_id = published(alice)
    before = rows_of_every_table()
    for workflow in (workflow_id, str(uuid4())):
        for headers in ({}, {"X_Tenant_ID": ""}, {"X_Tenant_ID": " "}, {"Idempotency_Key": ""}):
            answer = executed(alice, workflow, body, **headers)
            assert reasons(answer) == (400, "invalid_input", {"header.X-Tenant-ID"})
    assert rows_of_every_table() == before


@pytest.mark.parametrize(
    "body",
    [{}, {"parameters": {}, "dry_run": False}, {"input": None, "agent_id": None}, {"agent_id": ""}, {"dry_run": None}],
)
def test_any_other_body_is_taken_without_it(alice: Caller, body: Any) -> None:
    assert executed(alice, published(alice), body).status_code == 200


def test_a_repeat_still_has_to_name_its_tenant(alice: Caller) -> None:
    workflow_id, body = published(alice), {"input": dict[str, Any]()}
    first = executed(alice, workflow_id, body, X_Tenant_ID="alice", Idempotency_Key="k")
    assert executed(alice, workflow_id, body, Idempotency_Key="k").status_code == 400
    again = executed(alice, workflow_id, body, X_Tenant_ID="alice", Idempotency_Key="k")
    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"


def test_an_unpublished_a_paused_and_an_archived_workflow_are_conflicts_after_unknown_ids(alice: Caller) -> None:
    made = alice.post("/v1/workflows", {"name": "draft", "steps": ECHO}).json()["id"]
    draft, paused, archived = made, published(alice), published(alice)
    alice.post(f"/v1/workflows/{paused}/pause")
    alice.post(f"/v1/workflows/{archived}/archive")
    before = rows_of_every_table()
    for workflow_id, reason in ((draft, "not_published"), (paused, "paused"), (archived, "archived")):
        answer = executed(alice, workflow_id, {"parameters": {"nothing": 1}})
        assert reasons(answer)[:2] == (409, f"workflow_{reason}")
        assert answer.json()["code"] == "CONFLICT"
        unknown = executed(alice, workflow_id, {"agent_id": "nobody"}, X_Tenant_ID="alice")
        assert reasons(unknown) == (404, "not_found", {"/agent_id"})
        creating = alice.post("/v1/executions", creation(workflow_id))
        assert (creating.status_code, creating.json()["details"][0]["code"]) == (409, f"workflow_{reason}")
    assert rows_of_every_table() == before


def test_executing_needs_its_own_scope(alice: Caller) -> None:
    assert alice.tenant is not None
    workflow_id = published(alice)
    assert executed(another_key(alice.tenant, "executions:*", "workflows:write"), workflow_id).status_code == 403
    assert executed(another_key(alice.tenant, "workflows:execute"), workflow_id).status_code == 200
