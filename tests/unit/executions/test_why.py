"""What a step waits for, told from the facts alone: each kind of reason, and which of them go together."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from executions.states import STEP_TERMINAL, TERMINAL, Intent, Status, StepStatus, TaskStatus
from executions.why import Facts, Handed, Parts, Whole, said, why
from workflows.definition import parse_definition
from workflows.spec import StepSpec

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
RUNNING = Whole(Status.RUNNING)
NOTHING: dict[str, Any] = {"fires_at": None, "times_out_at": None, "signal": None, "approval": None}


def transform(name: str, *depends_on: str, **members: Any) -> dict[str, Any]:
    return {"name": name, "type": "transform", "config": {"output": 1}, "depends_on": list(depends_on), **members}


ONE = {"type": "transform", "config": {"output": 1}}
HOOK = {"url": "https://a.example/", "payload": {}}
SPEC = parse_definition(
    {
        "name": "w",
        "steps": [
            transform("a"),
            transform("b"),
            transform("both", "a", "b"),
            transform("either", "a", "b", join="any"),
            transform("tried", on_failure="handler"),
            transform("handler"),
            {"name": "each", "type": "map", "config": {"over": [1], "step": ONE}},
            {"name": "sent", "type": "webhook", "config": HOOK, "compensate": {"type": "webhook", "config": HOOK}},
        ],
    }
)


def step(name: str) -> StepSpec:
    if name == "each[0]":
        return SPEC.step(SPEC.part(SPEC.by_name["each"], 0))
    if name == "compensate[sent]":
        found = SPEC.steps[SPEC.by_name["sent"]].compensation
        assert found is not None
        return found
    return SPEC.steps[SPEC.by_name[name]]


def facts(name: str, status: StepStatus, whole: Whole = RUNNING, **members: Any) -> Facts:
    return Facts(step(name), status, whole, **members)


def kinds(found: Facts) -> list[str]:
    return [reason.kind for reason in why(found, NOW)]


def only(found: Facts) -> tuple[str, str, dict[str, Any]]:
    (reason,) = why(found, NOW)
    return reason.kind, reason.message, dict(reason.data)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("step_status", StepStatus)
@pytest.mark.parametrize("intent", Intent)
def test_whatever_stands_there_something_is_said(status: Status, step_status: StepStatus, intent: Intent) -> None:
    reasons = why(facts("both", step_status, Whole(status, intent), worker="host:1"), NOW)
    assert reasons
    assert said(reasons).endswith(".")
    if status in TERMINAL or step_status in STEP_TERMINAL:
        assert [reason.kind for reason in reasons] == ["nothing"]


def test_a_step_that_may_begin_waits_for_a_worker() -> None:
    kind, message, data = only(facts("a", StepStatus.PENDING, due_at=NOW))
    assert (kind, data) == ("worker", {"since": "2026-11-22T10:00:00.000Z"})
    assert message == "It is ready: the next worker that is free takes it."


def test_a_step_that_runs_is_carried_out_by_somebody() -> None:
    found = facts("a", StepStatus.RUNNING, Whole(Status.RUNNING, Intent.PAUSE), attempt=2, worker="host:7")
    assert only(found) == (
        "worker",
        "Attempt 2 is being carried out by host:7.",
        {"attempt": 2, "worker": "host:7"},
    )


def test_a_step_waits_for_those_before_it_that_have_not_ended() -> None:
    before = {"a": StepStatus.SUCCEEDED, "b": StepStatus.RUNNING}
    found = facts("both", StepStatus.PENDING, is_open=False, before=before)
    assert only(found) == ("parents", "It begins after b.", {"steps": ["b"], "count": 1})


def test_a_step_that_needs_some_of_those_before_it_says_how_many() -> None:
    before = {"a": StepStatus.PENDING, "b": StepStatus.RUNNING}
    kind, message, data = only(facts("either", StepStatus.PENDING, is_open=False, before=before))
    assert message == "It begins after 1 of the steps before it; still open: a and b."
    assert (kind, data) == ("parents", {"steps": ["a", "b"], "count": 2, "needs": 1})


def test_a_handler_waits_for_a_failure() -> None:
    found = facts("handler", StepStatus.PENDING, is_open=False, before={"tried": StepStatus.RUNNING})
    assert only(found)[1] == "It begins only if tried fails."


def test_of_many_steps_that_are_waited_for_some_are_named_and_all_counted() -> None:
    before = {f"s{i}": StepStatus.PENDING for i in range(1200)}
    _, message, data = only(facts("both", StepStatus.PENDING, is_open=False, before=before))
    assert message == "It begins after s0, s1 and 1,198 more."
    assert (len(data["steps"]), data["count"]) == (100, 1200)


def test_a_retry_waits_for_its_time_and_then_for_a_worker() -> None:
    later = facts("a", StepStatus.RETRYING, attempt=1, due_at=NOW + timedelta(seconds=9))
    assert only(later) == (
        "retry",
        "Attempt 1 did not succeed; the next one begins at 2026-11-22T10:00:09.000Z.",
        {"until": "2026-11-22T10:00:09.000Z", "attempt": 2},
    )
    assert kinds(replace(later, due_at=NOW)) == ["worker"]


def test_everything_that_a_wait_waits_for_is_told() -> None:
    approval = {"approvers": ["ann", "bob"], "message": "Is it all right?"}
    awaited = NOTHING | {"fires_at": "later", "times_out_at": "at last", "signal": "paid", "approval": approval}
    reasons = why(facts("a", StepStatus.WAITING, awaited=awaited), NOW)
    assert [(reason.kind, reason.data) for reason in reasons] == [
        ("timer", {"until": "later"}),
        ("signal", {"name": "paid", "until": "at last"}),
        ("approval", {"approvers": ["ann", "bob"], "until": "at last"}),
    ]
    assert said(reasons) == "It goes on at later. It goes on when the signal paid comes."


def test_an_approval_that_anybody_may_give_says_so() -> None:
    awaited = NOTHING | {"approval": {"approvers": None, "message": None}}
    found = facts("a", StepStatus.WAITING, awaited=awaited)
    assert only(found)[1] == "It goes on when somebody approves or rejects it."
    named = NOTHING | {"approval": {"approvers": ["ann", "bob"], "message": None}}
    assert only(replace(found, awaited=named))[1] == "It goes on when ann or bob approves or rejects it."
    asked = NOTHING | {"approval": {"approvers": None, "message": "All right?"}}
    assert only(replace(found, awaited=asked))[1] == "It goes on when somebody approves or rejects it: All right?"


def test_a_map_waits_for_its_parts_and_a_part_for_its_turn() -> None:
    whole = facts("each", StepStatus.WAITING, parts=Parts(total=1200, left=1))
    assert only(whole) == ("parts", "1 of its 1,200 parts have not ended.", {"left": 1, "total": 1200})
    part = facts("each[0]", StepStatus.PENDING, is_open=False, owner="each")
    assert only(part) == ("parts", "It begins once other parts of each have ended.", {"steps": ["each"]})
    assert kinds(replace(part, is_open=True)) == ["worker"]


def test_a_step_that_started_another_execution_waits_for_it() -> None:
    kind, message, data = only(facts("a", StepStatus.WAITING, child="42"))
    assert (kind, data) == ("child", {"executionId": "42"})
    assert message == "The execution 42, which it started, has not ended."


def test_an_unknown_outcome_waits_for_an_operator() -> None:
    assert only(facts("a", StepStatus.OUTCOME_UNKNOWN, attempt=3))[0::2] == ("operator", {"attempt": 3})


@pytest.mark.parametrize("status", [StepStatus.PENDING, StepStatus.RETRYING])
@pytest.mark.parametrize(
    ("whole", "kind", "data"),
    [
        (Whole(Status.AWAITING_PAYMENT, order_id="o"), "payment", {"orderId": "o"}),
        (Whole(Status.RUNNING, Intent.PAUSE), "paused", {}),
        (Whole(Status.RUNNING, quarantined="why"), "quarantine", {"reason": "why"}),
        (
            Whole(Status.QUEUED, is_due=False, concurrency_key="k", limit=2),
            "concurrency",
            {"key": "k", "limit": 2},
        ),
    ],
)
def test_what_keeps_the_whole_execution_from_going_on_is_told(
    status: StepStatus, whole: Whole, kind: str, data: dict[str, Any]
) -> None:
    assert only(facts("a", status, whole))[0::2] == (kind, data)


def test_what_keeps_the_whole_execution_comes_before_what_the_step_itself_waits_for() -> None:
    before = {"a": StepStatus.PENDING}
    found = facts("both", StepStatus.PENDING, Whole(Status.RUNNING, Intent.PAUSE), is_open=False, before=before)
    assert kinds(found) == ["paused", "parents"]


def test_a_queued_execution_that_a_worker_may_take_waits_for_no_slot() -> None:
    assert kinds(facts("a", StepStatus.PENDING, Whole(Status.QUEUED, concurrency_key="k", limit=1))) == ["worker"]


@pytest.mark.parametrize("intent", [Intent.CANCEL, Intent.FAIL])
def test_of_an_execution_that_is_about_to_end_only_compensations_begin(intent: Intent) -> None:
    ending = Whole(Status.RUNNING, intent)
    for status in (StepStatus.PENDING, StepStatus.RETRYING):
        assert kinds(facts("a", status, ending)) == ["nothing"]
    undo = facts("compensate[sent]", StepStatus.PENDING, ending, is_open=False, owner="sent")
    kind, message, data = only(undo)
    assert (kind, data) == ("compensation", {"steps": ["sent"]})
    assert message.startswith("It undoes sent if the execution fails or is cancelled")
    assert kinds(replace(undo, is_open=True)) == ["worker"]
    again = replace(undo, status=StepStatus.RETRYING, due_at=NOW + timedelta(seconds=1))
    assert kinds(again) == ["retry"]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (TaskStatus.OPEN, "once a worker of its agent has claimed its task"),
        (TaskStatus.HELD, "once a worker of its agent has claimed its task"),
        (TaskStatus.CLAIMED, "has claimed its task, until 2026-11-22T10:00:00.000Z at least"),
        (TaskStatus.REPORTED, "about to be worked in"),
    ],
)
def test_a_task_that_was_handed_out_says_who_has_it(status: TaskStatus, words: str) -> None:
    handed = Handed("t1", "a1", status, leased_until=NOW, deadline=NOW + timedelta(hours=1))
    kind, message, data = only(facts("a", StepStatus.WAITING, handed=handed))
    assert (kind, data) == (
        "agent",
        {"agentId": "a1", "taskId": "t1", "taskStatus": status.value, "until": "2026-11-22T11:00:00.000Z"},
    )
    assert words in message
