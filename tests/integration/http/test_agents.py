"""Agents: who carries out a workflow."""

from __future__ import annotations

import pytest

from tests.integration.http_client import Caller


def test_every_tenant_has_a_default_agent(alice: Caller) -> None:
    items = alice.get("/v1/agents").json()["items"]
    assert [(agent["name"], agent["status"], agent["actions"]) for agent in items] == [("default", "active", ["*"])]


def test_a_new_agent_is_found_by_either_spelling_of_its_id(alice: Caller) -> None:
    made = alice.post("/v1/agents", {"name": "scout", "actions": ["http:run", "!tool_call:*"]})
    assert made.status_code == 201
    agent = made.json()
    assert made.headers["Location"].endswith(f"/v1/agents/{agent['id']}")
    assert agent["agent_id"].startswith("maip-agent:")
    for spelling in (agent["id"], agent["agent_id"], agent["agent_id"].lower()):
        assert alice.get(f"/v1/agents/{spelling}").json() == agent


def test_an_agent_of_another_tenant_is_not_found(alice: Caller, bob: Caller) -> None:
    agent = alice.post("/v1/agents", {"name": "scout"}).json()
    assert bob.get(f"/v1/agents/{agent['id']}").status_code == 404
    assert bob.post(f"/v1/agents/{agent['id']}/revoke").status_code == 404
    assert alice.get(f"/v1/agents/{agent['id']}").json()["status"] == "active"


def test_a_name_is_taken_once_a_tenant(alice: Caller, bob: Caller) -> None:
    assert alice.post("/v1/agents", {"name": "scout"}).status_code == 201
    assert bob.post("/v1/agents", {"name": "scout"}).status_code == 201
    again = alice.post("/v1/agents", {"name": "scout"})
    assert again.status_code == 409
    assert again.json()["details"]["reason"] == "name_taken"


def test_an_agent_is_suspended_and_activated_again(alice: Caller) -> None:
    agent = alice.post("/v1/agents", {"name": "scout"}).json()
    assert alice.post(f"/v1/agents/{agent['id']}/suspend").json()["status"] == "suspended"
    assert alice.post(f"/v1/agents/{agent['id']}/activate").json()["status"] == "active"


@pytest.mark.parametrize("verb", ["suspend", "activate"])
def test_a_revoked_agent_stays_revoked(alice: Caller, verb: str) -> None:
    agent = alice.post("/v1/agents", {"name": "scout"}).json()
    assert alice.post(f"/v1/agents/{agent['id']}/revoke").json()["status"] == "revoked"
    answer = alice.post(f"/v1/agents/{agent['id']}/{verb}")
    assert answer.status_code == 409
    assert answer.json()["details"]["reason"] == "agent_revoked"
    assert alice.get(f"/v1/agents/{agent['id']}").json()["status"] == "revoked"


@pytest.mark.parametrize(
    "pattern",
    ["", "!", "!!http:run", " http:run", "http:run ", "! http:run", "!http:run\n", "a\tb", "x" * 256, 1, None],
)
def test_what_names_no_actions_is_refused_where_it_stands(alice: Caller, pattern: object) -> None:
    answer = alice.post("/v1/agents", {"name": "scout", "actions": ["*", pattern]})
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["details"]["errors"]] == ["/actions/1"]
    assert len(alice.get("/v1/agents").json()["items"]) == 1


@pytest.mark.parametrize("pattern", ["*", "!*", "a", "tool_call:look up", "fetch_data", "käse:*", "!x" + "y" * 253])
def test_what_names_actions_is_kept_as_it_was_written(alice: Caller, pattern: str) -> None:
    assert alice.post("/v1/agents", {"name": "scout", "actions": [pattern]}).json()["actions"] == [pattern]


def test_an_agent_has_every_action_unless_said_otherwise_and_none_is_possible(alice: Caller) -> None:
    assert alice.post("/v1/agents", {"name": "any"}).json()["actions"] == ["*"]
    assert alice.post("/v1/agents", {"name": "null", "actions": None}).json()["actions"] == ["*"]
    assert alice.post("/v1/agents", {"name": "none", "actions": []}).json()["actions"] == []
    assert alice.post("/v1/agents", {"name": "many", "actions": ["a"] * 100}).status_code == 201
    assert alice.post("/v1/agents", {"name": "more", "actions": ["a"] * 101}).status_code == 400


def test_an_agent_may_be_described(alice: Caller) -> None:
    for given, shown in (("looks about", "looks about"), ("", None), (None, None)):
        body = {"name": f"scout {given}", "description": given}
        assert alice.post("/v1/agents", body).json()["description"] == shown
    assert alice.post("/v1/agents", {"name": "x", "description": "x" * 4097}).status_code == 400


def test_a_state_that_it_has_already_is_no_conflict(alice: Caller) -> None:
    agent = alice.post("/v1/agents", {"name": "scout"}).json()
    for verb, status in (("activate", "active"), ("suspend", "suspended"), ("revoke", "revoked")):
        for _ in range(2):
            answer = alice.post(f"/v1/agents/{agent['agent_id']}/{verb}")
            assert (answer.status_code, answer.json()["status"]) == (200, status)
