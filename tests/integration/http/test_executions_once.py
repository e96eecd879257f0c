"""/v1/executions under an idempotency key: created once, whatever the client and the network do."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connections

from executions.models import Execution, Submission
from tenants.models import IdempotentRequest
from tests.integration.http.arranging import (
    EXECUTE,
    application,
    created,
    creation,
    published,
    rows_of_every_table,
    template,
)
from tests.integration.http_client import Caller, caller

LIST = "/v1/executions"


@pytest.mark.parametrize("where", ["member", "header", "both"])
def test_the_member_and_the_header_are_one_key(alice: Caller, where: str) -> None:
    body = creation(published(alice), **({} if where == "header" else {"idempotencyKey": "k"}))
    headers = {} if where == "member" else {"Idempotency_Key": "k"}
    first = alice.post(LIST, body, **headers).json()["data"]["execution"]
    assert first["idempotencyKey"] == "k"
    again = alice.post(LIST, creation(body["workflowId"], idempotencyKey="k"))
    assert (again.json()["data"]["execution"], again.headers["Idempotent-Replayed"]) == (first, "true")
    also = alice.post(LIST, creation(body["workflowId"]), Idempotency_Key="k")
    assert also.json()["data"]["execution"] == first
    assert Execution.objects.count() == 1


def test_two_different_keys_are_refused(alice: Caller) -> None:
    body = creation(published(alice), idempotencyKey="k")
    before = rows_of_every_table()
    answer = alice.post(LIST, body, Idempotency_Key="other")
    assert (answer.status_code, answer.json()["details"][0]["field"]) == (400, "/idempotencyKey")
    assert rows_of_every_table() == before


def test_another_body_under_the_same_key_is_a_conflict(alice: Caller) -> None:
    workflow_id = published(alice)
    alice.post(LIST, creation(workflow_id, idempotencyKey="k"))
    before = rows_of_every_table()
    answer = alice.post(LIST, creation(workflow_id, idempotencyKey="k", externalRef="r"))
    assert (answer.status_code, answer.json()["details"][0]["code"]) == (409, "idempotency_key_reused")
    assert rows_of_every_table() == before


def test_the_key_is_looked_at_before_the_ids(alice: Caller) -> None:
    workflow_id = published(alice)
    first = alice.post(LIST, creation(workflow_id, idempotencyKey="k"))
    alice.post(f"/v1/workflows/{workflow_id}/archive")
    assert alice.post(LIST, creation(workflow_id, idempotencyKey="k")).content == first.content
    assert alice.post(LIST, creation(workflow_id, idempotencyKey="l")).status_code == 409


def test_the_stored_answer_holds_no_token(alice: Caller) -> None:
    made = created(alice, published(alice), idempotencyKey="k")
    assert made["clientToken"] not in IdempotentRequest.objects.get(path=LIST).text


@pytest.mark.parametrize("door", ["workflows", "data orchestration"])
def test_the_header_works_at_the_other_doors_too(alice: Caller, door: str) -> None:
    workflow_id = published(alice, price={"amount": 1, "currency": "EUR"})
    path, body = f"/v1/workflows/{workflow_id}/execute", {}
    if door != "workflows":
        path, body = EXECUTE, {"template_id": template(alice, workflow_id), "application_id": application(alice)}
    first, again = (alice.post(path, body, Idempotency_Key="k") for _ in range(2))
    assert (again.content, again.headers["Link"]) == (first.content, first.headers["Link"])
    assert Execution.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_twins_at_the_same_moment_create_one_execution() -> None:
    alice = caller("alice")
    body = creation(published(alice), idempotencyKey="k")
    together = threading.Barrier(4)
    answers: list[Any] = []

    def post() -> None:
        together.wait()
        answers.append(Caller(key=alice.key).post(LIST, body))
        connections.close_all()

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.content for answer in answers}) == 1
    assert [Execution.objects.count(), Submission.objects.count()] == [1, 1]
