"""Waits: how one begins, and what ends it, be it a moment, a signal, a decision or a child."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from contract import json_values
from contract.json_values import JSON
from contract.timestamps import parse, wire
from executions.change import ArrivalRow, AttemptEnd, WaitingAttempt
from executions.plan import Began, Waits
from executions.retry import Failure
from executions.states import TERMINAL, AttemptStatus, Status, StepStatus
from orchestrator import attempts, cancelling
from orchestrator.look import Look
from orchestrator.outcomes import Failed, encode
from workflows.expressions import Scope
from workflows.spec import Awaited, StepSpec, WaitProgram

UNBOUNDED_SECONDS = 366 * 86_400
"""The time-out of a step that waits and for which none was written."""


def begin(look: Look, step: StepSpec, program: WaitProgram, scope: Scope) -> None:
    """Begin to wait; a signal that came before ends it at once."""
    awaited = program.resolve(scope, look.draft.now)
    text = encode(_recorded(awaited), look.limits, "input")
    attempt = look.draft.begin(step.index, text, AttemptStatus.WAITING)
    look.draft.note(step.index, attempt=attempt.number)
    look.draft.note(step.index, attempt=attempt.number, until=wire(_first(awaited)), signal=awaited.signal)
    look.settle(Began(step.index), Waits(step.index))
    early = None if awaited.signal is None else _early(look, step, awaited.signal)
    if early is not None:
        look.draft.consume(early)
        _end_by_signal(look, WaitingAttempt(step.index, attempt.number), early)
        return
    moment = _first(awaited)
    if moment is not None:
        look.draft.schedule(step.index, moment)


def bound(look: Look, step: StepSpec) -> None:
    """Have a step that waits for a child or for its parts fail once its time-out is over."""
    if step.timeout_seconds < UNBOUNDED_SECONDS:
        look.draft.schedule(step.index, look.draft.now + timedelta(seconds=step.timeout_seconds))


def fire(look: Look, index: int) -> None:
    """A moment that this step had set has come: its wait is over, or it took too long."""
    look.draft.unschedule(index)
    waiting, step = _open(look, index), look.spec.step(index)
    if waiting is None:
        return
    if not isinstance(step.program, WaitProgram):
        cancelling.cancel_below(look, step, "it took too long")
        failure = Failure("timeout", f"it took longer than its {step.timeout_seconds:g} seconds")
        look.settle(attempts.fail(look, index, waiting.number, Failed(failure)))
        return
    awaited = json_values.load(waiting.input or "{}")
    fires_at = _moment(awaited["fires_at"])
    times_out_at = _moment(awaited["times_out_at"])
    if fires_at is not None and fires_at <= look.draft.now:
        _succeed(look, waiting, {"by": "timer"})
    elif times_out_at is not None and times_out_at <= look.draft.now:
        failure = Failure("timeout", "what it waited for did not come in time")
        result = Failed(failure, {"timed_out_at": awaited["times_out_at"]})
        look.settle(attempts.fail(look, index, waiting.number, result))


def signal(look: Look, arrival: ArrivalRow) -> None:
    """Give a signal to the wait that has been open longest for it; without one it is kept."""
    assert arrival.name is not None, "a signal has a name"
    found = look.session.awaiting(look.loaded.row.id, arrival.name)
    payload = json_values.load(arrival.payload)["payload"]
    open_still = (w for w in found if attempts.is_current(look, w.index, w.number, StepStatus.WAITING))
    waiting = next((w for w in open_still if _takes(look.spec.step(w.index), payload)), None)
    if waiting is None:
        look.draft.keep(arrival)
    else:
        look.draft.consume(arrival)
        _end_by_signal(look, waiting, arrival)


def _takes(step: StepSpec, payload: JSON) -> bool:
    """Whether the step's wait may have this payload: one signal may be waited for by steps with other schemas."""
    assert isinstance(step.program, WaitProgram), "only waits await signals"
    return step.program.schema is None or not step.program.schema.violations(payload, "")


