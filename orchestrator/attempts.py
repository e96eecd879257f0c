"""How an attempt ends: put down on its row, told in its event, and as the fact that the plan goes on from."""

from __future__ import annotations

from datetime import timedelta

from contract import json_values
from contract.json_values import JSON
from executions import retry
from executions.change import AttemptEnd
from executions.events import Detail
from executions.plan import Ended, Fact, LostTrack, Retrying
from executions.retry import Failure
from executions.states import AttemptStatus, StepStatus
from orchestrator.look import Look
from orchestrator.outcomes import Failed
from workflows.spec import Effect


def is_current(look: Look, index: int, number: int, status: StepStatus) -> bool:
    """Whether this is the step's newest attempt and the step stands so because of it; not once this look ended it."""
    row = look.row(index)
    return row.state.status is status and row.attempts == number and not look.draft.has_ended(index, number)


def succeed(look: Look, index: int, number: int, output: str, **told: Detail) -> Fact:
    look.draft.end(AttemptEnd(index, number, AttemptStatus.SUCCEEDED, output))
    look.draft.note(index, attempt=number, **told)
    look.values.know(index, output)
    return Ended(index, "succeed")


def fail(look: Look, index: int, number: int, result: Failed, **told: Detail) -> Fact:
    """The attempt failed: another follows, or the step has failed, or nobody knows what it did."""
    step, failure = look.spec.step(index), result.failure
    error = _error(failure.kind, failure.message, result.details)
    if failure.ambiguous and step.effect is Effect.AT_MOST_ONCE:
        return _lose_track(look, index, number, error, failure.kind)
    look.draft.end(AttemptEnd(index, number, AttemptStatus.FAILED, result.output, error))
    seed = f"{look.loaded.row.id}:{index}"
    seconds = retry.delay(step.retry, look.draft.rows[index].failures, failure, result.details, seed)
    return _again_or_fail(look, index, number, failure, None if step.effect is Effect.PURE else seconds, **told)


def lose(look: Look, index: int, number: int, effect: Effect) -> Fact:
    """The attempt's worker is gone. What must not be repeated is for an operator to resolve."""
    error = _error("lost", "the worker that carried this out is gone")
    if effect is Effect.AT_MOST_ONCE:
        return _lose_track(look, index, number, error, "lost")
    look.draft.end(AttemptEnd(index, number, AttemptStatus.LOST, error=error))
    losses = look.draft.rows[index].losses
    failure = Failure("lost", f"{losses} workers were lost while they carried this step out")
    return _again_or_fail(look, index, number, failure, retry.lost_delay(losses))


def cancel(look: Look, index: int, reason: str) -> Fact:
    """The step is not wanted any more; whatever its attempt comes to is late."""
    row = look.row(index)
    look.draft.unschedule(index)
    if look.claim is not None and look.claim.step.index == index:
        look.claim = None
    if row.state.status in {StepStatus.RUNNING, StepStatus.WAITING}:
        error = _error("cancelled", reason)
        look.draft.end(AttemptEnd(index, row.attempts, AttemptStatus.CANCELLED, error=error))
    look.draft.note(index, reason=reason, **look.draft.cause)
    return Ended(index, "cancel")


def retry_now(look: Look, index: int, number: int, **told: Detail) -> Fact:
    """An operator has it tried again, with the same key: nobody knows whether its effect came about."""
    look.draft.note(index, attempt=number, **told)
    look.ready.append(index)
    return Retrying(index)


def _lose_track(look: Look, index: int, number: int, error: str, kind: str) -> Fact:
    look.draft.end(AttemptEnd(index, number, AttemptStatus.OUTCOME_UNKNOWN, error=error))
    look.draft.note(index, attempt=number, kind=kind)
    return LostTrack(index)


def _again_or_fail(
    look: Look, index: int, number: int, failure: Failure, seconds: float | None, **told: Detail
) -> Fact:
    look.draft.note(index, attempt=number, kind=failure.kind, message=failure.message[:500], **told)
    if seconds is not None and _may_go_on(look, index) and _begin_parts_anew(look, index):
        look.draft.schedule(index, look.draft.now + timedelta(seconds=seconds))
        return Retrying(index)
    look.draft.failures[index] = failure.message
    return Ended(index, "fail")


def _begin_parts_anew(look: Look, index: int) -> bool:
    """Have a step that is tried again begin with no parts; False if one may have had an effect not to be repeated."""
    row, first = look.row(index), look.spec.part(index, 0)
    if not row.parts_made:
        return True
    look.draft.add_steps(look.session.steps(look.loaded.row.id, range(first, first + row.parts_made)))
    parts = [look.draft.rows[part].state.status for part in range(first, first + row.parts_made)]
    if StepStatus.OUTCOME_UNKNOWN in parts:
        return False
    state = row.state._replace(parts_left=0, parts_open=0, parts_failed=0)
    look.draft.make({index: row._replace(state=state, parts_made=0, parts_opened=0)}, {})
    return True


def _may_go_on(look: Look, index: int) -> bool:
    """Whether another attempt may follow: of a paused execution it waits, of one that ends early none does."""
    return look.draft.may_begin(index) or not look.draft.ending_early


def _error(kind: str, message: str, details: JSON = None) -> str:
    return json_values.stored({"kind": kind, "message": message, "details": details})
