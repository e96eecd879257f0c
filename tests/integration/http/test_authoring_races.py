"""Two authors at the same moment: one of them is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import connection, connections, transaction

from tests.integration.http_client import Caller, caller
from workflows import authoring
from workflows.models import Workflow, WorkflowVersion

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = [{"name": "score", "type": "transform", "config": {"output": 1}}]


def definition(**members: Any) -> dict[str, Any]:
    return {"name": "credit", "steps": STEPS, **members}


def together(*calls: Callable[[], Any]) -> list[Any]:
    """The answers of calls that start at the same moment."""
    start = threading.Barrier(len(calls))
    answers: list[Any] = []

    def run(call: Callable[[], Any]) -> None:
        start.wait()
        answers.append(call())
        connections.close_all()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def wait_for_a_waiter(cursor: psycopg.Cursor[Any]) -> None:
    """Returns when some connection waits for a lock; fails after ten seconds."""
    for _ in range(1000):
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        row = cursor.fetchone()
        if row is not None and row[0]:
            return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


def test_of_two_that_publish_one_draft_one_is_refused() -> None:
    alice = caller("alice")
    path = f"/v1/workflows/{alice.post('/v1/workflows', definition()).json()['id']}"
    answers = together(*[lambda: Caller(key=alice.key).post(f"{path}/publish")] * 4)
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


def test_of_two_that_take_one_name_one_is_refused() -> None:
    alice = caller("alice")
    answers = together(*[lambda: Caller(key=alice.key).post("/v1/workflows", definition())] * 4)
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert Workflow.objects.count() == WorkflowVersion.objects.count() == 1


def test_two_that_put_a_draft_leave_one_draft() -> None:
    alice = caller("alice")
    path = f"/v1/workflows/{alice.post('/v1/workflows', definition()).json()['id']}"
    versions = ["1.0.1", "1.0.2", "1.0.3"]
    answers = together(
        *[lambda v=version: Caller(key=alice.key).put(path, definition(version=v)) for version in versions]
    )
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert alice.get(path).json()["version"] == WorkflowVersion.objects.get().version


def test_a_put_that_waited_for_an_archive_is_refused() -> None:
    alice = caller("alice")
    workflow = Workflow.objects.get(id=alice.post("/v1/workflows", definition()).json()["id"])
    answers: list[Any] = []

    def put() -> None:
        answers.append(Caller(key=alice.key).put(f"/v1/workflows/{workflow.id}", definition(version="2.0.0")))
        connections.close_all()

    with psycopg.connect(**connection.get_connection_params()) as other, other.cursor() as cursor:
        cursor.execute("UPDATE workflows_workflow SET archived_at = now() WHERE id = %s::uuid", [str(workflow.id)])
        thread = threading.Thread(target=put)
        thread.start()
        wait_for_a_waiter(cursor)
        other.commit()
    thread.join()
    assert answers[0].status_code == 409
    assert WorkflowVersion.objects.get().version == "1.0.0"


def test_rows_that_refer_to_a_workflow_are_not_held_up_by_its_author() -> None:
    alice = caller("alice")
    assert alice.tenant is not None
    workflow = alice.post("/v1/workflows", definition()).json()["id"]
    alice.post(f"/v1/workflows/{workflow}/publish")
    body = {"name": "t", "workflow_id": workflow, "input": {}, "outcome": "output.score"}
    answers: list[Any] = []

    def bind() -> None:
        answers.append(Caller(key=alice.key).post("/api/v2/data_orchestration/templates", body))
        connections.close_all()

    thread = threading.Thread(target=bind)
    with transaction.atomic():
        authoring.pause(alice.tenant, workflow)
        thread.start()
        thread.join(timeout=10)
        in_time = [answer.status_code for answer in answers]
    thread.join()
    assert in_time == [201]
