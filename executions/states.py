"""The one table of moves: which status follows which, by which move, told by which event.

Guards, database constraints, admin colours, the state-machine page and the exhaustive
test are all made from the data in here; nothing else knows a transition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

S = TypeVar("S", bound=StrEnum)


class Status(StrEnum):
    """Where an execution stands. Each value says who moves it out."""

    AWAITING_PAYMENT = "awaiting_payment"  # a payment provider or an operator
    PAYMENT_CONFIRMED = "payment_confirmed"  # nobody: left in the transaction that enters it
    QUEUED = "workflow_queued"  # the first worker that takes it
    RUNNING = "workflow_running"  # workers, step by step
    WAITING = "workflow_waiting"  # a timer, a signal, an approval, an operator
    SUCCEEDED = "workflow_succeeded"  # nobody
    FAILED = "workflow_failed"  # a redrive
    CANCELLED = "workflow_cancelled"  # a redrive


TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})
LIVE = frozenset(Status) - TERMINAL


DEADLINE = "deadline_exceeded"
"""The status reason of an execution that failed because its own time was over."""

IN_LINE = "it waits for its turn: as many executions with its concurrency key as may run do"
"""The status reason of one that is queued behind others with its concurrency key."""


class StepStatus(StrEnum):
    """Where a step stands, the same word in the database, the API and expressions."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    OUTCOME_UNKNOWN = "outcome_unknown"


STEP_TERMINAL = frozenset({StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.CANCELLED})


class AttemptStatus(StrEnum):
    """How one attempt at a step stands; an attempt that has ended never changes again."""

    RUNNING = "running"
    WAITING = "waiting"  # it holds no worker: a moment, a signal, an approval, a child or its parts end it
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"  # its worker died; the effect may be repeated
    OUTCOME_UNKNOWN = "outcome_unknown"  # nobody knows whether it took effect, and it must not be repeated


class TaskStatus(StrEnum):
    """How the task of an agent stands beside its attempt, which waits meanwhile. Each value says who moves it out."""

    OPEN = "open"  # a worker of the agent, by claiming it; a pause
    HELD = "held"  # a resume
    CLAIMED = "claimed"  # its worker, by reporting; a sweep, once its lease is over
    REPORTED = "reported"  # the execution's advance, which works in what was reported
    WITHDRAWN = "withdrawn"  # nobody: its lease ended, or its agent may not carry it out any more
    CLOSED = "closed"  # nobody: its attempt has ended


class Intent(StrEnum):
    """What the execution is heading for, beside where it stands."""

    RUN = "run"
    PAUSE = "pause"  # nothing new begins until it is resumed
    CANCEL = "cancel"
    FAIL = "fail"


class PaymentStatus(StrEnum):
    UNPAID = "unpaid"
    PROCESSING = "processing"
    PAID = "paid"
    FAILED = "failed"
    EXPIRED = "expired"
    REFUNDED = "refunded"
    PARTIALLY_REFUNDED = "partially_refunded"


NOT_REQUIRED = "not_required"
"""The payment status of an execution that has no payment."""


@dataclass(frozen=True, slots=True)
class Move(Generic[S]):
    """One legal move: from any of `sources` to `target`, recorded as `event`."""

    sources: frozenset[S]
    target: S
    event: str
    when: str


class IllegalMove(Exception):
    """The table has no such move from where the thing stands; nothing was changed."""

    def __init__(self, move: str, status: StrEnum) -> None:
        super().__init__(f"{move} is not possible from {status.value}")
        self.move = move
        self.status = status


def _move(sources: set[S] | frozenset[S], target: S, event: str, when: str) -> Move[S]:
    return Move(frozenset(sources), target, event, when)


MOVES: Mapping[str, Move[Status]] = {
    "confirm_payment": _move(
        {Status.AWAITING_PAYMENT},
        Status.PAYMENT_CONFIRMED,
        "execution.payment_confirmed",
        "a provider's webhook or an operator confirms the payment",
    ),
    "enqueue": _move(
        {Status.PAYMENT_CONFIRMED}, Status.QUEUED, "execution.queued", "in the transaction that confirmed the payment"
    ),
    "start": _move(
        {Status.QUEUED}, Status.RUNNING, "execution.started", "a worker takes it; deadlines count from here"
    ),
    "wait": _move(
        {Status.RUNNING}, Status.WAITING, "execution.waiting", "nothing runs and something outside must happen first"
    ),
    "wake": _move({Status.WAITING}, Status.RUNNING, "execution.resumed", "what it waited for arrived"),
    "succeed": _move({Status.RUNNING}, Status.SUCCEEDED, "execution.succeeded", "every step has ended"),
    "fail": _move(
        {Status.RUNNING, Status.WAITING},
        Status.FAILED,
        "execution.failed",
        "a step failed for good, or a deadline passed",
    ),
    "cancel": _move(
        LIVE, Status.CANCELLED, "execution.cancelled", "the caller, an operator or a failed checkout ends it"
    ),
    "redrive": _move(
        {Status.FAILED, Status.CANCELLED},
        Status.QUEUED,
        "execution.redriven",
        "an operator tries again; results are kept",
    ),
}

