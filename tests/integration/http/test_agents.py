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
