"""Who carries an execution out: unknown, inactive and denied agents start nothing, at any door."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.integration.engine.world import noop
from tests.integration.http.arranging import (
    application,
    creation,
    executed,
    published,
    reasons,
    rows_of_every_table,
    template,
)
from tests.integration.http_client import Caller


def test_an_unknown_agent_is_named(alice: Caller, bob: Caller) -> None:
    workflow_id = published(alice)
    foreign = bob.get("/v1/agents").json()["items"][0]
    before = rows_of_every_table()
    for agent_id in (foreign["id"], foreign["agent_id"], str(uuid4()), "scout"):
        answer = executed(alice, workflow_id, {"agent_id": agent_id}, X_Tenant_ID="alice")
        assert reasons(answer) == (404, "not_found", {"/agent_id"})
    assert rows_of_every_table() == before


@pytest.mark.parametrize(("verb", "reason"), [("suspend", "agent_suspended"), ("revoke", "agent_revoked")])
def test_an_agent_that_is_not_active_starts_nothing(alice: Caller, verb: str, reason: str) -> None:
    workflow_id = published(alice)
    scout = alice.post("/v1/agents", {"name": "scout"}).json()["agent_id"]
    alice.post(f"/v1/agents/{scout}/{verb}")
    before = rows_of_every_table()
    for flag in (True, False):
        answer = executed(alice, workflow_id, {"agent_id": scout, "dry_run": flag}, X_Tenant_ID="alice")
        assert reasons(answer)[:2] == (403, reason)
        assert answer.json()["code"] == "FORBIDDEN"
    assert rows_of_every_table() == before


def test_a_suspended_default_agent_closes_every_door(alice: Caller) -> None:
    workflow_id = published(alice)
    body = {"template_id": template(alice, workflow_id), "application_id": application(alice)}
    default = alice.get("/v1/agents").json()["items"][0]["id"]
    alice.post(f"/v1/agents/{default}/suspend")
    before = rows_of_every_table()
    answers = [
        alice.post("/v1/executions", creation(workflow_id)),
        executed(alice, workflow_id),
        alice.post("/api/v2/data_orchestration/execute", body),
    ]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert rows_of_every_table() == before


SPELLINGS = [
    {"name": "a", "type": "tool_call", "config": {"tool": "noop", "arguments": {}}},
    {"name": "a", "action": "noop"},
    {"name": "a", "action": "tool_call", "parameters": {"tool": "noop", "arguments": {}}},
]


@pytest.mark.parametrize("step", SPELLINGS, ids=["type", "action", "action tool_call"])
@pytest.mark.parametrize("denied", ["tool_call:noop", "tool_call:*", "tool_call:run", "*"])
def test_a_denied_action_is_denied_however_it_is_spelled(alice: Caller, step: Any, denied: str) -> None:
    workflow_id = published(alice, [step])
    scout = alice.post("/v1/agents", {"name": "scout", "actions": ["*", f"!{denied}"]}).json()["agent_id"]
    answer = executed(alice, workflow_id, {"agent_id": scout}, X_Tenant_ID="alice")
    assert reasons(answer)[:2] == (403, "agent_denied")
    assert "'a'" in answer.json()["message"]


@pytest.mark.parametrize("spelling", ["id", "agent_id"])
def test_a_step_s_own_agent_carries_it_out_and_is_checked(alice: Caller, spelling: str) -> None:
    scout = alice.post("/v1/agents", {"name": "scout", "actions": ["tool_call:noop"]}).json()
    workflow_id = published(alice, [noop("a"), noop("b", agent_id=scout[spelling])])
    default = alice.get("/v1/agents").json()["items"][-1]
    made = executed(alice, workflow_id).json()
    assert [step["agent_id"] for step in made["steps"]] == [default["id"], scout["id"]]
    shown = alice.get(f"/v1/orchestrations/{made['run_id']}").json()
    assert shown["agents"] == sorted([default["id"], scout["id"]])
    assert [step["agent_id"] for step in shown["steps"]] == [default["id"], scout["id"]]
    alice.post(f"/v1/agents/{scout['id']}/suspend")
    assert reasons(executed(alice, workflow_id))[:2] == (403, "agent_suspended")


@pytest.mark.parametrize("agent_id", ["0197e1a4-0000-7000-8000-000000000000", "nobody"])
def test_a_step_s_agent_that_does_not_exist_may_do_nothing(alice: Caller, agent_id: str) -> None:
    answer = executed(alice, published(alice, [noop("a", agent_id=agent_id)]))
    assert reasons(answer)[:2] == (403, "agent_denied")
