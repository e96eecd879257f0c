"""Prefer: wait=N: each door answers with the state that was reached, when it has ended or N seconds are over."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.test import RequestFactory

from contract.http import WAITS_LATER, Answer
from executions.api.executions import ExecutionDoor
from executions.api.waiting import preferred_wait
from executions.awaiting import ends
from executions.models import Execution
from tests.integration.engine.world import failing, transform, wait
from tests.integration.http.arranging import EXECUTE, application, creation, engine, published, template
from tests.integration.http_client import Caller
from tests.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)

DOORS = ("executions", "workflows", "orchestrations", "inline", "data_orchestration")
DONE = [transform("only", {"made": 1})]


@contextmanager
def at_work() -> Iterator[None]:
    """A worker's engine drains in another thread."""
    stop = threading.Event()

    def work() -> None:
        try:
            with engine() as world:
                while not stop.is_set():
                    world.drain(0.1)
                    stop.wait(0.02)
        finally:
            connections.close_all()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join()


def start(alice: Caller, door: str, workflow_id: str, steps: Any = DONE, **headers: str) -> Any:
    if door == "executions":
        return alice.post("/v1/executions", creation(workflow_id), **headers)
    if door == "workflows":
        return alice.post(f"/v1/workflows/{workflow_id}/execute", {}, **headers)
    if door == "orchestrations":
        return alice.post("/v1/orchestrations/execute", {"workflow_id": workflow_id}, **headers)
    if door == "inline":
        return alice.post("/v1/orchestrations/execute", {"steps": steps}, **headers)
    body = {"template_id": template(alice, workflow_id), "application_id": application(alice)}
    return alice.post(EXECUTE, body, **headers)


def told(answer: Any) -> Any:
    """What the answer says of where the execution stands."""
    body = answer.json()
    data = body.get("data", body)
    return data["execution"]["status"] if "execution" in data else data["status"]


@pytest.mark.parametrize(
    ("door", "status"),
    [
        ("executions", "workflow_succeeded"),
        ("workflows", "completed"),
        ("orchestrations", "completed"),
        ("inline", "completed"),
        ("data_orchestration", 4),
    ],
)
def test_a_door_answers_when_the_execution_has_ended(alice: Caller, door: str, status: Any) -> None:
    workflow_id = published(alice, DONE)
    plain = start(alice, door, workflow_id)
    with at_work():
        began = time.monotonic()
        answer = start(alice, door, workflow_id, Prefer="wait=30")
    assert time.monotonic() - began < 10
    assert (answer.status_code, told(answer), answer.headers["Preference-Applied"]) == (200, status, "wait=30")
    assert "Preference-Applied" not in plain.headers
    plain_body, body = plain.json(), answer.json()
    assert body.get("data", body).keys() == plain_body.get("data", plain_body).keys()


def test_the_steps_of_the_execute_answer_stand_as_they_are(alice: Caller) -> None:
    workflow_id = published(alice, [*DONE, failing("broken", "only")])
    with at_work():
        answer = start(alice, "workflows", workflow_id, Prefer="wait=30").json()
    assert answer["status"] == "failed"
    assert [step["status"] for step in answer["steps"]] == ["completed", "failed"]
    assert answer["steps"][0] == {
        "name": "only",
        "action": "transform",
        "agent_id": answer["steps"][0]["agent_id"],
        "status": "completed",
        "result": {"made": 1},
    }


@pytest.mark.parametrize("door", DOORS)
def test_what_goes_on_is_answered_once_the_seconds_are_over(alice: Caller, door: str) -> None:
    steps = [wait("held", signal="go")]
    began = time.monotonic()
    answer = start(alice, door, published(alice, steps), steps, Prefer="wait=1")
    assert 1 <= time.monotonic() - began < 5
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "wait=1")
    assert told(answer) in {"workflow_queued", "running", 1}


def test_what_awaits_its_payment_has_not_ended(alice: Caller) -> None:
    answer = start(alice, "executions", published(alice, price={"amount": 1, "currency": "EUR"}), Prefer="wait=1")
    assert (told(answer), answer.headers["Preference-Applied"]) == ("awaiting_payment", "wait=1")
    assert answer.headers["Link"] == f'<{answer.json()["data"]["checkoutUrl"]}>; rel="payment"'


def test_a_replay_waits_too_and_tells_what_the_one_execution_has_reached(alice: Caller) -> None:
    workflow_id = published(alice, DONE)
    first = alice.post("/v1/executions", creation(workflow_id), Idempotency_Key="k")
    with at_work():
        again = alice.post("/v1/executions", creation(workflow_id), Idempotency_Key="k", Prefer="wait=30")
    plain = alice.post("/v1/executions", creation(workflow_id), Idempotency_Key="k")
    assert (told(first), told(again), told(plain)) == ("workflow_queued", "workflow_succeeded", "workflow_queued")
    assert (again.headers["Idempotent-Replayed"], again.headers["Preference-Applied"]) == ("true", "wait=30")
    assert again.json()["data"]["clientToken"] == first.json()["data"]["clientToken"]
    assert plain.content == first.content
    assert Execution.objects.count() == 1


