"""PUT .../continue_pass: somebody lets a data orchestration pass, whatever it came to or will."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from executions.models import Execution
from tests.integration.engine.world import failing, noop, told, transform, wait
from tests.integration.http.arranging import (
    EXECUTE,
    application,
    created,
    engine,
    published,
    rows_of_every_table,
    template,
)
from tests.integration.http_client import Caller

pytestmark = pytest.mark.django_db(transaction=True)

APPROVED = {"name": "held", "type": "wait", "config": {"approval": {"approvers": ["somebody"]}}}


def started(alice: Caller, steps: Any, *, outcome: str = "'fail'", drain: bool = True) -> tuple[str, str]:
    """The log's id and the application's of one data orchestration of these steps."""
    application_id = application(alice)
    body = {"template_id": template(alice, published(alice, steps), outcome=outcome), "application_id": application_id}
    log: str = alice.post(EXECUTE, body).json()["data"]["id"]
    if drain:
        drained()
    return log, application_id


def drained() -> None:
    with engine() as world:
        world.drain()


def pass_on(alice: Caller, log: str, application_id: str, **members: Any) -> Any:
    named = {"key": "Idempotency_Key", "request": "X_Request_ID"}
    headers = {header: members.pop(name) for name, header in named.items() if name in members}
    path = f"/api/v2/data_orchestration/{log}/continue_pass"
    return alice.put(path, {"application_id": application_id, **members}, **headers)


def log_of(alice: Caller, log: str, application_id: str) -> Any:
    return alice.get(f"/api/v2/applications/{application_id}/data_orch/{log}").json()["data"]


def test_a_run_that_waits_for_approval_is_approved_and_ends_as_passed(alice: Caller) -> None:
    log, application_id = started(alice, [APPROVED, {**APPROVED, "name": "also"}, noop("after", "held", "also")])
    assert log_of(alice, log, application_id)["status"] == 3
    answer = pass_on(alice, log, application_id, comment="seen by hand", request="r-9")
    assert (answer.status_code, answer.json()) == (202, {})
    assert log_of(alice, log, application_id)["outcome"] == "pass"
    drained()
    shown = log_of(alice, log, application_id)
    assert (shown["status"], shown["outcome"], shown["internal_error"]) == (4, "pass", None)
    execution = Execution.objects.get(id=log)
    assert told(execution, "execution.continued") == [
        (None, {"by": "api_key:a test's key", "comment": "seen by hand", "outcome": "pass", "request_id": "r-9"})
    ]
    output = json.loads(execution.attempts.filter(step_index=0).get().output or "")
    assert output["payload"] == {"approved": True, "by": "api_key:a test's key", "comment": "seen by hand"}


def test_what_waits_for_something_else_goes_on_waiting_and_passes_in_the_end(alice: Caller) -> None:
    log, application_id = started(alice, [wait("held", signal="go")])
    assert pass_on(alice, log, application_id).status_code == 202
    drained()
    assert log_of(alice, log, application_id)["status"] == 3
    alice.post(f"/v1/executions/{log}/signals/go")
    drained()
    assert {name: log_of(alice, log, application_id)[name] for name in ("status", "outcome")} == {
        "status": 4,
        "outcome": "pass",
    }


@pytest.mark.parametrize(
    ("steps", "outcome", "status", "error"),
    [
        ([transform("only", 1)], "'fail'", 4, None),
        ([transform("only", 1)], "1", 4, None),
        ([transform("only", 1)], "'pass'", 4, None),
        ([failing("only")], "'fail'", 5, "step only failed"),
    ],
    ids=["another outcome", "an outcome that could not be made", "it has passed", "a failure"],
)
def test_what_has_ended_passes(alice: Caller, steps: Any, outcome: str, status: int, error: str | None) -> None:
    log, application_id = started(alice, steps, outcome=outcome)
    assert pass_on(alice, log, application_id).status_code == 202
    shown = log_of(alice, log, application_id)
    assert (shown["status"], shown["outcome"]) == (status, "pass")
    assert shown["internal_error"] is None if error is None else error in shown["internal_error"]


def test_a_run_that_fails_later_still_passes_and_so_does_its_redrive(alice: Caller) -> None:
    log, application_id = started(alice, [wait("held", signal="go"), failing("broken", "held", times=1)])
    pass_on(alice, log, application_id)
    alice.post(f"/v1/executions/{log}/signals/go")
    drained()
    assert [log_of(alice, log, application_id)[name] for name in ("status", "outcome")] == [5, "pass"]
    alice.post(f"/v1/executions/{log}/redrive")
    drained()
    assert [log_of(alice, log, application_id)[name] for name in ("status", "outcome")] == [4, "pass"]


def test_what_neither_waits_nor_has_succeeded_or_failed_is_not_continued(alice: Caller) -> None:
    queued, application_id = started(alice, [noop("a")], drain=False)
    cancelled, of_cancelled = started(alice, [wait("held", signal="go")], drain=False)
    alice.post(f"/v1/executions/{cancelled}/cancel")
    before = rows_of_every_table()
    answer = pass_on(alice, queued, application_id)
    assert (answer.status_code, answer.json()["code"]) == (422, "not_continuable")
    assert rows_of_every_table() == before
    drained()
    assert pass_on(alice, cancelled, of_cancelled).status_code == 422
    assert log_of(alice, cancelled, of_cancelled)["outcome"] is None


def test_another_application_is_refused_on_its_member(alice: Caller, bob: Caller) -> None:
    log, application_id = started(alice, [transform("only", 1)])
    plain = created(alice, published(alice, [transform("only", 1)]))["execution"]["id"]
    drained()
    before = rows_of_every_table()
    for which, named in (
        (log, application(alice)),
        (log, str(uuid4())),
        (log, application(bob)),
        (plain, application_id),
    ):
        before = rows_of_every_table()
        answer = pass_on(alice, which, named)
        assert (answer.status_code, answer.json()["errors"].keys()) == (422, {"application_id"})
        assert rows_of_every_table() == before
    assert pass_on(bob, log, application_id).status_code == 404
    for body in ({}, {"application_id": ""}, {"application_id": application_id, "comment": "x" * 1001}):
        answer = alice.put(f"/api/v2/data_orchestration/{log}/continue_pass", body)
        assert answer.status_code == 422
    assert log_of(alice, log, application_id)["outcome"] == "fail"


def test_a_key_records_it_once_and_each_call_without_one_is_on_record(alice: Caller) -> None:
    log, application_id = started(alice, [APPROVED])
    for _ in range(2):
        assert pass_on(alice, log, application_id, key="k").status_code == 202
    execution = Execution.objects.get(id=log)
    assert len(told(execution, "execution.continued")) == 1
    assert pass_on(alice, log, application_id, comment="again").status_code == 202
    assert [data["comment"] for _, data in told(execution, "execution.continued")] == [None, "again"]
    # The approval is given once, though it was not worked in yet when the second call came.
    assert execution.inbox.count() == 1
    drained()
    assert log_of(alice, log, application_id)["outcome"] == "pass"
