"""What stands inside a step (of a map, of a loop, a compensation) is shown, masked and permitted like any other."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.http.arranging import executed, published, reasons
from tests.integration.http_client import Caller

CALL: dict[str, Any] = {
    "type": "http",
    "config": {
        "method": "GET",
        "url": "https://example.com/${{ input.n }}",
        "headers": {"Authorization": "Bearer s3cret"},
    },
}
MAP: dict[str, Any] = {"name": "m", "type": "map", "config": {"over": "input.list", "step": CALL}}
LOOP: dict[str, Any] = {
    "name": "l",
    "type": "loop",
    "config": {"body": [{"name": "b", **CALL}], "until": "index > 1", "max_iterations": 3},
}
PAID: dict[str, Any] = {"name": "p", "type": "tool_call", "config": {"tool": "noop"}, "compensate": CALL}
WAIT: dict[str, Any] = {"name": "w", "type": "wait", "config": {"signal": "paid", "seconds": "${{ input.n }}"}}
CHILD: dict[str, Any] = {
    "name": "c",
    "type": "workflow",
    "config": {"workflow_id": "other", "input": {"n": "${{ input.n }}"}},
}
SECRET = "Bearer s3cret"


def test_a_plan_shows_what_waits_and_repeats_as_it_was_written(alice: Caller) -> None:
    workflow_id = published(alice, [MAP, LOOP, WAIT, CHILD])
    answer = executed(alice, workflow_id, {"dry_run": True, "input": {"n": 5}}, X_Tenant_ID="alice")
    assert answer.status_code == 200, answer.content
    shown = {step["name"]: step for step in answer.json()["steps"]}
    assert list(shown) == ["m", "l", "w", "c"]
    assert {step["effect"] for step in shown.values()} == {"wait"}
    assert shown["m"]["config"]["over"] == "input.list"
    assert shown["m"]["config"]["step"]["config"]["url"] == CALL["config"]["url"]
    assert shown["l"]["config"]["until"] == "index > 1"
    assert shown["w"]["config"] == WAIT["config"]
    assert shown["c"]["config"] == {"workflow_id": "other", "version": None, "input": {"n": 5}}


def test_no_secret_inside_a_step_is_shown(alice: Caller) -> None:
    workflow_id = published(alice, [MAP, LOOP, PAID])
    answers = [
        executed(alice, workflow_id, {"dry_run": True}),
        alice.get(f"/v1/workflows/{workflow_id}"),
        alice.get(f"/v1/workflows/{workflow_id}/versions/1.0.0"),
    ]
    for answer in answers:
        assert answer.status_code == 200, answer.content
        assert SECRET not in answer.content.decode()
    assert answers[1].content.decode().count('"Authorization":"***"') == 3


@pytest.mark.parametrize("step", [MAP, LOOP, PAID], ids=["map", "loop", "compensation"])
@pytest.mark.parametrize("denied", ["http:run", "http"])
def test_an_agent_may_not_do_inside_a_step_what_it_may_not_do(alice: Caller, step: Any, denied: str) -> None:
    workflow_id = published(alice, [step])
    scout = alice.post("/v1/agents", {"name": "scout", "actions": ["*", f"!{denied}"]}).json()["agent_id"]
    for flag in (True, False):
        answer = executed(alice, workflow_id, {"agent_id": scout, "dry_run": flag}, X_Tenant_ID="alice")
        assert reasons(answer)[:2] == (403, "agent_denied")


def test_an_agent_that_is_named_inside_a_step_has_to_be_active(alice: Caller) -> None:
    scout = alice.post("/v1/agents", {"name": "scout"}).json()["agent_id"]
    step = {**CALL, "agent_id": scout}
    workflow_id = published(alice, [{**MAP, "config": {**MAP["config"], "step": step}}])
    assert executed(alice, workflow_id, {"dry_run": True}).status_code == 200
    alice.post(f"/v1/agents/{scout}/suspend")
    assert reasons(executed(alice, workflow_id, {"dry_run": True}))[:2] == (403, "agent_suspended")
