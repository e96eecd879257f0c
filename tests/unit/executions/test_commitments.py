"""What an event commits to of attempts and requests: everything that stands on the rows, by digest."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

import pytest

from executions.change import AttemptEnd, AttemptRow, Carrier
from executions.commitments import Unrecorded, commit_begun, commit_ends, name_request
from executions.events import Happening
from executions.states import AttemptStatus

WORKER = Carrier(UUID(int=7), "host:1", "v1")


def of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def happened(event: str, index: int | None = 0, **data: Any) -> Happening:
    return Happening(event, data, None if index is None else f"s{index}", index)


def begun(happenings: list[Happening], *rows: AttemptRow) -> None:
    commit_begun(happenings, rows, WORKER, lambda index: f"tool{index}@3")


def test_the_event_that_begins_an_attempt_names_its_input_and_who_carries_it_out() -> None:
    started = happened("step.started", attempt=1)
    begun([started], AttemptRow(0, 1, AttemptStatus.RUNNING, input='{"n":1}'))
    assert started.data == {
        "attempt": 1,
        "action": "tool0@3",
        "code": "v1",
        "process": str(UUID(int=7)),
        "worker": "host:1",
        "input": of('{"n":1}'),
    }


def test_of_an_attempt_that_began_and_ended_at_once_the_first_event_tells_the_beginning_the_last_the_end() -> None:
    started, succeeded = happened("step.started", attempt=1), happened("step.succeeded", attempt=1)
    begun([started, succeeded], AttemptRow(0, 1, AttemptStatus.SUCCEEDED, input="{}", output="2"))
    assert started.data["input"] == of("{}")
    assert "output" not in started.data
    assert succeeded.data == {"attempt": 1, "attempt_status": "succeeded", "output": of("2")}


def test_what_ends_an_attempt_names_its_output_its_error_and_its_child() -> None:
    failed = happened("step.failed", attempt=2, kind="http_status")
    commit_ends([failed], [AttemptEnd(0, 2, AttemptStatus.FAILED, output="1", error='{"kind":"x"}', child=UUID(int=9))])
    assert failed.data == {
        "attempt": 2,
        "kind": "http_status",
        "attempt_status": "failed",
        "output": of("1"),
        "error": of('{"kind":"x"}'),
        "child": str(UUID(int=9)),
    }


def test_an_attempt_is_told_of_by_the_event_that_names_it_and_else_by_the_last_of_its_step() -> None:
    retrying, started = happened("step.retrying", attempt=1), happened("step.started", attempt=2)
    other = happened("step.skipped", 1)
    commit_ends(
        [retrying, started, other], [AttemptEnd(0, 1, AttemptStatus.LOST), AttemptEnd(1, 4, AttemptStatus.LOST)]
    )
    assert retrying.data["attempt_status"] == "lost"
    assert "attempt_status" not in started.data
    assert (other.data["attempt"], other.data["attempt_status"]) == (4, "lost")


def test_a_change_to_an_attempt_that_no_event_tells_of_is_refused() -> None:
    with pytest.raises(Unrecorded, match="attempt 1 at the step 5"):
        commit_ends([happened("step.failed", 0)], [AttemptEnd(5, 1, AttemptStatus.FAILED)])
    with pytest.raises(Unrecorded):
        begun([happened("execution.started", None)], AttemptRow(0, 1, AttemptStatus.RUNNING))


def test_the_outcome_of_an_attempt_is_never_told_as_that_of_another() -> None:
    completed = happened("step.completed", attempt=2)
    with pytest.raises(Unrecorded):
        commit_ends([completed], [AttemptEnd(0, 1, AttemptStatus.FAILED, error="{}")])


def test_an_attempt_that_another_took_the_place_of_is_told_as_closed() -> None:
    completed = happened("step.completed", attempt=2)
    commit_ends([completed], [AttemptEnd(0, 1, AttemptStatus.CANCELLED)])
    assert completed.data == {"attempt": 2, "closed": 1}


def test_what_happens_because_of_a_request_names_it_once() -> None:
    first, second = happened("execution.paused", None), happened("execution.created", None, request_id="r-1")
    name_request([first, second], "r-2")
    assert (first.data["request_id"], second.data["request_id"]) == ("r-2", "r-1")


def test_without_a_request_none_is_named() -> None:
    paused = happened("execution.paused", None)
    name_request([paused], None)
    assert paused.data == {}