CREATED: Mapping[Status, str] = {
    Status.AWAITING_PAYMENT: "execution.awaiting_payment",
    Status.QUEUED: "execution.queued",
}
"""The statuses an execution may be created in, each with the event that follows execution.created."""

STEP_MOVES: Mapping[str, Move[StepStatus]] = {
    "begin": _move(
        {StepStatus.PENDING, StepStatus.RETRYING}, StepStatus.RUNNING, "step.started", "an attempt at it begins"
    ),
    "wait": _move(
        {StepStatus.RUNNING}, StepStatus.WAITING, "step.waiting", "something outside, a child or its parts must end it"
    ),
    "retry": _move(
        {StepStatus.RUNNING, StepStatus.WAITING, StepStatus.OUTCOME_UNKNOWN},
        StepStatus.RETRYING,
        "step.retrying",
        "the attempt failed and another follows",
    ),
    "succeed": _move(
        {StepStatus.RUNNING, StepStatus.WAITING}, StepStatus.SUCCEEDED, "step.succeeded", "the attempt gave an output"
    ),
    "fail": _move(
        {StepStatus.RUNNING, StepStatus.WAITING, StepStatus.OUTCOME_UNKNOWN},
        StepStatus.FAILED,
        "step.failed",
        "the attempt failed and no other follows",
    ),
    "complete": _move(
        {StepStatus.PENDING, StepStatus.RETRYING, StepStatus.WAITING, StepStatus.OUTCOME_UNKNOWN},
        StepStatus.SUCCEEDED,
        "step.completed",
        "an operator gives its output",
    ),
    "skip": _move(
        {StepStatus.PENDING, StepStatus.RETRYING, StepStatus.WAITING, StepStatus.OUTCOME_UNKNOWN},
        StepStatus.SKIPPED,
        "step.skipped",
        "its condition is false, too few parents are live, or an operator skips it",
    ),
    "cancel": _move(
        {StepStatus.PENDING, StepStatus.RUNNING, StepStatus.RETRYING, StepStatus.WAITING},
        StepStatus.CANCELLED,
        "step.cancelled",
        "the execution, or what it is a part of, goes on or ends without it",
    ),
    "lose_track": _move(
        {StepStatus.RUNNING},
        StepStatus.OUTCOME_UNKNOWN,
        "step.outcome_unknown",
        "nobody knows whether an effect that must not be repeated came about",
    ),
    "reset": _move(
        frozenset(StepStatus) - {StepStatus.PENDING, StepStatus.RUNNING},
        StepStatus.PENDING,
        "step.reset",
        "a redrive carries it out again, or the step that it is a part of begins anew",
    ),
}

TONES: Mapping[str, str] = {
    Status.AWAITING_PAYMENT: "warning",
    Status.PAYMENT_CONFIRMED: "info",
    Status.QUEUED: "neutral",
    Status.RUNNING: "info",
    Status.WAITING: "primary",
    Status.SUCCEEDED: "success",
    Status.FAILED: "danger",
    Status.CANCELLED: "neutral",
    StepStatus.PENDING: "neutral",
    StepStatus.RUNNING: "info",
    StepStatus.WAITING: "primary",
    StepStatus.RETRYING: "warning",
    StepStatus.SUCCEEDED: "success",
    StepStatus.FAILED: "danger",
    StepStatus.SKIPPED: "neutral",
    StepStatus.CANCELLED: "neutral",
    StepStatus.OUTCOME_UNKNOWN: "warning",
    AttemptStatus.LOST: "warning",
    TaskStatus.OPEN: "primary",
    TaskStatus.HELD: "neutral",
    TaskStatus.CLAIMED: "info",
    TaskStatus.REPORTED: "info",
    TaskStatus.WITHDRAWN: "warning",
    TaskStatus.CLOSED: "neutral",
    PaymentStatus.UNPAID: "warning",
    PaymentStatus.PROCESSING: "info",
    PaymentStatus.PAID: "success",
    PaymentStatus.EXPIRED: "neutral",
    PaymentStatus.REFUNDED: "neutral",
    PaymentStatus.PARTIALLY_REFUNDED: "neutral",
}
"""How each word of a status looks: the same word looks the same wherever it stands."""


def target(move: str, status: Status) -> Status:
    """Where `move` leads from `status`. Raises IllegalMove for a pair that is not in the table."""
    return _target(MOVES, move, status)


def step_target(move: str, status: StepStatus) -> StepStatus:
    """Where `move` leads a step from `status`. Raises IllegalMove for a pair that is not in the table."""
    return _target(STEP_MOVES, move, status)


def _target(moves: Mapping[str, Move[S]], move: str, status: S) -> S:
    entry = moves[move]
    if status not in entry.sources:
        raise IllegalMove(move, status)
    return entry.target
