"""Payloads over HTTP: large ones read as if they were small, and dropped ones as what is left of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.engine.world import noop, transform
from tests.integration.http.arranging import created, engine, published
from tests.integration.http_client import Caller

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "x" * 300 * 1024
STEPS = [transform("same", {"text": "${{ input.text }}"}), noop("last", "same")]


def drained() -> None:
    with engine() as world:
        world.drain()


def ran(alice: Caller, **members: Any) -> str:
    workflow = published(alice, STEPS, output={"text": "${{ steps.same.output.text }}"})
    execution: str = created(alice, workflow, requestPayload={"text": TEXT}, **members)["execution"]["id"]
    drained()
    return execution


def test_a_large_input_and_output_read_as_they_are(alice: Caller) -> None:
    execution = ran(alice)

    shown = alice.get(f"/v1/executions/{execution}").json()["data"]["execution"]
    assert shown["requestPayload"] == shown["responsePayload"] == {"text": TEXT}
    [same, _] = alice.get(f"/v1/executions/{execution}/steps").json()["data"]["items"]
    assert same["output"] == same["attempts"][0]["output"] == {"text": TEXT}
    orchestration = alice.get(f"/v1/orchestrations/{execution}").json()
    assert orchestration["output"] == {"text": TEXT}
    assert orchestration["results"]["same"]["bytes"] > len(TEXT)


def test_a_large_creation_happens_once_under_its_key(alice: Caller) -> None:
    workflow = published(alice, STEPS)
    made = [
        created(alice, workflow, requestPayload={"text": TEXT}, idempotencyKey="k")["execution"]["id"] for _ in range(2)
    ]
    assert made[0] == made[1]


def test_what_was_dropped_reads_as_its_digest(alice: Caller) -> None:
    execution = ran(alice, clientSafeMetadata={"colour": "vermilion"}, idempotencyKey="k")
    before = alice.get(f"/v1/executions/{execution}").json()["data"]["execution"]

    assert alice.delete(f"/v1/executions/{execution}/payloads").status_code == 204
    assert alice.delete(f"/v1/executions/{execution}/payloads").status_code == 204

    answer = alice.get(f"/v1/executions/{execution}")
    shown = answer.json()["data"]["execution"]
    assert "vermilion" not in answer.content.decode()
    assert shown["requestPayload"]["dropped"]["bytes"] == len(json.dumps({"text": TEXT}, separators=(",", ":")))
    assert {name: shown[name] for name in ("status", "runId")} == {name: before[name] for name in ("status", "runId")}
    items = alice.get(f"/v1/executions/{execution}/steps").json()["data"]["items"]
    assert all(set(item["output"]) == {"dropped"} for item in items)
    assert alice.get(f"/v1/orchestrations/{execution}").status_code == 200
    assert alice.get(f"/v1/executions/{execution}/steps/same/why-waiting").status_code == 200
    newest = alice.get(f"/v1/executions/{execution}").json()["data"]["events"][-1]
    assert newest["eventType"] == "execution.payloads_dropped"


def test_an_execution_that_has_not_ended_keeps_its_payloads(alice: Caller) -> None:
    execution = created(alice, published(alice, STEPS), requestPayload={"text": TEXT})["execution"]["id"]
    answer = alice.delete(f"/v1/executions/{execution}/payloads")
    assert answer.status_code == 409
    assert answer.json()["details"][0]["code"] == "not_ended"


def test_retention_is_said_by_tenant_and_by_workflow(alice: Caller, bob: Caller) -> None:
    workflow = published(alice, STEPS)
    at = f"/v1/workflows/{workflow}/retention"
    assert alice.get("/v1/retention").json()["data"] == {"payloadDays": None}

    assert alice.put("/v1/retention", {"payloadDays": 30}).json()["data"] == {"payloadDays": 30}
    assert alice.get(at).json() == {"payload_days": 30, "inherited": True}
    assert alice.put(at, {"payload_days": None}).json() == {"payload_days": None, "inherited": False}
    assert alice.delete(at).status_code == 204
    assert alice.get(at).json() == {"payload_days": 30, "inherited": True}
    assert bob.get("/v1/retention").json()["data"] == {"payloadDays": None}


@pytest.mark.parametrize("days", [-1, 36_501, 1.5, "1", True])
def test_days_that_are_none_are_refused(alice: Caller, days: Any) -> None:
    assert alice.put("/v1/retention", {"payloadDays": days}).status_code == 400
