"""/api/v2: templates run for applications; the log tells the outcome."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.engine.world import transform
from tests.integration.http.arranging import (
    EXECUTE,
    TEMPLATES,
    application,
    engine,
    published,
    rows_of_every_table,
    template,
)
from tests.integration.http_client import Caller

APPLICATIONS = "/api/v2/applications"


def execute(alice: Caller, template_id: str, application_id: str) -> Any:
    return alice.post(EXECUTE, {"template_id": template_id, "application_id": application_id})


def logged(alice: Caller, application_id: str) -> Any:
    with engine() as world:
        world.drain()
    return alice.get(f"{APPLICATIONS}/{application_id}/data_orch").json()["data"]


# Applications


def test_an_application_is_made_found_and_listed(alice: Caller) -> None:
    data = {"amount": 1169, "nested": {"a": [None, 1.5]}, "ä": ""}
    made = alice.post(APPLICATIONS, {"external_ref": "r-1", "data": data})
    shown = made.json()["data"]
    assert (made.status_code, shown.keys()) == (201, {"id", "external_ref", "data", "created_at"})
    assert made.headers["Location"].endswith(f"{APPLICATIONS}/{shown['id']}")
    assert (shown["external_ref"], shown["data"]) == ("r-1", data)
    assert alice.get(f"{APPLICATIONS}/{shown['id']}").json() == {"data": shown}
    assert alice.get(APPLICATIONS).json() == {"data": [shown], "meta": {"next_cursor": None}}


def test_applications_are_listed_newest_first_by_their_reference_too(alice: Caller) -> None:
    made = [alice.post(APPLICATIONS, {"external_ref": r, "data": {}}).json()["data"] for r in ("a", "b", "a")]
    page = alice.get(f"{APPLICATIONS}?limit=2").json()
    assert page["data"] == [made[2], made[1]]
    assert alice.get(f"{APPLICATIONS}?cursor={page['meta']['next_cursor']}").json()["data"] == [made[0]]
    assert alice.get(f"{APPLICATIONS}?external_ref=a").json()["data"] == [made[2], made[0]]
    for query in ("limit=0", "cursor=x", "external_ref=", "status=1"):
        answer = alice.get(f"{APPLICATIONS}?{query}")
        assert (answer.status_code, answer.json()["errors"].keys()) == (422, {f"query.{query.partition('=')[0]}"})


def test_an_application_without_its_data_is_refused(alice: Caller) -> None:
    before = rows_of_every_table()
    bodies: list[dict[str, Any]] = [{}, {"data": None}, {"data": []}, {"external_ref": "r"}]
    for body in bodies:
        answer = alice.post(APPLICATIONS, body)
        assert (answer.status_code, answer.json()["errors"].keys()) == (422, {"data"})
    assert rows_of_every_table() == before


# Templates that cannot be executed


def test_what_is_not_executable_is_refused_on_the_template(alice: Caller) -> None:
    workflow_id, application_id = published(alice), application(alice)
    draft, deleted, good = (
        template(alice, workflow_id, status=1),
        template(alice, workflow_id),
        template(alice, workflow_id),
    )
    alice.delete(f"{TEMPLATES}/{deleted}")
    before = rows_of_every_table()
    for template_id in (draft, deleted):
        answer = execute(alice, template_id, application_id)
        assert (answer.status_code, answer.json()["code"]) == (422, "template_not_executable")
        assert answer.json()["errors"].keys() == {"template_id"}
    assert rows_of_every_table() == before
    for verb, status in (("pause", 422), ("resume", 200), ("archive", 422)):
        alice.post(f"/v1/workflows/{workflow_id}/{verb}")
        assert execute(alice, good, application_id).status_code == status


# The input that a template makes


@pytest.mark.parametrize(
    ("made_of", "field"),
    [
        ({"a": "${{ application.missing }}"}, "application_id"),
        ({"a": "${{ 1.0 / application.zero }}"}, "application_id"),
        ({"a": "${{ application.large * 2 }}"}, "application_id"),
        ({"a": [["${{ application.deep }}"]]}, "application_id"),
        ("${{ application.zero }}", "template_id"),
        ([1], "template_id"),
        (None, "template_id"),
    ],
)
def test_an_input_that_cannot_be_made_is_refused(alice: Caller, made_of: Any, field: str) -> None:
    template_id = template(alice, published(alice), input=made_of)
    deep: Any = 1
    for _ in range(62):
        deep = [deep]
    application_id = application(alice, zero=0, large=2**53 - 1, deep=deep)
    before = rows_of_every_table()
    answer = execute(alice, template_id, application_id)
    assert (answer.status_code, answer.json()["errors"].keys()) == (422, {field})
    assert rows_of_every_table() == before


def test_a_template_maps_the_application_to_the_input(alice: Caller) -> None:
    made_of = {"amount": "${{ application.loan.amount }}", "text": "of ${{ application.name }}", "fixed": 1}
    template_id = template(alice, published(alice), input=made_of)
    made = execute(alice, template_id, application(alice, loan={"amount": 12.5}, name="Ann")).json()["data"]
    execution = alice.get(f"/v1/executions/{made['id']}").json()["data"]["execution"]
    assert execution["requestPayload"] == {"amount": 12.5, "text": "of Ann", "fixed": 1}


# The outcome


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("outcome", "expected", "error"),
    [
        ("'refer'", "refer", None),
        ("output", "whatever", None),
        ("${{ output + '!' }}", "whatever!", None),
        ("1", None, "gave no text"),
        ("output.missing", None, "output.missing"),
    ],
)
def test_the_outcome_is_made_of_the_bare_output(alice: Caller, outcome: str, expected: Any, error: Any) -> None:
    steps = [transform("only", "whatever")]
    workflow_id = published(alice, steps, output="${{ steps.only.output }}")
    application_id = application(alice)
    execute(alice, template(alice, workflow_id, outcome=outcome), application_id)
    [log] = logged(alice, application_id)
    assert (log["status"], log["master_status"], log["outcome"]) == (4, "workflow_succeeded", expected)
    assert log["internal_error"] is None if error is None else error in log["internal_error"]


@pytest.mark.django_db(transaction=True)
def test_a_failure_has_no_outcome_and_says_why(alice: Caller) -> None:
    broken = {"name": "try", "type": "tool_call", "config": {"tool": "fail", "arguments": {"message": "broken"}}}
    application_id = application(alice)
    execute(alice, template(alice, published(alice, [broken])), application_id)
    [log] = logged(alice, application_id)
    assert (log["status"], log["master_status"], log["outcome"]) == (5, "workflow_failed", None)
    assert "broken" in log["internal_error"]
    assert log["finished_at"] is not None


@pytest.mark.django_db(transaction=True)
def test_a_cancelled_one_has_status_six_and_no_error(alice: Caller) -> None:
    application_id = application(alice)
    made = execute(alice, template(alice, published(alice)), application_id).json()["data"]
    alice.post(f"/v1/executions/{made['id']}/cancel")
    [log] = logged(alice, application_id)
    assert (log["status"], log["outcome"], log["internal_error"]) == (6, None, None)


@pytest.mark.django_db(transaction=True)
def test_a_run_keeps_the_template_as_it_was(alice: Caller) -> None:
    template_id, application_id = template(alice, published(alice)), application(alice, amount=1)
    execute(alice, template_id, application_id)
    shown = alice.get(f"{TEMPLATES}/{template_id}").json()["data"]
    assert alice.put(f"{TEMPLATES}/{template_id}", {**shown, "outcome": "'fail'"}).status_code == 200
    execute(alice, template_id, application_id)
    alice.delete(f"{TEMPLATES}/{template_id}")
    assert [log["outcome"] for log in logged(alice, application_id)] == ["fail", "pass"]


def test_the_log_is_paged_newest_first(alice: Caller) -> None:
    template_id, application_id = template(alice, published(alice)), application(alice)
    made = [execute(alice, template_id, application_id).json()["data"] for _ in range(3)]
    path = f"{APPLICATIONS}/{application_id}/data_orch"
    page = alice.get(f"{path}?limit=2").json()
    assert page["data"] == [made[2], made[1]]
    assert alice.get(f"{path}?cursor={page['meta']['next_cursor']}").json() == {
        "data": [made[0]],
        "meta": {"next_cursor": None},
    }
