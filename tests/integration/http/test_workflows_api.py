"""Definitions over HTTP: drafts, versions, and what is live."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from contract.identifiers import new_id
from contract.problems import Conflict, NotFound
from tests.integration.http_client import Caller, another_key
from workflows import catalog
from workflows.models import Workflow, WorkflowVersion


def definition(**members: Any) -> dict[str, Any]:
    steps = [{"name": "score", "type": "transform", "config": {"output": "${{ input.a }}"}}]
    return {"name": "credit", "steps": steps, **members}


def create(caller: Caller, **members: Any) -> dict[str, Any]:
    answer = caller.post("/v1/workflows", definition(**members))
    assert answer.status_code == 201, answer.content
    made: dict[str, Any] = answer.json()
    return made


def published(caller: Caller, **members: Any) -> dict[str, Any]:
    answer = caller.post(f"/v1/workflows/{create(caller, **members)['id']}/publish")
    assert answer.status_code == 200, answer.content
    made: dict[str, Any] = answer.json()
    return made


def reason(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["details"]["reason"]


def test_a_new_workflow_is_a_draft_of_version_1_0_0(alice: Caller) -> None:
    made = alice.post("/v1/workflows", definition(description="d"))
    workflow = made.json()
    assert made.status_code == 201
    assert made.headers["Location"].endswith(f"/v1/workflows/{workflow['id']}")
    assert workflow["workflow_id"] == workflow["id"]
    assert workflow["steps"] == definition()["steps"]
    assert workflow["visibility"] == "private"
    picked = {name: workflow[name] for name in ("name", "description", "version", "status", "draft_version")}
    assert picked == {
        "name": "credit",
        "description": "d",
        "version": "1.0.0",
        "status": "draft",
        "draft_version": "1.0.0",
    }
    assert workflow["published_at"] is None
    assert len(workflow["digest"]) == 64
    assert alice.get(f"/v1/workflows/{workflow['id']}").json() == workflow


def test_every_problem_of_a_definition_is_told_at_once_and_nothing_is_stored(alice: Caller) -> None:
    steps = [
        {"name": "a", "type": "nonsense", "config": {}},
        {"name": "b", "type": "transform", "config": {"output": 1}, "depends_on": ["nobody"]},
    ]
    answer = alice.post("/v1/workflows", {"steps": steps, "colour": "red"})
    assert answer.status_code == 400
    fields = {error["field"] for error in answer.json()["details"]["errors"]}
    assert {"/name", "/colour", "/steps/0/type", "/steps/1/depends_on/0"} <= fields
    assert not Workflow.objects.exists()


def test_validation_tells_the_same_and_stores_nothing(alice: Caller) -> None:
    assert alice.post("/v1/workflows/validate", definition()).json() == {"valid": True, "errors": []}
    answer = alice.post("/v1/workflows/validate", {"steps": []})
    assert answer.status_code == 200
    assert answer.json()["valid"] is False
    assert "/name" in {error["field"] for error in answer.json()["errors"]}
    assert alice.post("/v1/workflows/validate", []).json()["valid"] is False
    assert not Workflow.objects.exists()


def test_a_definition_may_be_larger_than_other_bodies(alice: Caller) -> None:
    steps = [{"name": "big", "type": "transform", "config": {"output": "x" * 2**21}}]
    assert alice.post("/v1/workflows", definition(steps=steps)).status_code == 201
    assert alice.post("/v1/workflows", b" " * (2**23 + 1)).status_code == 413


def test_publishing_makes_the_draft_live(alice: Caller) -> None:
    workflow = published(alice)
    assert (workflow["status"], workflow["version"], workflow["draft_version"]) == ("published", "1.0.0", None)
    assert workflow["published_at"] is not None
    again = alice.post(f"/v1/workflows/{workflow['id']}/publish")
    assert reason(again) == (409, "no_draft")


def test_a_put_opens_a_draft_of_the_next_patch_beside_the_live_version(alice: Caller) -> None:
    workflow = published(alice)
    path = f"/v1/workflows/{workflow['id']}"
    draft = alice.put(path, definition(description="new"))
    assert draft.status_code == 200
    assert (draft.json()["version"], draft.json()["description"]) == ("1.0.1", "new")
    live = alice.get(path).json()
    assert (live["version"], live["description"], live["draft_version"]) == ("1.0.0", None, "1.0.1")
    replaced = alice.put(path, definition(version="2.0.0"))
    assert replaced.json()["draft_version"] == "2.0.0"
    assert [v["version"] for v in alice.get(f"{path}/versions").json()["items"]] == ["2.0.0", "1.0.0"]
    assert alice.post(f"{path}/publish").json()["version"] == "2.0.0"


@pytest.mark.parametrize("version", ["1.0.0", "0.9.0", "1.0.0-rc.1", "1.0.0+build"])
def test_a_version_that_is_not_above_all_published_is_a_conflict(alice: Caller, version: str) -> None:
    workflow = published(alice)
    answer = alice.put(f"/v1/workflows/{workflow['id']}", definition(version=version))
    assert reason(answer) == (409, "version_not_above")
    assert WorkflowVersion.objects.count() == 1


def test_what_was_got_can_be_put_back(alice: Caller) -> None:
    workflow = published(alice, description="d", timeout_seconds=60)
    path = f"/v1/workflows/{workflow['id']}"
    put = alice.put(path, {**alice.get(path).json(), "version": "1.1.0"})
    assert put.status_code == 200, put.content
    assert put.json()["steps"] == workflow["steps"]
    assert alice.put(path, {**workflow, "version": "1.1.0", "colour": "red"}).status_code == 400


@pytest.mark.parametrize("version", ["1.0.1", "1", "%00", "1.0.0%00", "%F0%9F%98%80"])
def test_what_is_no_version_of_the_workflow_is_not_found(alice: Caller, version: str) -> None:
    workflow = alice.post("/v1/workflows", definition()).json()
    assert alice.get(f"/v1/workflows/{workflow['id']}/versions/{version}").status_code == 404


def test_a_rollback_makes_an_earlier_version_live_at_once(alice: Caller) -> None:
    workflow = published(alice)
    path = f"/v1/workflows/{workflow['id']}"
    alice.put(path, definition(version="1.0.1"))
    alice.post(f"{path}/publish")
    back = alice.post(f"{path}/rollback", {"version": "1.0.0"})
    assert (back.status_code, back.json()["version"]) == (200, "1.0.0")
    assert reason(alice.post(f"{path}/rollback", {"version": "1.0.0"})) == (409, "already_live")
    unknown = alice.post(f"{path}/rollback", {"version": "9.0.0"})
    assert unknown.status_code == 404
    assert unknown.json()["details"]["errors"][0]["field"] == "/version"
    assert alice.put(path, definition()).json()["version"] == "1.0.2"


def test_a_paused_workflow_goes_on_when_it_is_resumed(alice: Caller) -> None:
    workflow = published(alice)
    path = f"/v1/workflows/{workflow['id']}"
    assert reason(alice.post(f"{path}/resume")) == (409, "workflow_not_paused")
    assert alice.post(f"{path}/pause").json()["status"] == "paused"
    assert reason(alice.post(f"{path}/pause")) == (409, "workflow_not_published")
    assert alice.post(f"{path}/resume").json()["status"] == "published"
    draft = create(alice, name="draft")
    assert reason(alice.post(f"/v1/workflows/{draft['id']}/pause")) == (409, "workflow_not_published")


def test_an_archived_workflow_takes_no_change_and_frees_its_name(alice: Caller) -> None:
    workflow = published(alice)
    path = f"/v1/workflows/{workflow['id']}"
    assert reason(alice.post("/v1/workflows", definition())) == (409, "name_taken")
    assert alice.post(f"{path}/archive").json()["status"] == "archived"
    for verb, body in (
        ("publish", None),
        ("pause", None),
        ("resume", None),
        ("archive", None),
        ("rollback", {"version": "1.0.0"}),
    ):
        assert reason(alice.post(f"{path}/{verb}", body)) == (409, "workflow_archived")
    assert reason(alice.put(path, definition(version="2.0.0"))) == (409, "workflow_archived")
    assert create(alice)["id"] != workflow["id"]
    assert alice.get(path).json()["status"] == "archived"


def test_delete_removes_what_was_never_published_and_archives_the_rest(alice: Caller) -> None:
    draft, live = create(alice, name="draft"), published(alice, name="live")
    gone = alice.delete(f"/v1/workflows/{draft['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert alice.get(f"/v1/workflows/{draft['id']}").status_code == 404
    for _ in range(2):
        assert alice.delete(f"/v1/workflows/{live['id']}").status_code == 204
        assert alice.get(f"/v1/workflows/{live['id']}").json()["status"] == "archived"


def test_a_name_is_taken_when_a_draft_that_bears_it_is_put_or_published(alice: Caller) -> None:
    workflow = published(alice)
    path = f"/v1/workflows/{workflow['id']}"
    alice.put(path, definition(name="renamed"))
    assert alice.get(path).json()["name"] == "credit"
    create(alice, name="renamed")
    assert reason(alice.post(f"{path}/publish")) == (409, "name_taken")
    assert reason(alice.put(path, definition(name="renamed"))) == (409, "name_taken")
    assert alice.get(path).json()["name"] == "credit"


def test_another_tenants_workflow_answers_like_one_that_does_not_exist(alice: Caller, bob: Caller) -> None:
    path = f"/v1/workflows/{published(alice)['id']}"
    other = f"/v1/workflows/{new_id()}"
    create(bob, name="credit")
    calls: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("PUT", "", definition()),
        ("DELETE", "", None),
        ("GET", "/versions", None),
        ("GET", "/versions/1.0.0", None),
        ("POST", "/rollback", {"version": "1.0.0"}),
        *[("POST", f"/{verb}", None) for verb in ("publish", "archive", "pause", "resume")],
    ]
    for method, tail, body in calls:
        foreign, unknown = (bob.send(method, at + tail, body, X_Request_ID="r") for at in (path, other))
        assert foreign.status_code == unknown.status_code == 404
        assert foreign.content == unknown.content
    assert bob.get("/v1/workflows/nonsense").status_code == 404
    assert [item["name"] for item in bob.get("/v1/workflows").json()["items"]] == ["credit"]


def test_the_list_leaves_definitions_out(alice: Caller) -> None:
    workflow = published(alice)
    listed = alice.get("/v1/workflows").json()
    assert set(listed) == {"items", "has_more", "limit", "offset", "next_cursor"}
    assert listed["items"] == [{name: workflow[name] for name in listed["items"][0]}]
    assert "steps" not in listed["items"][0]


def test_one_version_is_shown_with_its_definition(alice: Caller) -> None:
    workflow = published(alice)
    version = alice.get(f"/v1/workflows/{workflow['id']}/versions/1.0.0").json()
    assert (version["live"], version["status"], version["steps"]) == (True, "published", workflow["steps"])
    assert alice.get(f"/v1/workflows/{workflow['id']}/versions/2.0.0").status_code == 404


@pytest.mark.parametrize(
    ("method", "tail", "scope"),
    [
        ("GET", "", "workflows:read"),
        ("PUT", "", "workflows:write"),
        ("DELETE", "", "workflows:write"),
        ("POST", "/publish", "workflows:publish"),
        ("POST", "/rollback", "workflows:publish"),
        ("POST", "/archive", "workflows:write"),
    ],
)
def test_each_route_needs_its_scope(alice: Caller, method: str, tail: str, scope: str) -> None:
    assert alice.tenant is not None
    path = f"/v1/workflows/{create(alice)['id']}{tail}"
    others = {"workflows:read", "workflows:write", "workflows:publish", "workflows:execute"} - {scope}
    refused = another_key(alice.tenant, *others).send(method, path)
    assert refused.status_code == 403
    assert scope in refused.json()["message"]
    assert another_key(alice.tenant, scope).send(method, path).status_code != 403


SECRET = "whsec_" + "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"


def with_secret(secret: str, *before: dict[str, Any], **members: Any) -> dict[str, Any]:
    call = {
        "url": "https://example.com/",
        "headers": {"Authorization": f"Bearer {secret}", "Accept": "a"},
        "method": "GET",
    }
    steps = [
        *before,
        {"name": "tell", "type": "webhook", "config": {"url": "https://example.com/", "payload": {}, "secret": secret}},
        {"action": "http", "parameters": call},
    ]
    if secret == "***":
        call["headers"] = {"Authorization": "***", "Accept": "a"}
    return definition(steps=steps, **members)


def test_secrets_are_masked_in_answers_and_sealed_at_rest(alice: Caller) -> None:
    made = alice.post("/v1/workflows", with_secret(SECRET))
    assert made.status_code == 201, made.content
    workflow = made.json()
    path = f"/v1/workflows/{workflow['id']}"
    for answer in (made, alice.get(path), alice.post(f"{path}/publish"), alice.get(f"{path}/versions/1.0.0")):
        assert SECRET not in answer.content.decode()
    assert workflow["steps"][0]["config"]["secret"] == "***"
    assert workflow["steps"][1]["parameters"]["headers"] == {"Authorization": "***", "Accept": "a"}
    row = WorkflowVersion.objects.get()
    assert SECRET not in row.definition + row.sealed
    assert catalog.whole_definition(row) == with_secret(SECRET, version="1.0.0")
    assert catalog.spec_of(row.id).raw == with_secret(SECRET, version="1.0.0")


def test_three_stars_in_a_put_keep_the_stored_secret_though_steps_moved(alice: Caller) -> None:
    workflow = alice.post("/v1/workflows", with_secret(SECRET)).json()
    path = f"/v1/workflows/{workflow['id']}"
    first = {"name": "first", "type": "transform", "config": {"output": 1}}
    for version in ("1.0.1", "1.0.2"):
        put = alice.put(path, with_secret("***", first, version=version))
        assert put.status_code == 200, put.content
        alice.post(f"{path}/publish")
        row = WorkflowVersion.objects.get(version=version)
        assert catalog.whole_definition(row) == with_secret(SECRET, first, version=version)
    changed = alice.put(path, with_secret("other", version="1.0.3"))
    assert changed.status_code == 200
    assert catalog.whole_definition(WorkflowVersion.objects.get(version="1.0.3")) == with_secret(
        "other", version="1.0.3"
    )


def test_three_stars_that_stand_for_nothing_are_refused(alice: Caller) -> None:
    answer = alice.post("/v1/workflows", with_secret("***"))
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["details"]["errors"]] == [
        "/steps/0/config/secret",
        "/steps/1/parameters/headers/Authorization",
    ]
    assert not Workflow.objects.exists()


def test_the_database_refuses_to_change_or_delete_a_published_version(alice: Caller) -> None:
    published(alice)
    for statement in (
        "UPDATE workflows_workflowversion SET definition = '{}'",
        "UPDATE workflows_workflowversion SET published_at = NULL",
        "DELETE FROM workflows_workflowversion",
    ):
        with pytest.raises(IntegrityError, match="immutable"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_the_database_refuses_to_change_a_draft_in_place_and_a_second_draft(alice: Caller) -> None:
    create(alice)
    with pytest.raises(IntegrityError, match="replaced"), transaction.atomic():
        WorkflowVersion.objects.update(definition="{}")
    draft = WorkflowVersion.objects.get()
    draft.id, draft.version = new_id(), "2.0.0"
    with pytest.raises(IntegrityError, match="workflow_has_one_draft"), transaction.atomic():
        draft.save(force_insert=True)


def test_only_a_published_workflow_has_a_version_to_execute(alice: Caller, bob: Caller) -> None:
    assert alice.tenant is not None
    assert bob.tenant is not None
    draft = create(alice)
    with pytest.raises(Conflict) as refused:
        catalog.live_version(alice.tenant, draft["id"])
    assert refused.value.reason == "workflow_not_published"
    alice.post(f"/v1/workflows/{draft['id']}/publish")
    version = catalog.live_version(alice.tenant, draft["id"])
    assert (version.version, version.workflow.name) == ("1.0.0", "credit")
    assert catalog.spec_of(version.id) is catalog.spec_of(version.id)
    with pytest.raises(NotFound):
        catalog.live_version(bob.tenant, draft["id"])
    alice.post(f"/v1/workflows/{draft['id']}/pause")
    with pytest.raises(Conflict) as refused:
        catalog.live_version(alice.tenant, draft["id"])
    assert refused.value.reason == "workflow_paused"
