"""What an execution's own columns have to be beside its counters: what it heads for, its times, what is open and due.

It is given rows as they are, and tells each column that follows from others and is another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from contract import json_values
from executions.models import Arrival, ArrivalKind, Attempt, DueStep, Execution, Step
from executions.payments.opening import OPEN_FOR
from executions.payments.words import CONFIRMABLE, MANUAL
from executions.provenance.replay import Replay
from executions.reading import payment_of
from executions.states import DEADLINE, IN_LINE, STEP_TERMINAL, TERMINAL, AttemptStatus, Intent, Status, StepStatus
from traceway.records import Finding
from workflows.models import WorkflowVersion
from workflows.spec import COMPENSATIONS, OnFailure, Spec, WaitProgram

_OPEN: Final = frozenset({AttemptStatus.RUNNING.value, AttemptStatus.WAITING.value})
UNBOUNDED_SECONDS: Final = 366 * 86_400
"""The time-out of a step that waits and for which none was written."""
_ENDING_EARLY: Final = frozenset({Intent.CANCEL.value, Intent.FAIL.value})


@dataclass(frozen=True, slots=True)
class Standing:
    """The rows of one execution; `due` are those of its due steps, `ready` the steps that may begin."""

    spec: Spec
    execution: Execution
    steps: Mapping[int, Step]
    attempts: Sequence[Attempt]
    due: Sequence[DueStep]
    ready: frozenset[int]
    replay: Replay

    def differences(self) -> Iterator[Finding]:
        """Every column that is another one."""
        yield from self._intent()
        yield from self._times()
        yield from self._open_attempts()
        yield from self._due_steps()
        yield from self._payment()

    def _intent(self) -> Iterator[Finding]:
        of = self.execution
        allowed = self._intents()
        if of.intent not in allowed:
            yield _other("execution intent", " or ".join(sorted(allowed)), of.intent)
        quiet = of.status not in TERMINAL and of.intent == Intent.RUN and of.quarantined_at is None
        reasons = self._quiet_reasons()
        if quiet and of.status_reason not in reasons:
            yield _other("execution status_reason", reasons[0], of.status_reason)
        if of.status not in TERMINAL and of.intent == Intent.PAUSE and of.quarantined_at is None:
            yield from _unless_same("execution status_reason", "paused", of.status_reason)
        undoing = any(
            index >= COMPENSATIONS and row.status not in STEP_TERMINAL and _is_opened(row)
            for index, row in self.steps.items()
        )
        yield from _unless_same("execution compensating", undoing, of.compensating)

    def _quiet_reasons(self) -> tuple[str | None, ...]:
        """Why it stands where it does: only who is in line has a reason; nothing is due of him until he is woken."""
        of = self.execution
        if of.concurrency_key is None or of.status != Status.QUEUED:
            return (None,)
        return (IN_LINE,) if of.due_at is None else (IN_LINE, None)

    def _intents(self) -> frozenset[str]:
        """What it may head for. Of one that goes on, what is on its way to its end is told by what it was told."""
        status, own = self.execution.status, Intent.PAUSE if self.replay.paused else Intent.RUN
        if status == Status.FAILED:
            return frozenset({Intent.FAIL.value})
        if status == Status.CANCELLED and self.execution.queued_at is not None:
            return frozenset({Intent.CANCEL.value})
        if status in TERMINAL or status == Status.AWAITING_PAYMENT:
            return frozenset({own.value})
        if self._failed_for_good() or self.execution.status_reason == DEADLINE:
            return frozenset({Intent.FAIL.value, Intent.CANCEL.value})
        reason = self.execution.status_reason or ""
        if reason.startswith("the output could not be made"):
            return frozenset({Intent.FAIL.value})
        return frozenset({own.value} | ({Intent.CANCEL.value} if self._was_cancelled() else set()))

    def _failed_for_good(self) -> bool:
        failed = (step.index for step in self.spec.steps if step.on_failure is OnFailure.FAIL)
        return any(index in self.steps and self.steps[index].status == StepStatus.FAILED for index in failed)

    def _was_cancelled(self) -> bool:
        consumed = Arrival.objects.filter(execution=self.execution, kind=ArrivalKind.CANCEL.value)
        return self.execution.intent == Intent.CANCEL and consumed.filter(consumed_at__isnull=False).exists()

    def _times(self) -> Iterator[Finding]:
        of = self.execution
        limits = [seconds for seconds in (self.spec.timeout_seconds, of.submission.timeout_seconds) if seconds]
        deadline = of.started_at + timedelta(seconds=min(limits)) if of.started_at and limits else None
        yield from _unless_same("execution deadline_at", deadline, of.deadline_at)
        if of.grace_at is not None and (of.status in TERMINAL or of.intent not in _ENDING_EARLY):
            yield _other("execution grace_at", None, of.grace_at)
        if of.unsettled and (payment_of(of) is None or of.queued_at is None):
            yield _other("execution unsettled", "false", of.unsettled)
        yield from _unless_same("execution payloads_dropped_at", self.replay.dropped_at, of.payloads_dropped_at)

    def _open_attempts(self) -> Iterator[Finding]:
        """A step runs or waits just as its newest attempt does, and no other is open."""
        open_ = {(row.step_index, row.number): row.status for row in self.attempts if row.status in _OPEN}
        for index, row in self.steps.items():
            found = open_.pop((index, row.attempts), None)
            expected = row.status if row.status in _OPEN else None
            yield from _unless_same(f"steps/{row.name} attempt {row.attempts} status", expected, found)
        for (index, number), status in open_.items():
            name = self.steps[index].name if index in self.steps else index
            yield _other(f"steps/{name} attempt {number} status", "an end", status)

    def _due_steps(self) -> Iterator[Finding]:
        """What is ready or tried again stands as due, and nothing stands so that cannot be."""
        of, due = self.execution, {row.step_index for row in self.due}
        for index in sorted(due):
            status = self.steps[index].status if index in self.steps else "not there"
            if of.status in TERMINAL or index not in self.steps:
                yield _other(f"due_step of step {index}", "none", status)
        if of.status in TERMINAL or of.intent in _ENDING_EARLY:
            return
        wanted = {index for index, row in self.steps.items() if self._wants_a_moment(row)}
        for index in sorted((self.ready | wanted) - due):
            yield _other(f"due_step of steps/{self.steps[index].name}", "to be there", "nothing")

    def _wants_a_moment(self, row: Step) -> bool:
        """Whether a step that waits is looked at again by itself: when its time, or its time-out, has come."""
        step = self.spec.step(row.index)
        if row.status != StepStatus.WAITING or not isinstance(step.program, WaitProgram):
            return row.status == StepStatus.WAITING and step.timeout_seconds < UNBOUNDED_SECONDS
        [awaited] = [a.input for a in self.attempts if (a.step_index, a.number) == (row.index, row.attempts)]
        told = json_values.load(awaited or "{}")
        return not {told.get("fires_at"), told.get("times_out_at")} <= {None}

    def _payment(self) -> Iterator[Finding]:
        payment, of = payment_of(self.execution), self.execution
        if payment is None:
            return
        yield from _unless_same("payment tenant", of.tenant_id, payment.tenant_id)
        yield from _unless_same("payment created_at", of.created_at, payment.created_at)
        if payment.provider in CONFIRMABLE:
            yield from _unless_same("payment checkout_session_id", None, payment.checkout_session_id)
        if payment.checkout_session_id is None:
            expires = None if payment.provider == MANUAL else payment.created_at + OPEN_FOR
            yield from _unless_same("payment expires_at", expires, payment.expires_at)


def version_differences(version: WorkflowVersion, execution: Execution, spec: Spec) -> Iterator[Finding]:
    """The columns of a version that repeat what its definition says."""
    price = spec.price
    expected = {
        "workflow_id": execution.workflow_id,
        "name": spec.name,
        "version": spec.version,
        "description": spec.description,
        "price_amount": price and price.amount,
        "price_currency": price and price.currency,
        "price_refund": price and price.refund.value,
        "timeout_seconds": spec.timeout_seconds,
        "visibility": spec.visibility.value,
    }
    for name, value in expected.items():
        yield from _unless_same(f"workflow_version {name}", value, getattr(version, name))


def _is_opened(row: Step) -> bool:
    return row.status != StepStatus.PENDING or row.parents_live > 0


def _unless_same(where: str, expected: Any, found: Any) -> Iterator[Finding]:
    if expected != found:
        yield _other(where, expected, found)


def _other(where: str, expected: Any, found: Any) -> Finding:
    return Finding(where, "does not follow from the rest of the record", _shown(expected), _shown(found))


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)