def test_a_dry_run_and_a_refusal_wait_for_nothing(alice: Caller) -> None:
    workflow_id = published(alice, DONE)
    began = time.monotonic()
    for path in (f"/v1/workflows/{workflow_id}/execute", "/v1/orchestrations/execute"):
        body = {"dry_run": True} if "workflows" in path else {"dry_run": True, "workflow_id": workflow_id}
        answer = alice.post(path, body, Prefer="wait=30")
        assert (answer.status_code, "Preference-Applied" in answer.headers) == (200, False)
    assert alice.post("/v1/executions", {}, Prefer="wait=30").status_code == 400
    assert time.monotonic() - began < 5


def test_no_transaction_is_open_while_an_answer_waits(alice: Caller) -> None:
    steps = [wait("held", signal="go")]
    workflow_id = published(alice, steps)
    answers: list[Any] = []

    def ask() -> None:
        answers.append(start(alice, "executions", workflow_id, Prefer="wait=20"))
        connections.close_all()

    waiting = threading.Thread(target=ask)
    waiting.start()
    # What is seen from outside is committed.
    eventually(Execution.objects.exists)
    execution = str(Execution.objects.get().id)
    alice.post(f"/v1/executions/{execution}/cancel")
    with at_work():
        waiting.join(15)
    assert told(answers[0]) == "workflow_cancelled"


def test_one_thread_looks_for_everybody_and_ends_when_nobody_waits(alice: Caller) -> None:
    executions = [
        start(alice, "executions", published(alice, DONE)).json()["data"]["execution"]["id"] for _ in range(3)
    ]
    woken = threading.Semaphore(0)
    for execution_id in executions * 20:
        ends.watch(UUID(execution_id), woken.release)
    assert len([thread for thread in threading.enumerate() if thread.name == "ends"]) == 1
    with at_work():
        assert all(woken.acquire(timeout=10) for _ in range(60))
    eventually(lambda: not [thread for thread in threading.enumerate() if thread.name == "ends"])


def test_the_thread_that_looks_is_kept_for_who_waits_next(alice: Caller) -> None:
    """It has a connection, which takes longer to make than many an execution."""

    def looked_by() -> int | None:
        body = start(alice, "executions", published(alice, DONE)).json()
        woken = threading.Event()
        ends.watch(UUID(body["data"]["execution"]["id"]), woken.set)
        with at_work():
            assert woken.wait(10)
        return next(thread.ident for thread in threading.enumerate() if thread.name == "ends")

    first = looked_by()
    assert looked_by() == first


def test_a_server_that_waits_without_a_thread_settles_the_answer_itself(alice: Caller) -> None:
    request = RequestFactory().post(
        "/v1/executions",
        json.dumps(creation(published(alice, DONE))),
        content_type="application/json",
        headers={"Prefer": "wait=30", "Authorization": f"Bearer {alice.key}"},
        **{WAITS_LATER: True},  # type: ignore[arg-type]
    )
    began = time.monotonic()
    answer = ExecutionDoor.as_view({"post": "create"})(request)
    assert isinstance(answer, Answer)
    answer.render()
    assert time.monotonic() - began < 5
    assert answer.wait is not None
    woken = threading.Event()
    answer.wait.watch(woken.set)
    with at_work():
        assert woken.wait(10)
    answer.settle()
    body = json.loads(answer.content)
    assert body["data"]["execution"]["status"] == "workflow_succeeded"
    assert (answer["Preference-Applied"], answer["Content-Length"]) == ("wait=30", str(len(answer.content)))
    assert answer["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("wait=1", 1),
        ("wait=30", 30),
        ("WAIT = 5", 5),
        ('wait="7"', 7),
        ("wait=08", 8),
        ("respond-async, wait=9", 9),
        ('handling="a, wait=2"; x=y, wait=3;foo', 3),
        ("wait=4, wait=5", 4),
        ("wait=0", None),
        ("wait=31", None),
        ("wait=0, wait=5", None),
        ("wait=-1", None),
        ("wait=1.5", None),
        ("wait=", None),
        ("wait", None),
        ("wait=\u0661", None),
        ("wait=1e1", None),
        ("waits=5", None),
        ("return=minimal", None),
        ('"', None),
        ("", None),
        (",;=" * 3000, None),
    ],
)
def test_a_preference_that_is_not_understood_is_ignored(header: str, seconds: int | None) -> None:
    assert preferred_wait(header) == seconds
