"""What operators may tell an execution and its steps in the admin: with a reason, and after a look at what follows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from executions.models import Arrival, EarlierRun, Execution, Step
from tenants.models import Tenant
from tests.integration.engine.world import World, noop, published, submitted
from tests.integration.operators.rows import queued
from tests.integration.operators.test_actions import EXECUTIONS, act

pytestmark = pytest.mark.django_db(transaction=True)

FAILS = {
    "name": "fails",
    "type": "tool_call",
    "config": {"tool": "fail", "arguments": {"times": 1}},
    "depends_on": ["first"],
}
ASK = {"name": "ask", "type": "wait", "config": {"approval": {"approvers": ["somebody else"]}}}


def run(tenant: Tenant, *steps: dict[str, Any]) -> Execution:
    """An execution of these steps that was carried out as far as it goes."""
    execution = submitted(tenant, published(tenant, list(steps)))
    drained()
    execution.refresh_from_db()
    return execution


def drained() -> None:
    world = World()
    world.drain()
    world.close()


def this(model: str, row: Any, name: str) -> str:
    return reverse(f"admin:executions_{model}_{name}_this", args=[row.pk])


def step_of(execution: Execution, name: str) -> Step:
    return Step.objects.get(execution=execution, name=name)


def answer(client: Client, address: str, **answers: str) -> list[str]:
    """Answer an action's question; what the operator is told."""
    page = client.post(address, {"_asked": "1", "word": "because", **answers}, follow=True)
    assert page.status_code == 200
    return [str(message) for message in page.context["messages"]]


def buttons(client: Client, row: Any) -> set[str]:
    """The names of the actions that a row's page offers."""
    model = row._meta.model_name
    names = ("confirm", "cancel", "pause", "resume", "redrive", "approve", "reject", "skip", "complete", "resolve")
    page = client.get(reverse(f"admin:executions_{model}_change", args=[row.pk])).content.decode()
    return {name for name in names if f"/{row.pk}/{name}" in page}


def test_executions_are_paused_and_resumed_with_a_reason_on_record(operator: Client, alice: Tenant) -> None:
    execution = queued(alice)
    assert buttons(operator, execution) == {"cancel", "pause"}
    assert act(operator, EXECUTIONS, "pause", [execution.id], "month's end") == ["Pause the execution: 1 done."]
    assert Execution.objects.get(id=execution.id).intent == "pause"
    assert LogEntry.objects.get().change_message == "Pause the execution, reason: month's end"
    assert buttons(operator, execution) == {"cancel", "resume"}
    told = act(operator, EXECUTIONS, "pause", [execution.id], "again")
    assert told == [f"Pause the execution: refused for {execution.id}: the execution is paused already."]
    assert answer(operator, this("execution", execution, "resume")) == ["Resume the execution: 1 done."]
    assert Execution.objects.get(id=execution.id).intent == "run"


def test_what_is_quarantined_can_be_released(operator: Client, alice: Tenant) -> None:
    execution = queued(alice)
    Execution.objects.filter(id=execution.id).update(quarantined_at="2026-11-22T10:00:00Z", due_at=None)
    assert "resume" in buttons(operator, execution)
    act(operator, EXECUTIONS, "resume", [execution.id], "mended")
    assert Execution.objects.get(id=execution.id).quarantined_at is None


def test_a_redrive_is_looked_at_before_it_is_done(operator: Client, alice: Tenant) -> None:
    execution = run(alice, noop("first"), FAILS)
    assert buttons(operator, execution) == {"redrive"}
    step = step_of(execution, "first")
    assert buttons(operator, step) == {"redrive"}
    leads = operator.get(reverse("admin:executions_step_redrive_from_this", args=[step.pk]))
    asked = operator.get(leads.headers["Location"])
    tables = {title: [row[0] for row in table["rows"]] for title, table in asked.context["tables"].items()}
    assert tables == {
        "Effects that may be repeated: 1": ["first"],
        "Steps that begin anew: 2": ["first", "fails"],
        "Steps that are kept: 0": [],
    }
    assert EarlierRun.objects.count() == 0
    assert answer(operator, leads.headers["Location"]) == ["Redrive the execution: 1 done."]
    assert EarlierRun.objects.get().execution_id == execution.id
    drained()
    assert Execution.objects.get(id=execution.id).status == "workflow_succeeded"
    assert step_of(execution, "first").attempts == 2


