"""Cancel steps that are not wanted any more, with all that hangs on them: parts, and children, which are told."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from contract import json_values
from executions.change import Notice
from executions.states import STEP_TERMINAL, AttemptStatus, StepStatus
from orchestrator import attempts
from orchestrator.look import Look
from workflows.spec import StepSpec
from workflows.steps.workflow import ChildRun


def cancel(look: Look, index: int, reason: str) -> None:
    """Cancel one step, unless it has ended or nobody knows what it did."""
    state, step = look.row(index).state, look.spec.step(index)
    if state.status in STEP_TERMINAL | {StepStatus.OUTCOME_UNKNOWN}:
        return
    if state.status is StepStatus.WAITING:
        cancel_below(look, step, reason)
    look.settle(attempts.cancel(look, index, reason))


def cancel_below(look: Look, step: StepSpec, reason: str) -> None:
    """Cancel what a step that waits has started: its parts, its child."""
    if step.body:
        cancel_parts(look, step, reason)
    for child in _children(look, [step.index]).values():
        tell_child(look, child, reason)


def cancel_parts(look: Look, step: StepSpec, reason: str) -> None:
    """Cancel every part that has begun or may begin."""
    for index in open_parts(look, step):
        cancel(look, index, reason)


def cancel_waiting(look: Look, reason: str) -> None:
    """Cancel every step that waits for something outside, a child or its parts."""
    children = _children(look, None)
    begun = [attempt.index for attempt in look.draft.attempts.values() if attempt.status is AttemptStatus.WAITING]
    _add(look, [*children, *begun])
    for index in dict.fromkeys([*children, *begun]):
        if look.draft.rows[index].state.status is StepStatus.WAITING:
            tell_child(look, children.get(index), reason)
            look.settle(attempts.cancel(look, index, reason))


def cancel_children(look: Look, reason: str) -> None:
    """Have every child that has not ended cancelled, whatever its step knows of it."""
    if any(isinstance(step.program, ChildRun) for whole in look.spec.steps for step in (whole, *whole.body)):
        told = {notice.execution_id for notice in look.draft.notices}
        for child in look.session.live_children(look.loaded.row.id):
            if child not in told:
                tell_child(look, child, reason)


def tell_child(look: Look, child: UUID | None, reason: str) -> None:
    """Have this child cancelled."""
    if child is not None:
        payload = json_values.dump({"reason": reason})
        look.draft.notices.append(Notice(child, "cancel", payload, f"execution:{look.loaded.row.id}"))


def open_parts(look: Look, step: StepSpec) -> list[int]:
    """The parts that have begun or may begin, and have not ended."""
    first = look.spec.part(step.index, 0)
    end = first + look.row(step.index).parts_made
    look.draft.add_steps(look.session.unended(look.loaded.row.id, first, end))
    return sorted(index for index in look.draft.rows if first <= index < end and _is_open(look, index))


def _children(look: Look, indexes: Collection[int] | None) -> dict[int, UUID | None]:
    """The children of these steps' attempts that wait, be it since this very look; of all steps without `indexes`."""
    children = {waiting.index: waiting.child for waiting in look.session.waiting(look.loaded.row.id, indexes)}
    handed = (end for end in look.draft.ends if end.status is AttemptStatus.WAITING)
    return children | {end.index: end.child for end in handed if indexes is None or end.index in indexes}


def _is_open(look: Look, index: int) -> bool:
    state = look.draft.rows[index].state
    return state.status not in STEP_TERMINAL and (state.status is not StepStatus.PENDING or state.parents_live > 0)


def _add(look: Look, indexes: Iterable[int]) -> None:
    missing = [index for index in indexes if index not in look.draft.rows]
    if missing:
        look.draft.add_steps(look.session.steps(look.loaded.row.id, missing))
