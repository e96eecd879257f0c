"""Everything recounted from the statuses of an execution's steps alone: what plan.py keeps up step by step. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from executions.plan import Counters, StepState, continues, is_ready, latched
from executions.states import STEP_TERMINAL, StepStatus
from workflows.spec import COMPENSATIONS, PARTS, OnFailure, Spec, StepSpec


@dataclass(frozen=True, slots=True)
class Survey:
    """Everything recounted: the counters, each step's tokens, the steps that are ready or due a retry."""

    counters: Counters
    steps: Mapping[int, StepState]
    ready: frozenset[int]


def survey(spec: Spec, statuses: Mapping[int, StepStatus], opened: Collection[int] = ()) -> Survey:
    """The full plan, from the statuses of all steps alone. Cost grows with the execution: for tests and redrives.

    `opened`: which of those that begin only when they are opened were, though they are still pending.
    """
    steps = {index: _recount(spec, statuses, index, index in opened) for index in statuses}
    for index, state in list(steps.items()):
        owner = spec.step(index).owner
        if owner is not None and index < COMPENSATIONS:
            steps[owner] = _counting(steps[owner], spec.step(index), state)
    pending = {index: state for index, state in steps.items() if state.status is StepStatus.PENDING}
    ready = {index for index, state in pending.items() if is_ready(spec.step(index), state)}
    ready |= {index for index, state in steps.items() if state.status is StepStatus.RETRYING}
    standing = [state.status for state in steps.values()]
    counters = Counters(
        left=sum(status not in STEP_TERMINAL for index, status in statuses.items() if index < PARTS),
        running=standing.count(StepStatus.RUNNING),
        ready=len(ready),
        waiting=standing.count(StepStatus.WAITING) + standing.count(StepStatus.OUTCOME_UNKNOWN),
    )
    return Survey(counters, steps, frozenset(ready))


def _recount(spec: Spec, statuses: Mapping[int, StepStatus], index: int, opened: bool) -> StepState:
    step = spec.step(index)
    tokens = [continues(spec.step(p).on_failure, statuses[p]) for p in step.parents if statuses[p] in STEP_TERMINAL]
    tokens += [statuses[h] is StepStatus.FAILED for h in step.handles if statuses[h] in STEP_TERMINAL]
    if latched(step) and (opened or statuses[index] is not StepStatus.PENDING):
        tokens.append(True)
    edges = len(step.parents) + len(step.handles) + latched(step)
    return StepState(statuses[index], edges - len(tokens), sum(tokens))


def _counting(owner: StepState, step: StepSpec, part: StepState) -> StepState:
    left = part.status not in STEP_TERMINAL
    return owner._replace(
        parts_left=owner.parts_left + left,
        parts_open=owner.parts_open + (left and latched(step) and part.parents_left == 0),
        parts_failed=owner.parts_failed + (part.status is StepStatus.FAILED and step.on_failure is OnFailure.FAIL),
    )