def test_many_are_redriven_from_where_they_failed(operator: Client, alice: Tenant) -> None:
    failed, fine = run(alice, noop("first"), FAILS), queued(alice)
    told = act(operator, EXECUTIONS, "redrive", [failed.id, fine.id], "the other side is up again")
    assert told[0] == "Redrive the execution: 1 done."
    assert f"refused for {fine.id}: the execution is workflow_queued" in told[1]
    assert Execution.objects.get(id=failed.id).status == "workflow_queued"


def test_a_redrive_that_is_not_possible_says_so(operator: Client, alice: Tenant) -> None:
    page = operator.get(this("execution", queued(alice), "redrive"), follow=True)
    [told] = [str(message) for message in page.context["messages"]]
    assert told.startswith("Redrive the execution: the execution is workflow_queued")


@pytest.mark.parametrize(("verb", "status"), [("approve", "succeeded"), ("reject", "failed")])
def test_operators_may_always_decide(operator: Client, alice: Tenant, verb: str, status: str) -> None:
    execution = run(alice, ASK)
    step = step_of(execution, "ask")
    assert buttons(operator, step) == {"approve", "reject", "skip", "complete"}
    answer(operator, this("step", step, verb), word="")
    again = answer(operator, this("step", step, verb))
    assert "it has been approved or rejected already" in again[0]
    drained()
    assert step_of(execution, "ask").status == status


def arrived() -> list[tuple[str, Any]]:
    """What came into the inbox, but for the request that each came with."""
    rows = [(row.kind, json.loads(row.payload)) for row in Arrival.objects.order_by("id")]
    assert all(payload.pop("request_id") for _, payload in rows)
    return rows


def test_a_step_is_completed_with_an_output_or_skipped(operator: Client, alice: Tenant) -> None:
    execution = run(alice, ASK, noop("after", "ask"))
    step = step_of(execution, "ask")
    wrong = operator.post(this("step", step, "complete"), {"_asked": "1", "word": "r", "output": "{"})
    assert "not JSON" in wrong.content.decode()
    assert not Arrival.objects.exists()
    assert answer(operator, this("step", step, "complete"), output='{"n": 5}') == ["Complete the step: 1 done."]
    answer(operator, this("step", step_of(execution, "after"), "skip"))
    assert arrived() == [
        ("complete", {"index": 0, "reason": "because", "output": {"n": 5}}),
        ("skip", {"index": 1, "reason": "because"}),
    ]
    drained()
    assert Execution.objects.get(id=execution.id).status == "workflow_succeeded"


def test_an_unknown_outcome_is_resolved(operator: Client, alice: Tenant) -> None:
    execution = run(alice, ASK)
    Step.objects.filter(execution=execution).update(status="outcome_unknown")
    step = step_of(execution, "ask")
    assert buttons(operator, step) == {"skip", "complete", "resolve"}
    assert answer(operator, this("step", step, "resolve"), outcome="perhaps") == []
    assert not Arrival.objects.exists()
    answer(operator, this("step", step, "resolve"), outcome="failed")
    resolved = {"index": 0, "number": 1, "outcome": "failed", "output": None, "reason": "because"}
    assert arrived() == [("resolve", resolved)]


def test_who_may_only_look_may_tell_a_step_nothing(onlooker: Client, alice: Tenant) -> None:
    execution = run(alice, ASK)
    step = step_of(execution, "ask")
    assert buttons(onlooker, step) == buttons(onlooker, execution) == set()
    for name in ("approve", "reject", "skip", "complete", "resolve"):
        assert onlooker.post(this("step", step, name), {"_asked": "1", "word": "w"}).status_code == 403
    for name in ("pause", "resume", "redrive"):
        assert onlooker.post(this("execution", execution, name), {"_asked": "1", "word": "w"}).status_code == 403
    assert not Arrival.objects.exists()


def test_a_button_for_no_step_leads_nowhere(operator: Client, alice: Tenant) -> None:
    for nothing in ("nothing", "99999999", "9" * 30):
        assert operator.get(reverse("admin:executions_step_skip_this", args=[nothing])).status_code == 404
