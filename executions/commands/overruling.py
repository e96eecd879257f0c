"""What may be decided in a step's place: skip it, give its output, say how an unknown outcome came out."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db import transaction

from contract.json_values import JSON
from contract.problems import Conflict
from executions.commands.inbox import arrive, check_live, check_size
from executions.models import ArrivalKind
from executions.rows import lock
from executions.states import STEP_MOVES, StepStatus
from executions.steps import step_of

OUTCOMES = ("succeeded", "failed", "retry")
"""How an unknown outcome may be resolved."""


def skip(execution_id: UUID, step: str, reason: str, actor: str) -> None:
    """Go on as if the step were not needed. `step` is its name or its id.

    Raises NotFound; Conflict where the execution has ended, or the step runs or has ended (step_not_open).
    """
    _overrule(execution_id, step, ArrivalKind.SKIP, {"reason": reason}, actor)


def complete(execution_id: UUID, step: str, output: JSON, reason: str, actor: str) -> None:
    """Go on as if the step had succeeded with this output. Raises as skip does; InvalidContent if it is too large."""
    _overrule(execution_id, step, ArrivalKind.COMPLETE, {"reason": reason, "output": output}, actor)


def resolve(execution_id: UUID, step: str, outcome: str, output: JSON, *, reason: str, actor: str) -> None:
    """Say how a step came out of which nobody knows: one of OUTCOMES; `output` goes with succeeded.

    Raises NotFound; Conflict where the execution has ended, or the step's outcome is known (not_unknown);
    InvalidContent where the output is too large.
    """
    with transaction.atomic():
        execution = lock(execution_id)
        found = step_of(execution, step)
        check_live(execution)
        if found.status != StepStatus.OUTCOME_UNKNOWN or found.last is None:
            raise Conflict(f"the outcome of the step {found.spec.name!r} is not unknown", reason="not_unknown")
        check_size(output, "/output")
        payload = {
            "index": found.spec.index,
            "number": found.last.number,
            "outcome": outcome,
            "output": output,
            "reason": reason,
        }
        arrive(execution, ArrivalKind.RESOLVE, payload, actor)


def _overrule(execution_id: UUID, step: str, kind: ArrivalKind, told: dict[str, JSON], actor: str) -> None:
    possible: Collection[StepStatus] = STEP_MOVES[kind.value].sources
    with transaction.atomic():
        execution = lock(execution_id)
        found = step_of(execution, step)
        check_live(execution)
        if found.status not in possible:
            raise Conflict(f"the step {found.spec.name!r} is {found.status}", reason="step_not_open")
        check_size(told.get("output"), "/output")
        arrive(execution, kind, {"index": found.spec.index, **told}, actor)
