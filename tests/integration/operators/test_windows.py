"""The admin's windows on executions: everything is seen, nothing is changed, and no page grows with its table."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contract.identifiers import new_id, run_name
from executions.models import Attempt, EarlierRun, Event, Execution, Step
from executions.states import TONES, AttemptStatus, PaymentStatus, Status, StepStatus, TaskStatus
from tenants.models import Tenant
from tests.integration.operators.rows import WHEN, attempt, event, one_of_each, queued, unpaid, with_steps
from workflows.spec import COMPENSATIONS, PARTS

MODELS = [model for model in admin.site._registry if model._meta.app_label == "executions"]


def changelist(model: Any) -> str:
    return reverse(f"admin:executions_{model._meta.model_name}_changelist")


def page(row: Any) -> str:
    return reverse(f"admin:executions_{row._meta.model_name}_change", args=[row.pk])


def queries(client: Client, address: str) -> list[str]:
    """The statements that one page costs."""
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return [query["sql"] for query in captured.captured_queries]


def test_every_model_has_a_window() -> None:
    names = {model.__name__ for model in MODELS}
    assert names == {
        "Execution", "Submission", "Step", "Attempt", "DueStep", "Event", "Arrival", "Worker", "Application", "Payment",
        "EarlierRun", "Task", "WebhookEndpoint", "WebhookDelivery", "WebhookAttempt", "LogCursor",
        "Charge", "LedgerEntry", "PaymentAccount", "PaymentEvent", "Refund", "Receipt", "SealingRefusal", "SigningKey",
        "Retention", "ImportedBundle",
    }  # fmt: skip


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_row_is_shown_and_none_can_be_added_changed_or_deleted(
    operator: Client, alice: Tenant, model: Any
) -> None:
    one_of_each(alice)
    row = model.objects.first()
    before = model.objects.values().get(pk=row.pk)
    assert operator.get(changelist(model)).status_code == 200
    assert operator.get(page(row)).status_code == 200
    assert operator.post(page(row), {"status": "workflow_succeeded"}).status_code == 403
    assert operator.post(page(row).replace("/change/", "/delete/"), {"post": "yes"}).status_code == 403
    assert operator.get(changelist(model) + "add/").status_code == 403
    assert model.objects.values().get(pk=row.pk) == before


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_nobody_but_the_staff_sees_anything(client: Client, alice: Tenant, model: Any) -> None:
    one_of_each(alice)
    for address in (changelist(model), page(model.objects.first())):
        answer = client.get(address)
        assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (302, "/admin/login/")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_list_counts_nothing_and_costs_the_same_for_more_rows(operator: Client, alice: Tenant, model: Any) -> None:
    one_of_each(alice)
    queries(operator, changelist(model))
    few = queries(operator, changelist(model))
    for _ in range(3):
        unpaid(alice)
        with_steps(alice, 5)
    many = queries(operator, changelist(model))
    assert len(many) == len(few)
    if model.__name__ != "Worker":
        assert not [sql for sql in many if "COUNT(" in sql]


def test_the_page_of_an_execution_costs_the_same_for_two_thousand_steps(operator: Client, alice: Tenant) -> None:
    small, large = with_steps(alice, 60), with_steps(alice, 2_000)
    queries(operator, page(small))
    assert len(queries(operator, page(large))) == len(queries(operator, page(small)))
    shown = operator.get(page(large))
    assert len(shown.content) < 300_000
    assert len(shown.context["steps"]["rows"]) == 50
    assert len(shown.context["events"]["rows"]) == 50


def test_all_steps_are_reached_page_by_page(operator: Client, alice: Tenant) -> None:
    execution = with_steps(alice, 120)
    seen: list[int] = []
    first: int | None = 0
    while first is not None:
        context = operator.get(page(execution), {"steps": first}).context
        seen += [row[0] for row in context["steps"]["rows"]]
        first = context["steps_after"]
    assert seen == list(range(120))
    assert operator.get(page(execution), {"steps": "no-number"}).context["steps"]["rows"][0][0] == 0


def test_a_step_is_shown_with_its_newest_attempt(operator: Client, alice: Tenant) -> None:
    row = operator.get(page(with_steps(alice, 1))).context["steps"]["rows"][0]
    assert (row[6], row[7]) == ("host:2", "timeout: no answer")


def test_parts_and_compensations_follow_the_steps(operator: Client, alice: Tenant) -> None:
    execution = with_steps(alice, 60)
    for index, name in ((PARTS + 3, "s0[3]"), (COMPENSATIONS, "compensate[s0]")):
        Step.objects.create(execution=execution, index=index, name=name, status="waiting", parents_left=0)
    context = operator.get(page(execution), {"steps": 50}).context
    rows = context["steps"]["rows"]
    assert [row[0] for row in rows] == [*range(50, 60), "", ""], "only steps of the definition have a place in it"
    assert [name in row[1] for row, name in zip(rows[-2:], ("s0[3]", "compensate[s0]"), strict=True)] == [True, True]
    assert (context["steps_first"], context["steps_after"]) == (True, None)


def test_the_children_and_the_earlier_runs_of_an_execution_are_shown(operator: Client, alice: Tenant) -> None:
    parent, child = queued(alice), queued(alice)
    child.submission.parent, child.submission.parent_step = parent, 7
    child.submission.save()
    earlier = EarlierRun.objects.create(
        run_id=new_id(), execution=parent, status="workflow_failed", status_reason="no answer", queued_at=WHEN,
        finished_at=WHEN,
    )  # fmt: skip
    context = operator.get(page(parent)).context
    [shown] = context["children"]["rows"]
    assert (str(child.id) in shown[0], shown[2]) == (True, 7)
    [run] = context["earlier_runs"]["rows"]
    assert (run[0], run[2]) == (run_name(earlier.run_id), "no answer")
    assert page(parent) in operator.get(page(child)).content.decode()
    for _ in range(3):
        more = queued(alice)
        more.submission.parent = parent
        more.submission.save()
    few = len(queries(operator, page(child)))
    assert len(queries(operator, page(parent))) == few
    found = operator.get(changelist(Execution), {"q": run_name(earlier.run_id)}).context["cl"].result_list
    assert [row.id for row in found] == [parent.id]


def test_the_page_of_a_step_says_what_it_waits_for(operator: Client, alice: Tenant) -> None:
    execution = queued(alice)
    step = Step.objects.create(execution=execution, index=0, name="only", status="pending", parents_left=0)
    [reason] = operator.get(page(step)).context["reasons"]["rows"]
    assert reason == ["worker", "It is ready: the next worker that is free takes it."]


def test_input_and_output_are_indented_escaped_and_cut(operator: Client, alice: Tenant) -> None:
    execution = with_steps(alice, 1)
    assert "&quot;secret&quot;: &quot;&lt;script&gt;&quot;" in operator.get(page(execution)).content.decode()
    Attempt.objects.update(output='"' + "x" * 1_000_000 + '"')
    shown = operator.get(page(Attempt.objects.all()[0])).content.decode()
    assert "the first 20,000 of 1,000,002 characters" in shown
    assert len(shown) < 150_000


def test_lists_do_not_read_what_can_be_megabytes(operator: Client, alice: Tenant) -> None:
    one_of_each(alice)
    for model, columns in ((Execution, ("output", "definition", "sealed")), (Attempt, ("input", "output"))):
        read = " ".join(queries(operator, changelist(model)))
        assert not [column for column in columns if f'"{column}"' in read]


def test_an_execution_is_found_by_its_id_its_run_and_its_reference(operator: Client, alice: Tenant) -> None:
    sought = queued(alice)
    queued(alice)
    sought.submission.external_ref = "loan 17"
    sought.submission.save()
    assert sought.run_id is not None
    for term in (str(sought.id), str(sought.run_id), run_name(sought.run_id), "loan 17", f" {sought.id} "):
        found = operator.get(changelist(Execution), {"q": term}).context["cl"].result_list
        assert [row.id for row in found] == [sought.id], term
    assert not operator.get(changelist(Execution), {"q": "nothing"}).context["cl"].result_list


def test_lists_are_narrowed_by_status_tenant_workflow_and_quarantine(operator: Client, alice: Tenant) -> None:
    sought, _ = unpaid(alice), queued(alice)
    Execution.objects.filter(id=sought.id).update(quarantined_at="2026-11-22T10:00:00Z")
    for chosen in (
        {"status__exact": "awaiting_payment"},
        {"workflow": str(sought.workflow_id)},
        {"quarantined": "yes"},
    ):
        found = operator.get(changelist(Execution), chosen).context["cl"].result_list
        assert [row.id for row in found] == [sought.id], chosen
    assert len(operator.get(changelist(Execution), {"tenant__id__exact": str(alice.id)}).context["cl"].result_list) == 2
    assert not operator.get(changelist(Execution), {"workflow": "no id"}).context["cl"].result_list


def test_the_rows_of_one_execution_are_listed_in_its_own_order(operator: Client, alice: Tenant) -> None:
    execution = with_steps(alice, 3)
    with_steps(alice, 3)
    steps = operator.get(changelist(Step), {"execution__exact": str(execution.id)}).context["cl"].result_list
    assert [row.index for row in steps] == [0, 1, 2]
    events = operator.get(changelist(Event), {"q": str(execution.id)}).context["cl"].result_list
    assert [row.sequence for row in events] == sorted(row.sequence for row in events)
    failed = operator.get(changelist(Event), {"execution__exact": str(execution.id), "type": "step.failed"})
    assert {row.type for row in failed.context["cl"].result_list} == {"step.failed"}
    assert not operator.get(changelist(Event), {"q": "no id"}).context["cl"].result_list


def test_every_word_of_a_status_has_a_tone() -> None:
    words = [*Status, *StepStatus, *AttemptStatus, *TaskStatus, *PaymentStatus]
    assert {word.value for word in words} == set(TONES)
    assert set(TONES.values()) <= {"success", "danger", "warning", "info", "primary", "neutral"}


def test_a_quarantined_execution_says_so(operator: Client, alice: Tenant) -> None:
    execution = queued(alice)
    assert "quarantined</span>" not in operator.get(page(execution)).content.decode().replace("\n", "")
    Execution.objects.filter(id=execution.id).update(quarantined_at="2026-11-22T10:00:00Z")
    assert "quarantined</span>" in operator.get(page(execution)).content.decode().replace("\n", "")


def test_rows_for_these_pages_are_legal(alice: Tenant) -> None:
    execution = queued(alice)
    attempt(execution, 0, 1).full_clean()
    event(execution, 0).full_clean()