def decide(look: Look, arrival: ArrivalRow) -> None:
    """An approval was given or refused."""
    look.draft.consume(arrival)
    told = json_values.load(arrival.payload)
    index, number = told["index"], told["number"]
    if not attempts.is_current(look, index, number, StepStatus.WAITING):
        return
    decision = {"approved": told["approved"], "by": arrival.actor, "comment": told["comment"]}
    if told["approved"]:
        _succeed(look, WaitingAttempt(index, number), {"by": "approval", "payload": decision})
    else:
        look.draft.unschedule(index)
        message = f"rejected by {arrival.actor}" + (f": {told['comment']}" if told["comment"] else "")
        failure = Failure("rejected", message, retryable=False)
        look.settle(attempts.fail(look, index, number, Failed(failure, decision), by=arrival.actor))


def hand(look: Look, index: int, number: int, child: UUID) -> None:
    """The step waits for this child, unless that has ended already."""
    look.draft.end(AttemptEnd(index, number, AttemptStatus.WAITING, child=child))
    look.draft.note(index, attempt=number, child=str(child))
    look.settle(Waits(index))
    bound(look, look.spec.step(index))
    _end_by_child(look, WaitingAttempt(index, number), child)


def child_ended(look: Look, arrival: ArrivalRow) -> None:
    """A child came to its end, and the step that started it with it. While that has not said so, this is left."""
    told = json_values.load(arrival.payload)
    index, child = told["index"], UUID(told["child"])
    if look.row(index).state.status is StepStatus.RUNNING:
        return
    look.draft.consume(arrival)
    waiting = _open(look, index)
    if waiting is not None and waiting.child == child:
        _end_by_child(look, waiting, child)


def _end_by_child(look: Look, waiting: WaitingAttempt, child: UUID) -> None:
    found = look.session.child(child)
    if found.status not in TERMINAL:
        return
    look.draft.unschedule(waiting.index)
    if found.status is Status.SUCCEEDED:
        fact = attempts.succeed(look, waiting.index, waiting.number, found.output or "null", child=str(child))
    else:
        kind = "child_cancelled" if found.status is Status.CANCELLED else "child_failed"
        ended = "was cancelled" if found.status is Status.CANCELLED else "failed"
        message = f"the execution {child} {ended}: {found.status_reason}"
        details = {"execution_id": str(child), "status": found.status.value, "reason": found.status_reason}
        fact = attempts.fail(look, waiting.index, waiting.number, Failed(Failure(kind, message), details))
    look.settle(fact)


def _end_by_signal(look: Look, waiting: WaitingAttempt, arrival: ArrivalRow) -> None:
    payload = json_values.load(arrival.payload)["payload"]
    _succeed(look, waiting, {"by": "signal", "payload": payload})


def _succeed(look: Look, waiting: WaitingAttempt, output: JSON) -> None:
    look.draft.unschedule(waiting.index)
    text = encode(output, look.limits, "output")
    look.settle(attempts.succeed(look, waiting.index, waiting.number, text, by=output["by"]))


def _open(look: Look, index: int) -> WaitingAttempt | None:
    """The step's attempt that waits, if it still does."""
    found = look.session.waiting(look.loaded.row.id, [index])
    current = [w for w in found if attempts.is_current(look, w.index, w.number, StepStatus.WAITING)]
    return current[0] if current else None


def _early(look: Look, step: StepSpec, name: str) -> ArrivalRow | None:
    """The oldest signal that came before its wait, in an earlier look or in this one."""
    found = [*look.session.kept(look.loaded.row.id, name), *(row for row in look.draft.kept if row.name == name)]
    left = (row for row in found if row.id not in look.draft.consumed)
    return next((row for row in left if _takes(step, json_values.load(row.payload)["payload"])), None)


def _recorded(awaited: Awaited) -> dict[str, JSON]:
    approvers = None if awaited.approvers is None else list(awaited.approvers)
    return {
        "fires_at": wire(awaited.fires_at),
        "times_out_at": wire(awaited.times_out_at),
        "signal": awaited.signal,
        "approval": {"approvers": approvers, "message": awaited.message} if awaited.approval else None,
    }


def _first(awaited: Awaited) -> datetime | None:
    return min((at for at in (awaited.fires_at, awaited.times_out_at) if at is not None), default=None)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse(text)
