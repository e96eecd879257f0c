"""The example's credit decision: its lineage is what a reader of the definition would say that it is."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from contract import json_values
from examples.credit.data import Case, cases
from examples.credit.workflow import definition, new_secret, template
from orchestrator.outcomes import Claim, Succeeded
from tests.integration.engine.world import World, ended
from tests.integration.http_client import Caller
from tests.integration.provenance.bound import Bound, assert_agrees, record_of, rows_of
from tests.integration.provenance.test_questions import asked, chain, nodes

TEMPLATES = "/api/v2/data_orchestration/templates"
CASE = cases()[0]


def told(claim: Claim) -> Succeeded:
    """The bureau's report and the receiver's thanks, without a network."""
    body = CASE.report if claim.step.name == "bureau" else {}
    return Succeeded(json_values.stored({"status": 200, "headers": {}, "body": body}))


def decided(alice: Caller, case: Case) -> Any:
    """The id of an execution that decided this application."""
    made = alice.post("/v1/workflows", definition("http://127.0.0.1:9", "http://127.0.0.1:9", new_secret())).json()
    alice.post(f"/v1/workflows/{made['id']}/publish")
    binding = alice.post(TEMPLATES, template(made["id"])).json()["data"]["id"]
    applicant = alice.post("/api/v2/applications", {"external_ref": case.reference, "data": case.application}).json()
    body = {"template_id": binding, "application_id": applicant["data"]["id"]}
    execution = alice.post("/api/v2/data_orchestration/execute", body).json()["data"]["id"]
    with World(carry_out=told) as world:
        world.drain()
    return execution


@pytest.fixture
def execution(alice: Caller, bound: Bound) -> Any:
    return decided(alice, CASE)


def test_the_credit_decision_has_the_lineage_that_its_definition_says(
    alice: Caller, bound: Bound, execution: Any
) -> None:
    record = record_of(UUID(execution))
    assert ended(record.execution)[0] == "workflow_succeeded"
    assert_agrees(bound, record.execution.id)
    scores = {(row["kind"], row["name"], row["pointer"]) for row in rows_of(record.execution.id, "scorecard")}
    assert {name for kind, name, _ in scores if kind == "step"} == {"bureau_points", "affordability", "policy"}
    assert {row["pointer"] for row in rows_of(record.execution.id, "decision")} >= {"/policy", "/points"}
    secret = [row for row in rows_of(record.execution.id, "notify") if row["field"] == "/secret"]
    assert secret == []


def test_why_this_outcome_leads_back_to_the_application_and_to_the_bureaus_report(
    alice: Caller, execution: Any
) -> None:
    found = nodes(chain(alice, execution, "/outcome"))
    assert found["/outcome"] == ["/output/outcome"]
    assert "/steps/bureau/output/body/checking_account" in found
    assert "/application/reference" in found
    assert "/application/age_years" in found
    assert all(found[path] == [] for path in found if path.startswith("/application"))


def test_its_definition_literal_secrets_are_in_no_answer(alice: Caller, execution: Any) -> None:
    for query in ({"path": "/steps/notify/input/secret"}, {"format": "prov-json"}, {}):
        assert b"whsec_" not in asked(alice, execution, **query).content
