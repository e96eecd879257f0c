"""The table of moves, exhaustively: every pair of a status and a move."""

from __future__ import annotations

import pytest

from executions.states import (
    CREATED,
    LIVE,
    MOVES,
    STEP_MOVES,
    STEP_TERMINAL,
    TERMINAL,
    IllegalMove,
    Status,
    StepStatus,
    step_target,
    target,
)

# Written out by hand from the published table, so that a slip in the data is seen.
LEGAL = {
    ("awaiting_payment", "confirm_payment"): "payment_confirmed",
    ("payment_confirmed", "enqueue"): "workflow_queued",
    ("workflow_queued", "start"): "workflow_running",
    ("workflow_running", "wait"): "workflow_waiting",
    ("workflow_waiting", "wake"): "workflow_running",
    ("workflow_running", "succeed"): "workflow_succeeded",
    ("workflow_running", "fail"): "workflow_failed",
    ("workflow_waiting", "fail"): "workflow_failed",
    ("awaiting_payment", "cancel"): "workflow_cancelled",
    ("payment_confirmed", "cancel"): "workflow_cancelled",
    ("workflow_queued", "cancel"): "workflow_cancelled",
    ("workflow_running", "cancel"): "workflow_cancelled",
    ("workflow_waiting", "cancel"): "workflow_cancelled",
    ("workflow_failed", "redrive"): "workflow_queued",
    ("workflow_cancelled", "redrive"): "workflow_queued",
}
STEP_LEGAL = {
    ("pending", "begin"): "running",
    ("retrying", "begin"): "running",
    ("running", "wait"): "waiting",
    ("running", "retry"): "retrying",
    ("waiting", "retry"): "retrying",
    ("outcome_unknown", "retry"): "retrying",
    ("running", "succeed"): "succeeded",
    ("waiting", "succeed"): "succeeded",
    ("running", "fail"): "failed",
    ("waiting", "fail"): "failed",
    ("outcome_unknown", "fail"): "failed",
    ("pending", "complete"): "succeeded",
    ("retrying", "complete"): "succeeded",
    ("waiting", "complete"): "succeeded",
    ("outcome_unknown", "complete"): "succeeded",
    ("pending", "skip"): "skipped",
    ("retrying", "skip"): "skipped",
    ("waiting", "skip"): "skipped",
    ("outcome_unknown", "skip"): "skipped",
    ("pending", "cancel"): "cancelled",
    ("running", "cancel"): "cancelled",
    ("retrying", "cancel"): "cancelled",
    ("waiting", "cancel"): "cancelled",
    ("running", "lose_track"): "outcome_unknown",
    ("waiting", "reset"): "pending",
    ("retrying", "reset"): "pending",
    ("succeeded", "reset"): "pending",
    ("failed", "reset"): "pending",
    ("skipped", "reset"): "pending",
    ("cancelled", "reset"): "pending",
    ("outcome_unknown", "reset"): "pending",
}


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("move", MOVES)
def test_every_pair_of_status_and_move_is_as_published(status: Status, move: str) -> None:
    expected = LEGAL.get((status.value, move))
    if expected is None:
        with pytest.raises(IllegalMove):
            target(move, status)
    else:
        assert target(move, status).value == expected


@pytest.mark.parametrize("status", StepStatus)
@pytest.mark.parametrize("move", STEP_MOVES)
def test_every_pair_of_step_status_and_move_is_as_published(status: StepStatus, move: str) -> None:
    expected = STEP_LEGAL.get((status.value, move))
    if expected is None:
        with pytest.raises(IllegalMove):
            step_target(move, status)
    else:
        assert step_target(move, status).value == expected


def test_there_are_exactly_the_eight_published_statuses() -> None:
    assert {status.value for status in Status} == {
        "awaiting_payment",
        "payment_confirmed",
        "workflow_queued",
        "workflow_running",
        "workflow_waiting",
        "workflow_succeeded",
        "workflow_failed",
        "workflow_cancelled",
    }


def test_an_ended_execution_is_left_only_by_a_redrive() -> None:
    leaving = {name for name, move in MOVES.items() if move.sources & TERMINAL}
    assert leaving == {"redrive"}


def test_an_ended_step_is_left_only_by_a_redrive() -> None:
    assert [name for name, move in STEP_MOVES.items() if move.sources & STEP_TERMINAL] == ["reset"]


def test_from_every_live_status_an_end_can_be_reached() -> None:
    for status in LIVE:
        assert target("cancel", status) in TERMINAL


def test_an_execution_is_created_queued_or_awaiting_payment() -> None:
    assert set(CREATED) == {Status.QUEUED, Status.AWAITING_PAYMENT}
