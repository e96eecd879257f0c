"""What came in since the last look: the outcome of an attempt, and what stands in the inbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from contract import json_values
from executions.change import ArrivalRow, AttemptEnd, AttemptRow
from executions.commitments import name_request
from executions.plan import Ended, Headed
from executions.retry import Failure
from executions.states import STEP_MOVES, STEP_TERMINAL, TERMINAL, AttemptStatus, Intent, StepStatus
from orchestrator import agents, attempts, cancelling, waits
from orchestrator.look import Look
from orchestrator.outcomes import Failed, Handed, NotBegun, Outcome, Succeeded, encode
from workflows.spec import COMPENSATIONS, Effect


def take_in_outcome(look: Look, outcome: Outcome) -> None:
    """Record how an attempt came out, if it is still the one that counts."""
    index, number, result = outcome.index, outcome.number, outcome.result
    if not attempts.is_current(look, index, number, StepStatus.RUNNING):
        look.settle()
        _come_late(look, outcome)
        return
    look.widen(index)
    # Nothing else is to be settled before: from what is recorded nothing follows while an attempt runs.
    match result:
        case Succeeded(output):
            look.settle(attempts.succeed(look, index, number, output))
        case Failed(failure) if failure.kind == "cancelled" and look.draft.ending_early:
            look.settle(attempts.cancel(look, index, failure.message))
        case Failed():
            look.settle(attempts.fail(look, index, number, result))
        case Handed(child):
            waits.hand(look, index, number, child)
        case NotBegun():
            look.settle(attempts.lose(look, index, number, Effect.IDEMPOTENT))


def take_in_arrivals(look: Look) -> None:
    """Work the inbox in, in order. To an execution that has ended nothing arrives any more."""
    for arrival in look.loaded.arrivals:
        if look.draft.standing.status in TERMINAL:
            look.draft.consume(arrival)
        else:
            before = {id(happening) for happening in look.draft.happenings}
            _ARRIVALS[arrival.kind](look, arrival)
            told = [happening for happening in look.draft.happenings if id(happening) not in before]
            name_request(told, json_values.load(arrival.payload).get("request_id"))


def head(look: Look, intent: Intent, reason: str) -> None:
    """From now on the execution ends early, unless it does already."""
    look.draft.reason = reason
    look.settle(Headed(intent))


def _come_late(look: Look, outcome: Outcome) -> None:
    """What comes too late changes nothing; but an effect of which nobody knew is known now."""
    index, number, result = outcome.index, outcome.number, outcome.result
    look.draft.tell("step.late_outcome", look.spec.step(index).name, attempt=number)
    ended = look.draft.standing.status in TERMINAL
    if isinstance(result, Handed) and (ended or look.row(index).state.status in STEP_TERMINAL):
        cancelling.tell_child(look, result.child, "the step that started it has ended")
    if ended or not attempts.is_current(look, index, number, StepStatus.OUTCOME_UNKNOWN):
        return
    if isinstance(result, Succeeded):
        _resolve_as_succeeded(look, index, result.output)
    elif isinstance(result, Failed) and not result.failure.ambiguous:
        look.settle(_fail_unknown(look, index, result))


def _cancel(look: Look, arrival: ArrivalRow) -> None:
    look.draft.consume(arrival)
    told = json_values.load(arrival.payload)
    reason = told.get("reason") or f"cancelled by {arrival.actor}"
    look.draft.cause = {"request_id": told["request_id"]} if "request_id" in told else {}
    head(look, Intent.CANCEL, reason)


def _attempt_lost(look: Look, arrival: ArrivalRow) -> None:
    look.draft.consume(arrival)
    told = json_values.load(arrival.payload)
    index, number = told["index"], told["number"]
    if attempts.is_current(look, index, number, StepStatus.RUNNING):
        look.settle(attempts.lose(look, index, number, look.spec.step(index).effect))
    else:
        agents.lose(look, index, number)


def _skip(look: Look, arrival: ArrivalRow) -> None:
    look.draft.consume(arrival)
    told = json_values.load(arrival.payload)
    if _take_over(look, told["index"], "skip", "an operator skips it"):
        look.draft.note(told["index"], reason=told["reason"], by=arrival.actor)
        look.settle(Ended(told["index"], "skip"))


def _complete(look: Look, arrival: ArrivalRow) -> None:
    look.draft.consume(arrival)
    told = json_values.load(arrival.payload)
    index = told["index"]
    if _take_over(look, index, "complete", "an operator gives its output"):
        output = encode(told["output"], look.limits, "output")
        _put_down(look, index, output)
        look.draft.note(index, reason=told["reason"], by=arrival.actor)
        look.settle(Ended(index, "complete"))


def _resolve(look: Look, arrival: ArrivalRow) -> None:
    look.draft.consume(arrival)
    told = json_values.load(arrival.payload)
    index, number = told["index"], told["number"]
    if not attempts.is_current(look, index, number, StepStatus.OUTCOME_UNKNOWN):
        return
    by = {"reason": told["reason"], "by": arrival.actor}
    match told["outcome"]:
        case "succeeded":
            _resolve_as_succeeded(look, index, encode(told["output"], look.limits, "output"), **by)
        case "failed":
            failure = Failure("resolved_as_failed", told["reason"], retryable=False)
            look.settle(_fail_unknown(look, index, Failed(failure), **by))
        case _ if _is_idle_part(look, index):
            failure = Failure("resolved_as_failed", "what it was a part of has ended", retryable=False)
            look.settle(_fail_unknown(look, index, Failed(failure), **by))
        case _:
            look.settle(attempts.retry_now(look, index, number, **by))


def _is_idle_part(look: Look, index: int) -> bool:
    """Whether it is a part of a step that is not at work: it counts for nothing, or will begin anew."""
    owner = look.spec.step(index).owner
    if owner is None or index >= COMPENSATIONS:
        return False
    return look.row(owner).state.status is not StepStatus.WAITING


def _resolve_as_succeeded(look: Look, index: int, output: str, **told: str) -> None:
    _put_down(look, index, output)
    look.draft.note(index, **told)
    look.settle(Ended(index, "complete"))


def _fail_unknown(look: Look, index: int, result: Failed, **told: str) -> Ended:
    look.draft.note(index, kind=result.failure.kind, message=result.failure.message[:500], **told)
    look.draft.failures[index] = result.failure.message
    return Ended(index, "fail")


def _take_over(look: Look, index: int, move: str, reason: str) -> bool:
    """Whether an operator may still end the step by this move; what is open of it is closed."""
    row, step = look.row(index), look.spec.step(index)
    if row.state.status not in STEP_MOVES[move].sources or _is_idle_part(look, index):
        return False
    look.draft.unschedule(index)
    if row.state.status is StepStatus.WAITING:
        cancelling.cancel_below(look, step, reason)
        look.draft.end(AttemptEnd(index, row.attempts, AttemptStatus.CANCELLED))
    return True


def _put_down(look: Look, index: int, output: str) -> None:
    """An attempt that holds the output which was given for the step."""
    attempt: AttemptRow = look.draft.begin(index, None, AttemptStatus.SUCCEEDED)
    look.draft.end(AttemptEnd(index, attempt.number, AttemptStatus.SUCCEEDED, output))
    look.values.know(index, output)


_ARRIVALS: Mapping[str, Callable[[Look, ArrivalRow], None]] = {
    "cancel": _cancel,
    "agent_denied": agents.denied,
    "attempt_lost": _attempt_lost,
    "signal": waits.signal,
    "decision": waits.decide,
    "child_ended": waits.child_ended,
    "skip": _skip,
    "complete": _complete,
    "resolve": _resolve,
    "task_reported": agents.reported,
}
