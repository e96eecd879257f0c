"""Why a step waits, over HTTP, as an engine left it; and the list of steps with its parts and compensations."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from executions.models import Execution
from tests.integration.engine.world import noop, transform
from tests.integration.http.arranging import created, engine, published
from tests.integration.http.test_overruling import failing, unknown
from tests.integration.http.test_redriving import drained, fails
from tests.integration.http.test_signals_and_approvals import started, step_shown, wait
from tests.integration.http_client import Caller

pytestmark = pytest.mark.django_db(transaction=True)

ITEM = {"type": "wait", "config": {"signal": "go"}}
EACH = {"name": "each", "type": "map", "config": {"over": [1, 2, 3], "step": ITEM, "max_parallel": 2}}


def why(alice: Caller, execution: str, step: str) -> Any:
    answer = alice.get(f"/v1/executions/{execution}/steps/{step}/why-waiting")
    assert answer.status_code == 200, answer.content
    return answer.json()["data"]


def only(alice: Caller, execution: str, step: str) -> Any:
    [reason] = why(alice, execution, step)["waitingFor"]
    return reason


def test_a_step_is_named_by_its_name_or_its_id(alice: Caller) -> None:
    execution = started(alice, noop("first"), noop("second", "first"))
    told = why(alice, execution, "second")
    assert told == {
        "stepId": step_shown(alice, execution, "second")["id"],
        "name": "second",
        "status": "pending",
        "message": "It begins after first.",
        "waitingFor": [{"kind": "parents", "message": "It begins after first.", "steps": ["first"], "count": 1}],
    }
    assert why(alice, execution, told["stepId"]) == told
    assert only(alice, execution, "first")["kind"] == "worker"
    drained()
    assert why(alice, execution, "second")["message"] == "The execution has ended."
    for nobody in ("third", "01a2022d-9dbb-7513-ad1b-93c2e182697b", "first[0]", "compensate[first]"):
        assert alice.get(f"/v1/executions/{execution}/steps/{nobody}/why-waiting").status_code == 404


def test_what_an_engine_has_wait_says_what_for(alice: Caller) -> None:
    approval = {"approvers": ["ann"], "message": "Is it all right?"}
    child = published(alice, [wait("inside", signal="go")])
    steps = [
        wait("timer", seconds=3600),
        wait("signal", signal="paid", timeout_seconds=3600),
        wait("approval", approval=approval),
        {"name": "child", "type": "workflow", "config": {"workflow_id": child}},
        failing("retry"),
        EACH,
        noop("after", "timer", "signal"),
        noop("any", "timer", "signal", join="any"),
    ]
    execution = started(alice, *steps)
    drained()
    kinds = {step["name"]: only(alice, execution, step["name"]) for step in steps}
    assert {name: reason["kind"] for name, reason in kinds.items()} == {
        "timer": "timer",
        "signal": "signal",
        "approval": "approval",
        "child": "child",
        "retry": "retry",
        "each": "parts",
        "after": "parents",
        "any": "parents",
    }
    assert (kinds["signal"]["name"], kinds["approval"]["approvers"]) == ("paid", ["ann"])
    assert kinds["signal"]["until"] > kinds["timer"]["until"][:10]
    assert (kinds["each"]["left"], kinds["each"]["total"]) == (3, 3)
    assert kinds["any"]["needs"] == 1
    assert kinds["child"]["executionId"] == step_shown(alice, execution, "child")["childExecutionId"]
    assert Execution.objects.filter(id=kinds["child"]["executionId"], submission__parent=UUID(execution)).exists()
    assert only(alice, execution, "each[0]")["kind"] == "signal"
    assert why(alice, execution, step_shown(alice, execution, "each[1]")["id"])["name"] == "each[1]"
    for nobody in ("each[00]", "each[3]", "each[99999999]", "each[0].x", "each[-1]", "each[]", "compensate[each]"):
        assert alice.get(f"/v1/executions/{execution}/steps/{nobody}/why-waiting").status_code == 404
    assert only(alice, execution, "each[2]") == {
        "kind": "parts",
        "message": "It begins once other parts of each have ended.",
        "steps": ["each"],
    }


def test_what_keeps_the_whole_execution_is_told_of_its_steps(alice: Caller) -> None:
    unpaid = created(alice, published(alice, [noop("only")], price={"amount": 1, "currency": "EUR"}))["execution"]
    assert only(alice, unpaid["id"], "only")["orderId"] == unpaid["orderId"]
    paused = started(alice, noop("only"))
    alice.post(f"/v1/executions/{paused}/pause")
    drained()
    assert only(alice, paused, "only")["kind"] == "paused"
    Execution.objects.filter(id=paused).update(
        quarantined_at="2026-11-22T10:00:00Z", status_reason="quarantined: a riddle", intent="run", due_at=None
    )
    assert only(alice, paused, "only")["reason"] == "quarantined: a riddle"


def test_an_execution_that_waits_for_its_turn_says_so(alice: Caller) -> None:
    workflow = published(alice, [wait("held", signal="go")], concurrency={"key": "'one'", "limit": 1})
    first, second = (created(alice, workflow)["execution"]["id"] for _ in range(2))
    drained()
    assert only(alice, first, "held")["kind"] == "signal"
    reason = only(alice, second, "held")
    assert (reason["kind"], reason["limit"]) == ("concurrency", 1)


def test_an_unknown_outcome_says_that_an_operator_is_wanted(alice: Caller) -> None:
    execution = unknown(alice)
    assert only(alice, execution, "send") == {
        "kind": "operator",
        "message": "Nobody knows whether its effect came about; an operator has to resolve it.",
        "attempt": 1,
    }


def test_parts_and_compensations_follow_the_definitions_steps_page_by_page(alice: Caller) -> None:
    item = {"type": "transform", "config": {"output": "${{ item }}"}}
    undo = {"compensate": {"type": "tool_call", "config": {"tool": "noop", "arguments": {}}}}
    steps = [
        {"name": "each", "type": "map", "config": {"over": [1, 2, 3], "step": item}},
        {"name": "none", "type": "map", "config": {"over": [], "step": item}},
        {"name": "more", "type": "map", "config": {"over": [4, 5], "step": item}},
        noop("booked", "each", "none", "more", **undo),
        fails("fails", "booked", times=9),
    ]
    execution = started(alice, *steps)
    drained()
    path = f"/v1/executions/{execution}/steps"
    whole = alice.get(f"{path}?limit=100").json()["data"]
    names = [item["name"] for item in whole["items"]]
    assert names == [
        *("each", "none", "more", "booked", "fails"),
        *("each[0]", "each[1]", "each[2]", "more[0]", "more[1]", "compensate[booked]"),
    ]
    assert whole["nextCursor"] is None
    assert [item["parent"] for item in whole["items"]] == [None] * 5 + ["each"] * 3 + ["more"] * 2 + [None]
    assert [item["parts"] for item in whole["items"][:4]] == [
        {"total": 3, "ended": 3, "failed": 0},
        {"total": 0, "ended": 0, "failed": 0},
        {"total": 2, "ended": 2, "failed": 0},
        None,
    ]
    for limit in (1, 2, 3, 4, 5, 6, 10, 11):
        assert paged(alice, path, limit) == whole["items"]


def paged(alice: Caller, path: str, limit: int) -> list[Any]:
    items: list[Any] = []
    page = alice.get(f"{path}?limit={limit}").json()["data"]
    while True:
        assert 0 < len(page["items"]) <= limit
        items += page["items"]
        if page["nextCursor"] is None:
            return items
        page = alice.get(f"{path}?limit={limit}&cursor={page['nextCursor']}").json()["data"]


def test_a_page_of_parts_costs_the_same_wherever_it_begins(alice: Caller, django_assert_num_queries: Any) -> None:
    item = {"type": "transform", "config": {"output": "${{ item }}"}}
    execution = started(alice, {"name": "each", "type": "map", "config": {"over": list(range(300)), "step": item}})
    with engine() as world:
        world.drain()
    cursor = None
    for _ in range(3):
        path = f"/v1/executions/{execution}/steps?limit=100" + (f"&cursor={cursor}" if cursor else "")
        with django_assert_num_queries(6 if cursor is None else 5):
            cursor = alice.get(path).json()["data"]["nextCursor"]


def test_the_workflow_dialect_lists_the_definitions_steps_only(alice: Caller) -> None:
    execution = started(alice, transform("first", 1), EACH)
    drained()
    steps = alice.get(f"/v1/orchestrations/{execution}").json()["steps"]
    assert [step["name"] for step in steps] == ["first", "each"]
    assert step_shown(alice, execution, "each[0]")["status"] == "waiting"
