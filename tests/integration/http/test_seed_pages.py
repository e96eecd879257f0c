"""The calls of the three published pages, ids and token replaced, answered as the contract says and read back."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings

from executions.client_tokens import client_token
from tests.integration.http.arranging import EXECUTE, application, creation, engine, executed, published, template
from tests.integration.http_client import Caller

pytestmark = pytest.mark.django_db(transaction=True)

EXECUTION = {
    *("checkoutSessionId", "clientSafeMetadata", "createdAt", "externalRef", "finishedAt", "id", "idempotencyKey"),
    *("initiatedById", "initiatedByType", "orderId", "organizationId", "paymentStatus", "requestPayload"),
    *("responsePayload", "runId", "sourceEntityId", "sourceEntityType", "sourceSystem", "startedAt", "status"),
    *("statusReason", "updatedAt", "workflowId"),
}
EXECUTED = {
    *("execution_id", "run_id", "workflow_id", "workflow_version", "agent_id", "status", "steps", "created_at"),
    *("started_at", "checkout_url"),
}
ORCHESTRATED = {
    *("id", "outcome", "internal_error", "status", "created_at", "started_at", "finished_at", "master_status"),
}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
RUN = re.compile(r"maip-orch:[0-9A-HJKMNP-TV-Z]{26}")
PRICE = {"amount": 1250, "currency": "EUR"}


def test_the_executions_page(alice: Caller) -> None:
    assert alice.tenant is not None
    workflow_id = published(alice)
    body = creation(workflow_id, requestPayload={"amount": 12}, clientSafeMetadata={"plan": "a"}, externalRef="r-1")
    answer = alice.post("/v1/executions", body).json()
    execution = answer["data"]["execution"]
    assert answer.keys() == {"code", "message", "data", "requestId"}
    assert (answer["code"], answer["message"]) == (200, "success")
    assert answer["data"].keys() == {"clientToken", "execution"}
    assert answer["data"]["clientToken"] == client_token(settings.SECRET_KEY, UUID(execution["id"]))
    assert execution.keys() == EXECUTION
    assert execution == {
        **dict.fromkeys(EXECUTION),
        "clientSafeMetadata": {"plan": "a"},
        "createdAt": execution["createdAt"],
        "externalRef": "r-1",
        "id": execution["id"],
        "initiatedById": execution["initiatedById"],
        "initiatedByType": "api_key",
        "organizationId": str(alice.tenant.id),
        "paymentStatus": "not_required",
        "requestPayload": {"amount": 12},
        "runId": execution["runId"],
        "sourceEntityType": "lead",
        "sourceSystem": "crm",
        "status": "workflow_queued",
        "updatedAt": execution["updatedAt"],
        "workflowId": workflow_id,
    }
    assert MOMENT.fullmatch(execution["createdAt"])
    assert RUN.fullmatch(execution["runId"])
    assert execution["initiatedById"] == alice.get("/v1/me").json()["data"]["credential"]["id"]


def test_the_executions_page_s_own_empty_body_misses_three_members(alice: Caller) -> None:
    answer = alice.post("/v1/executions", b"{}")
    assert answer.status_code == 400
    assert {(problem["field"], problem["code"]) for problem in answer.json()["details"]} == {
        ("/workflowId", "required"),
        ("/sourceSystem", "required"),
        ("/sourceEntityType", "required"),
    }


def test_members_left_out_null_and_empty_are_the_same(alice: Caller) -> None:
    workflow_id = published(alice)
    optional = ("sourceEntityId", "externalRef", "idempotencyKey")
    objects = ("requestPayload", "clientSafeMetadata")
    for given in ({}, dict.fromkeys(optional + objects), dict.fromkeys(optional, "")):
        made = alice.post("/v1/executions", creation(workflow_id, **given)).json()["data"]["execution"]
        assert {made[name] for name in optional} == {None}
        assert [made[name] for name in objects] == [{}, {}]


def test_the_workflow_page_s_own_curl(alice: Caller) -> None:
    workflow_id = published(alice)
    path = f"/v1/workflows/{workflow_id}/execute"
    text = b'\n{\n  "parameters": {},\n  "dry_run": false\n}\n'
    answer = alice.post(path, text, X_API_Key=alice.key or "")
    made = answer.json()
    assert answer.status_code == 200
    assert made.keys() == EXECUTED
    assert (made["status"], made["workflow_id"], made["workflow_version"]) == ("running", workflow_id, "1.0.0")
    assert RUN.fullmatch(made["run_id"])
    assert MOMENT.fullmatch(made["started_at"])
    assert (made["checkout_url"], "Link" in answer.headers) == (None, False)
    agent = alice.get(f"/v1/agents/{made['agent_id']}").json()
    assert agent["agent_id"] == made["agent_id"]
    assert made["steps"] == [
        {"name": name, "action": action, "agent_id": agent["id"], "status": "pending", "result": None}
        for name, action in (("first", "noop"), ("second", "transform"))
    ]


def test_the_workflow_page_s_prose_contract(alice: Caller) -> None:
    workflow_id = published(alice)
    agent = alice.get("/v1/agents").json()["items"][0]
    body = {"agent_id": agent["agent_id"], "input": {"amount": 12}, "parameters": {}}
    made = executed(alice, workflow_id, body, X_Tenant_ID="alice").json()
    with engine() as world:
        world.drain()
    orchestration = alice.get(f"/v1/orchestrations/{made['run_id']}").json()
    assert (orchestration["id"], orchestration["status"]) == (made["run_id"], "completed")
    assert orchestration["results"]["second"] == {"got": {"amount": 12}}
    execution = alice.get(f"/v1/executions/{made['execution_id']}").json()["data"]["execution"]
    origin = [execution[name] for name in ("sourceSystem", "sourceEntityType", "sourceEntityId")]
    assert origin == ["workflows", "agent", agent["id"]]


def test_the_data_orchestration_page(alice: Caller) -> None:
    template_id, application_id = template(alice, published(alice)), application(alice, amount=12)
    answer = alice.post(EXECUTE, {"template_id": template_id, "application_id": application_id})
    data = answer.json()["data"]
    assert (answer.status_code, answer.json().keys()) == (200, {"data"})
    assert data.keys() == ORCHESTRATED
    made = {"id": data["id"], "status": 1, "created_at": data["created_at"], "master_status": "workflow_queued"}
    assert data == {**dict.fromkeys(ORCHESTRATED), **made}
    assert MOMENT.fullmatch(data["created_at"])
    execution = alice.get(f"/v1/executions/{data['id']}").json()["data"]["execution"]
    origin = [execution[name] for name in ("sourceSystem", "sourceEntityType", "sourceEntityId", "externalRef")]
    assert origin == ["data_orchestration", "application", application_id, "ref-1"]
    assert execution["requestPayload"] == {"amount": 12}


def test_the_data_orchestration_page_s_own_example_names_nothing(alice: Caller) -> None:
    answer = alice.post(EXECUTE, {"template_id": "architecto", "application_id": "architecto"})
    assert answer.status_code == 422
    assert answer.json()["errors"].keys() == {"template_id", "application_id"}


def start(alice: Caller, door: str, workflow_id: str) -> Any:
    if door == "executions":
        return alice.post("/v1/executions", creation(workflow_id, requestPayload={"amount": 12}))
    if door == "workflows":
        return executed(alice, workflow_id, {"input": {"amount": 12}}, X_Tenant_ID="alice")
    body = {"template_id": template(alice, workflow_id), "application_id": application(alice, amount=12)}
    return alice.post(EXECUTE, body)


def execution_id_of(answer: Any) -> str:
    body = answer.json()
    data = body.get("data", body)
    return str(data["execution"]["id"] if "execution" in data else data.get("execution_id") or data["id"])


@pytest.mark.parametrize("door", ["executions", "workflows", "data_orchestration"])
def test_a_priced_version_waits_for_its_payment_at_every_door_and_then_runs(alice: Caller, door: str) -> None:
    answer = start(alice, door, published(alice, price=PRICE, output={"got": "${{ steps.second.output.got }}"}))
    path = f"/v1/executions/{execution_id_of(answer)}"
    execution = alice.get(path).json()["data"]["execution"]
    checkout = f"{settings.PUBLIC_URL}/pay/{execution['orderId']}"
    assert answer.headers["Link"] == f'<{checkout}>; rel="payment"'
    assert (execution["status"], execution["paymentStatus"]) == ("awaiting_payment", "unpaid")
    assert (execution["runId"], execution["startedAt"]) == (None, None)
    with engine() as world:
        assert world.drain() == 0
        order = f"/v1/payments/{execution['orderId']}"
        assert alice.post(f"{order}/confirm", {"reference": "bank-1"}).json()["data"]["status"] == "paid"
        assert alice.get(path).json()["data"]["execution"]["status"] == "workflow_queued"
        world.drain()
    execution = alice.get(path).json()["data"]["execution"]
    assert (execution["status"], execution["paymentStatus"]) == ("workflow_succeeded", "paid")
    assert execution["responsePayload"] == {"got": {"amount": 12}}
    assert RUN.fullmatch(execution["runId"])
    assert [event["eventType"] for event in alice.get(f"{path}/events").json()["data"]] == [
        *("execution.created", "execution.awaiting_payment", "payment.opened", "payment.paid"),
        *("execution.payment_confirmed",),
        *("execution.queued", "execution.started", "step.started", "step.succeeded", "step.started", "step.succeeded"),
        "execution.succeeded",
    ]
    steps = alice.get(f"{path}/steps").json()["data"]["items"]
    assert [(step["name"], step["status"]) for step in steps] == [("first", "succeeded"), ("second", "succeeded")]
    orchestration = alice.get(f"/v1/orchestrations/{execution['id']}").json()
    assert (orchestration["status"], orchestration["output"]) == ("completed", {"got": {"amount": 12}})


def test_what_each_door_says_while_payment_is_awaited(alice: Caller) -> None:
    workflow_id = published(alice, price=PRICE)
    made = start(alice, "executions", workflow_id).json()["data"]
    assert made.keys() == {"clientToken", "execution", "checkoutUrl"}
    assert made["checkoutUrl"] == f"{settings.PUBLIC_URL}/pay/{made['execution']['orderId']}"
    answer = start(alice, "workflows", workflow_id)
    executed_ = answer.json()
    assert executed_.keys() == EXECUTED
    awaited = [executed_[name] for name in ("status", "run_id", "started_at")]
    assert awaited == ["pending", None, None]
    assert answer.headers["Link"] == f'<{executed_["checkout_url"]}>; rel="payment"'
    orchestration = alice.get(f"/v1/orchestrations/{executed_['execution_id']}").json()
    assert orchestration["status"] == "pending"
    assert alice.get(f"/v1/orchestrations/{orchestration['id']}").json() == orchestration
    data = start(alice, "data_orchestration", workflow_id).json()["data"]
    assert (data["status"], data["master_status"], data["outcome"]) == (1, "awaiting_payment", None)


def test_the_log_tells_how_a_data_orchestration_went(alice: Caller) -> None:
    template_id = template(alice, published(alice), outcome="output.second.got.amount > 10 ? 'pass' : 'fail'")
    applications = [application(alice, amount=amount) for amount in (12, 3)]
    made = [
        alice.post(EXECUTE, {"template_id": template_id, "application_id": application_id}).json()["data"]
        for application_id in applications
    ]
    with engine() as world:
        world.drain()
    for application_id, first, outcome in zip(applications, made, ("pass", "fail"), strict=True):
        log = alice.get(f"/api/v2/applications/{application_id}/data_orch").json()
        assert log["meta"] == {"next_cursor": None}
        [data] = log["data"]
        assert data == alice.get(f"/api/v2/applications/{application_id}/data_orch/{first['id']}").json()["data"]
        assert data.keys() == ORCHESTRATED
        said = [data[name] for name in ("id", "outcome", "internal_error", "status", "master_status", "created_at")]
        assert said == [first["id"], outcome, None, 4, "workflow_succeeded", first["created_at"]]
        assert MOMENT.fullmatch(data["started_at"])
        assert MOMENT.fullmatch(data["finished_at"])


def test_the_client_token_is_answered_to_a_repeat_too_and_nowhere_else(alice: Caller) -> None:
    body = creation(published(alice), idempotencyKey="k")
    first, again = alice.post("/v1/executions", body), alice.post("/v1/executions", body)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()
    assert "clientToken" not in alice.get(f"/v1/executions/{execution_id_of(first)}").content.decode()


def test_the_answers_address_comes_from_the_setting_whatever_host_is_asked(alice: Caller) -> None:
    workflow_id = published(alice, price=PRICE)
    answer = alice.post("/v1/executions", creation(workflow_id), Host="localhost:1234")
    assert answer.json()["data"]["checkoutUrl"].startswith(f"{settings.PUBLIC_URL}/pay/")
