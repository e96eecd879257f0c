"""Templates of data orchestration: what binds a workflow to applications."""

from __future__ import annotations

from typing import Any

import pytest

from contract.problems import UnknownReference
from tests.integration.http_client import Caller
from workflows import bindings, catalog
from workflows.models import Template

PATH = "/api/v2/data_orchestration/templates"


@pytest.fixture
def workflow_id(alice: Caller) -> str:
    steps = [{"name": "score", "type": "transform", "config": {"output": "${{ input.a }}"}}]
    workflow: str = alice.post("/v1/workflows", {"name": "credit", "steps": steps}).json()["id"]
    alice.post(f"/v1/workflows/{workflow}/publish")
    return workflow


def template(workflow_id: str, **members: Any) -> dict[str, Any]:
    body = {"name": "t", "workflow_id": workflow_id, "input": {"a": "${{ application.a }}"}, "outcome": "output.score"}
    return {**body, **members}


def test_a_template_is_made_and_found(alice: Caller, workflow_id: str) -> None:
    made = alice.post(PATH, template(workflow_id))
    data = made.json()["data"]
    assert made.status_code == 201
    assert made.headers["Location"].endswith(f"{PATH}/{data['id']}")
    assert (data["status"], data["workflow"], data["deleted_at"]) == (2, ["credit"], None)
    assert {name: data[name] for name in template(workflow_id)} == template(workflow_id)
    assert alice.get(f"{PATH}/{data['id']}").json()["data"] == data
    assert alice.get(PATH).json() == {"data": [data], "meta": {"next_cursor": None}}


def test_a_draft_is_not_listed_and_not_executable(alice: Caller, workflow_id: str) -> None:
    assert alice.tenant is not None
    data = alice.post(PATH, template(workflow_id, status=1)).json()["data"]
    assert alice.get(PATH).json()["data"] == []
    assert alice.get(f"{PATH}/{data['id']}").status_code == 200
    with pytest.raises(UnknownReference):
        catalog.executable_template(alice.tenant, data["id"])
    put = alice.put(f"{PATH}/{data['id']}", {**data, "name": "renamed", "status": 2})
    assert (put.status_code, put.json()["data"]["name"]) == (200, "renamed")
    assert put.json()["data"]["short_id"] == data["short_id"]
    found, version = catalog.executable_template(alice.tenant, data["id"])
    assert (found.name, version.version) == ("renamed", "1.0.0")


def test_a_deleted_template_is_gone_from_the_api_and_kept_in_the_database(alice: Caller, workflow_id: str) -> None:
    data = alice.post(PATH, template(workflow_id)).json()["data"]
    path = f"{PATH}/{data['id']}"
    assert alice.delete(path).status_code == 204
    for answer in (alice.get(path), alice.put(path, template(workflow_id)), alice.delete(path)):
        assert answer.status_code == 404
    assert Template.objects.get().deleted_at is not None


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": "n" * 256}, "name"),
        ({"status": 3}, "status"),
        ({"status": "2"}, "status"),
        ({"status": True}, "status"),
        ({"colour": "red"}, "colour"),
        ({"id": "x"}, "id"),
        ({"workflow_id": "nonsense"}, "workflow_id"),
        ({"input": {"a": ["${{ steps.a.output }}"]}}, "input.a.0"),
        ({"outcome": "application.a"}, "outcome"),
        ({"outcome": "1 +"}, "outcome"),
    ],
)
def test_a_wrong_member_is_a_422_that_names_it(
    alice: Caller, workflow_id: str, members: dict[str, Any], field: str
) -> None:
    answer = alice.post(PATH, {**template(workflow_id), **members})
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [field]
    assert not Template.objects.exists()


def test_a_workflow_of_another_tenant_or_a_draft_is_refused(alice: Caller, bob: Caller, workflow_id: str) -> None:
    foreign = bob.post(PATH, template(workflow_id))
    unknown = bob.post(PATH, template("nonsense"))
    assert (foreign.status_code, foreign.content) == (422, unknown.content)
    steps = [{"name": "score", "type": "transform", "config": {"output": 1}}]
    draft = bob.post("/v1/workflows", {"name": "draft", "steps": steps}).json()["id"]
    assert list(bob.post(PATH, template(draft)).json()["errors"]) == ["workflow_id"]


def test_a_template_of_another_tenant_is_not_found(alice: Caller, bob: Caller, workflow_id: str) -> None:
    data = alice.post(PATH, template(workflow_id)).json()["data"]
    path = f"{PATH}/{data['id']}"
    for answer in (bob.get(path), bob.delete(path), bob.put(path, template(workflow_id))):
        assert answer.status_code == 404
    assert bob.get(PATH).json()["data"] == []


@pytest.mark.parametrize(
    "outcome", ["output.score", "${{ output.score }}", " ${{ output.score > 3 ? 'pass' : 'fail' }} "]
)
def test_an_outcome_is_an_expression_with_or_without_its_braces(alice: Caller, workflow_id: str, outcome: str) -> None:
    assert alice.post(PATH, template(workflow_id, outcome=outcome)).json()["data"]["outcome"] == outcome
    assert bindings.compile_outcome(outcome).evaluate({"output": {"score": 1}}) in {1, "fail"}
