"""How an execution ends: what still runs or waits is let go, what took effect is undone, the output is made."""

from __future__ import annotations

from datetime import timedelta

from contract.json_values import JSON
from executions.change import AttemptEnd, AttemptRow, Change, NewStep, StepRow
from executions.plan import Headed, Opened, StepState
from executions.states import DEADLINE, AttemptStatus, Intent, StepStatus
from orchestrator import attempts, cancelling
from orchestrator.look import Look
from orchestrator.outcomes import Limits, encode
from workflows.bindings import compile_outcome
from workflows.expressions import ExpressionInvalid
from workflows.failures import StepFailed
from workflows.spec import COMPENSATIONS, Effect

GRACE = timedelta(seconds=10)
"""How long what runs may go on after a cancel or a deadline."""


def let_go(look: Look) -> None:
    """Of an execution that ends early: cancel what waits, and what runs once its grace is over."""
    draft = look.draft
    reason = draft.standing.status_reason or "the execution ends"
    if draft.standing.counters.waiting:
        cancelling.cancel_waiting(look, reason)
    hurried = draft.standing.intent is Intent.CANCEL or draft.standing.status_reason == DEADLINE
    if not hurried or not draft.standing.counters.running or draft.standing.compensating:
        return
    if draft.standing.grace_at is None:
        draft.standing = draft.standing._replace(grace_at=draft.now + GRACE)
    elif draft.standing.grace_at <= draft.now:
        _close_running(look, reason)


def compensate_next(look: Look) -> bool:
    """Begin to undo the step that succeeded last and was not undone yet; whether there was one."""
    index = _last_to_compensate(look)
    if index is None:
        return False
    if not look.draft.due_cleared:
        look.draft.drop_due()
    undoing, state = COMPENSATIONS + index, StepState(StepStatus.PENDING, 1)
    before = look.session.steps(look.loaded.row.id, [undoing]).get(undoing, StepRow(state))
    row = StepRow(state, attempts=before.attempts, generation=before.generation)
    look.draft.make({undoing: row}, {undoing: NewStep(look.spec.step(undoing).name)})
    look.settle(Opened(undoing))
    return True


def _last_to_compensate(look: Look) -> int | None:
    """Among those that succeeded in this very look, which no query finds, the last of the definition counts as last."""
    rows, written = look.draft.rows, look.loaded.row.standing.steps_made
    undone = [step.index for step in look.spec.steps if step.compensation is not None]
    undone = [index for index in undone if COMPENSATIONS + index not in rows]
    given: list[AttemptRow | AttemptEnd] = [*look.draft.attempts.values(), *look.draft.ends]
    here = {attempt.index for attempt in given if attempt.status is AttemptStatus.SUCCEEDED}
    recent = [i for i in undone if i in here and rows[i].state.status is StepStatus.SUCCEEDED]
    if recent or not written or not undone:
        return max(recent, default=None)
    return look.session.to_compensate(look.loaded.row.id, undone)


def conclude(look: Look) -> Change:
    """The change, with the output where the execution succeeds; one whose output cannot be made fails."""
    if look.draft.ending is not None:
        cancelling.cancel_children(look, look.draft.standing.status_reason or "its parent ended")
    if look.draft.ending != "succeed":
        return look.draft.change()
    assert look.output is not None, "what succeeds has its output"
    value, output = look.output
    return look.draft.change(output, _outcome(look, value))


def make_output(look: Look) -> None:
    """Make the output of an execution that has nothing left to do; where that fails, it heads for its failure."""
    if look.draft.ending != "succeed":
        return
    try:
        value = _output(look)
        look.output = (value, encode(value, Limits(look.limits.joined_bytes), "output"))
    except StepFailed as failed:
        look.draft.reason = f"the output could not be made: {failed.message}"[:2000]
        look.settle(Headed(Intent.FAIL))


def _close_running(look: Look, reason: str) -> None:
    for attempt in look.session.running(look.loaded.row.id):
        if not attempts.is_current(look, attempt.index, attempt.number, StepStatus.RUNNING):
            continue
        if look.spec.step(attempt.index).effect is Effect.AT_MOST_ONCE:
            look.settle(attempts.lose(look, attempt.index, attempt.number, Effect.AT_MOST_ONCE))
        else:
            look.settle(attempts.cancel(look, attempt.index, reason))


def _output(look: Look) -> JSON:
    template = look.spec.output
    if template is None:
        return look.values.outputs({look.spec.steps[index].name: index for index in look.spec.sinks})
    return template.resolve(look.values.of_output(template.all_references()))


def _outcome(look: Look, output: JSON) -> tuple[str | None, str | None]:
    """The template's verdict (value, error): an expression that errors or gives no text leaves the value null."""
    source = look.loaded.row.asked.outcome_expression
    if source is None:
        return None, None
    try:
        value = compile_outcome(source).evaluate({"output": output})
    except (StepFailed, ExpressionInvalid) as error:
        return None, str(error)
    return (value, None) if isinstance(value, str) else (None, f"the outcome {source!r} gave no text")
