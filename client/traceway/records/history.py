"""What the events of an execution tell, folded one by one: the only truth that the rest of a record is held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from traceway.records.chain import Detail, Event
from traceway.records.payments import PaymentTold
from traceway.records.texts import digest

_STEP_STATUSES = {
    "step.started": "running",
    "step.waiting": "waiting",
    "step.retrying": "retrying",
    "step.succeeded": "succeeded",
    "step.completed": "succeeded",
    "step.failed": "failed",
    "step.skipped": "skipped",
    "step.cancelled": "cancelled",
    "step.outcome_unknown": "outcome_unknown",
    "step.reset": "pending",
}
_STATUSES = {
    "execution.awaiting_payment": "awaiting_payment",
    "execution.payment_confirmed": "payment_confirmed",
    "execution.queued": "workflow_queued",
    "execution.started": "workflow_running",
    "execution.waiting": "workflow_waiting",
    "execution.resumed": "workflow_running",
    "execution.succeeded": "workflow_succeeded",
    "execution.failed": "workflow_failed",
    "execution.cancelled": "workflow_cancelled",
    "execution.redriven": "workflow_queued",
}
_ENDS = frozenset({"execution.succeeded", "execution.failed", "execution.cancelled"})
_OPEN = frozenset({"running", "waiting"})
TERMINAL = frozenset(_STATUSES[event] for event in _ENDS)


@dataclass(slots=True)
class AttemptTold:
    """One attempt at a step. `input`, `output` and `error` are digests; `begun` is the sequence of its first event."""

    step: str
    number: int
    begun: int
    run: int
    started_at: str
    process: Detail
    worker: Detail
    code_version: Detail
    action: Detail
    input: Detail
    status: Detail = "running"
    output: Detail = None
    error: Detail = None
    child: Detail = None
    finished_at: str | None = None


@dataclass(slots=True)
class StepTold:
    """One step: `attempts` is the number of its newest attempt, `item` the digest of what a part works on.

    Of a map, `items` is the digest of the list of its `parts` items' digests.
    """

    status: str = "pending"
    attempts: int = 0
    item: Detail = None
    items: Detail = None
    parts: Detail = None


@dataclass(slots=True)
class RunTold:
    """One run, from its queueing to its end; `ended` is the sequence of the event that ended it, `head` its hash."""

    run_id: Detail = None
    parameters: Detail = None
    queued_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    status: str | None = None
    reason: Detail = None
    output: Detail = None
    ended: int | None = None
    head: str | None = None


@dataclass(slots=True)
class History:
    """The execution as its events up to here say it stands. `runs` ends with the current one."""

    created: Mapping[str, Detail] = field(default_factory=dict)
    created_at: str | None = None
    execution: str | None = None
    status: str | None = None
    runs: list[RunTold] = field(default_factory=lambda: [RunTold()])
    steps: dict[str, StepTold] = field(default_factory=dict)
    attempts: dict[tuple[str, int], AttemptTold] = field(default_factory=dict)
    outcome: Detail = None
    outcome_error: Detail = None
    payment: PaymentTold | None = None
    dropped: bool = False
    left: Detail = None

    @property
    def run(self) -> RunTold:
        """The current one."""
        return self.runs[-1]

    def newest(self, step: str) -> AttemptTold | None:
        """The newest attempt at a step."""
        told = self.steps.get(step)
        return None if told is None else self.attempts.get((step, told.attempts))

    def apply(self, event: Event) -> str | None:
        """Work the next event in. Gives what of it cannot be, if anything."""
        if event.sequence == 1 and event.type != "execution.created":
            return "is the first, but does not create the execution"
        if event.step is not None:
            return self._of_step(event.step, event)
        if event.type.startswith("payment."):
            return self._of_payment(event)
        told = _EXECUTION.get(event.type)
        if told is not None:
            told(self, event)
        if event.type in _STATUSES and not (event.type == "execution.resumed" and "by" in event.data):
            self.status = _STATUSES[event.type]
        if event.type in _ENDS:
            self._end(event)
        return None

    def _create(self, event: Event) -> None:
        self.created, self.created_at, self.execution = event.data, event.at, event.execution
        self.run.parameters = event.data.get("parameters")

    def _queue(self, event: Event) -> None:
        self.run.run_id, self.run.queued_at = event.data.get("run_id"), event.at

    def _redrive(self, event: Event) -> None:
        self.runs.append(RunTold(event.data.get("run_id"), event.data.get("parameters"), event.at))
        self.outcome_error = None

    def _start(self, event: Event) -> None:
        self.run.started_at = event.at

    def _continue(self, event: Event) -> None:
        given = event.data.get("outcome")
        self.outcome, self.outcome_error = digest(given) if isinstance(given, str) else None, None

    def _drop(self, event: Event) -> None:
        self.dropped, self.left = True, event.data.get("left")

    def _end(self, event: Event) -> None:
        run, data = self.run, event.data
        run.finished_at, run.status = event.at, self.status
        run.ended, run.head = event.sequence, event.hash
        self.outcome_error = None
        if event.type == "execution.succeeded":
            run.output = data.get("output")
            self.outcome, self.outcome_error = data.get("outcome"), data.get("outcome_error")
        else:
            run.reason = data.get("reason")

    def _of_step(self, name: str, event: Event) -> str | None:
        status = _STEP_STATUSES.get(event.type)
        number = event.data.get("attempt")
        if status is not None:
            step = self.steps.setdefault(name, StepTold())
            step.status = status
            if "items" in event.data:
                step.items, step.parts = event.data["items"], event.data.get("parts")
        if type(number) is not int or status is None:
            return None
        if "closed" in event.data:
            self._close(name, event)
        if "process" in event.data:
            return self._begin(name, number, event)
        if "attempt_status" in event.data:
            return self._stand(name, number, event)
        return None

    def _begin(self, name: str, number: int, event: Event) -> str | None:
        data, step = event.data, self.steps[name]
        if (name, number) in self.attempts or number != step.attempts + 1:
            return f"begins attempt {number} at {name}, which is not its next one"
        step.attempts, step.item = number, data.get("item", step.item)
        self.attempts[name, number] = AttemptTold(
            step=name,
            number=number,
            begun=event.sequence,
            run=len(self.runs),
            started_at=event.at,
            process=data.get("process"),
            worker=data.get("worker"),
            code_version=data.get("code"),
            action=data.get("action"),
            input=data.get("input"),
        )
        return self._stand(name, number, event) if "attempt_status" in data else None

    def _close(self, name: str, event: Event) -> None:
        """The attempt before was cancelled, for the one that the event tells of took its place."""
        closed = event.data["closed"]
        attempt = self.attempts.get((name, closed)) if type(closed) is int else None
        if attempt is not None:
            attempt.status, attempt.output, attempt.error, attempt.finished_at = "cancelled", None, None, event.at

    def _stand(self, name: str, number: int, event: Event) -> str | None:
        attempt = self.attempts.get((name, number))
        if attempt is None:
            return f"tells of attempt {number} at {name}, which never began"
        data = event.data
        attempt.status = data["attempt_status"]
        attempt.output, attempt.error = data.get("output"), data.get("error")
        attempt.child = data.get("child") or attempt.child
        attempt.finished_at = None if attempt.status in _OPEN else event.at
        return None

    def _of_payment(self, event: Event) -> str | None:
        if event.type == "payment.opened":
            self.payment = PaymentTold(event.data)
        elif self.payment is not None:
            self.payment.apply(event.type, event.data, event.at)
        else:
            return "tells of a payment that was never opened"
        return None


_EXECUTION: Mapping[str, Callable[[History, Event], Any]] = {
    "execution.created": History._create,
    "execution.queued": History._queue,
    "execution.redriven": History._redrive,
    "execution.started": History._start,
    "execution.continued": History._continue,
    "execution.payloads_dropped": History._drop,
}
