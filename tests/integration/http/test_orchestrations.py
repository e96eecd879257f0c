"""GET /v1/orchestrations/{id}: an execution as the workflow dialect sees it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from executions.models import Execution
from tests.integration.engine.world import noop, transform
from tests.integration.http.arranging import created, engine, executed, published
from tests.integration.http_client import Caller

pytestmark = pytest.mark.django_db(transaction=True)

MEMBERS = {
    *("id", "orchestration_id", "workflow_id", "workflow_version", "agent_id", "agents", "parameters", "status"),
    *("steps", "output", "results", "total_cost_cents", "receipt_id", "receipts", "error", "created_at"),
    *("started_at", "completed_at"),
}
STEP_MEMBERS = {
    *("step_id", "step_number", "name", "agent_id", "action", "status", "result", "started_at", "completed_at"),
    "duration_ms",
}


def ended(alice: Caller, steps: Any, **members: Any) -> Any:
    """The orchestration of one run of these steps, drained."""
    run = executed(alice, published(alice, steps, **members)).json()["run_id"]
    with engine() as world:
        world.drain()
    return alice.get(f"/v1/orchestrations/{run}").json()


def test_it_has_the_members_of_both_published_objects(alice: Caller) -> None:
    shown = ended(alice, [noop("b", "a"), transform("a", 1)])
    assert shown.keys() == MEMBERS
    assert {frozenset(step) for step in shown["steps"]} == {frozenset(STEP_MEMBERS)}
    assert shown["id"] == shown["orchestration_id"]
    assert shown["agent_id"].startswith("maip-agent:")
    assert (shown["status"], shown["error"], shown["workflow_version"]) == ("completed", None, "1.0.0")
    assert shown["total_cost_cents"] is None
    assert [receipt["id"] for receipt in shown["receipts"]] == [shown["receipt_id"]]
    assert [(step["step_number"], step["name"], step["status"]) for step in shown["steps"]] == [
        (1, "b", "completed"),
        (2, "a", "completed"),
    ]


def test_it_is_found_by_the_run_in_either_spelling_and_by_the_execution(alice: Caller) -> None:
    made = executed(alice, published(alice)).json()
    run = Execution.objects.get().run_id
    by_run = alice.get(f"/v1/orchestrations/{made['run_id']}").json()
    assert by_run["status"] == "running"
    for spelling in (str(run), str(run).upper(), made["run_id"].lower(), made["execution_id"]):
        assert alice.get(f"/v1/orchestrations/{spelling}").json() == by_run


@pytest.mark.parametrize("value", [1, "text", None, [1], True, 1.5])
def test_what_is_no_object_stands_as_a_value(alice: Caller, value: Any) -> None:
    written = "${{ null }}" if value is None else value
    shown = ended(alice, [transform("only", written)], output="${{ steps.only.output }}")
    expected = None if value is None else {"value": value}
    assert shown["output"] == expected
    assert shown["steps"][0]["result"] == expected
    execution = alice.get(f"/v1/executions/{shown['id']}").json()["data"]["execution"]
    assert execution["responsePayload"] == expected


def test_a_large_result_is_shown_as_its_digest(alice: Caller) -> None:
    fits, large = "x" * (64 * 1024 - 2), "x" * (64 * 1024 - 1)
    shown = ended(alice, [transform("fits", fits), transform("large", large)])
    digest = hashlib.sha256(f'"{large}"'.encode()).hexdigest()
    assert shown["steps"][0]["result"] == {"value": fits}
    assert shown["steps"][1]["result"] == {"digest": digest, "bytes": 64 * 1024 + 1}
    assert shown["results"]["large"] == shown["steps"][1]["result"]


def test_the_first_thousand_steps_are_shown(alice: Caller) -> None:
    run = executed(alice, published(alice, [noop(f"s{n}") for n in range(1001)])).json()
    assert len(run["steps"]) == 1000
    shown = alice.get(f"/v1/orchestrations/{run['run_id']}").json()
    assert [shown["steps"][0]["name"], shown["steps"][-1]["name"]] == ["s0", "s999"]


def test_skipped_steps_have_no_result(alice: Caller) -> None:
    shown = ended(alice, [transform("no", 1, when="false"), transform("yes", 2)])
    skipped = shown["steps"][0]
    assert (skipped["status"], skipped["started_at"], skipped["result"]) == ("skipped", None, None)
    assert shown["results"] == {"yes": {"value": 2}}


def test_a_failure_names_itself_and_the_steps_that_never_began_are_cancelled(alice: Caller) -> None:
    broken = {"name": "try", "type": "tool_call", "config": {"tool": "fail", "arguments": {"message": "broken"}}}
    shown = ended(alice, [broken, noop("after", "try")])
    assert (shown["status"], shown["output"], shown["results"]) == ("failed", None, {})
    assert shown["error"].keys() == {"code", "message"}
    assert "broken" in shown["error"]["message"]
    assert shown["steps"][0]["status"] == "failed"
    assert shown["completed_at"] is not None


def test_a_deadline_that_passed_is_a_timeout_and_a_failure_beside(alice: Caller) -> None:
    steps = [{"name": "doze", "type": "tool_call", "config": {"tool": "sleep", "arguments": {"seconds": 0.2}}}]
    shown = ended(alice, [*steps, noop("after", "doze")], timeout_seconds=0.1)
    assert shown["status"] == "timeout"
    execution = alice.get(f"/v1/executions/{shown['id']}").json()["data"]["execution"]
    assert (execution["status"], execution["statusReason"]) == ("workflow_failed", "deadline_exceeded")


def test_a_cancelled_execution_is_a_cancelled_orchestration(alice: Caller) -> None:
    execution = created(alice, published(alice))["execution"]
    alice.post(f"/v1/executions/{execution['id']}/cancel")
    with engine() as world:
        world.drain()
    shown = alice.get(f"/v1/orchestrations/{execution['runId']}").json()
    assert (shown["status"], shown["error"]["code"]) == ("cancelled", "workflow_cancelled")
    assert {step["status"] for step in shown["steps"]} == {"cancelled"}
