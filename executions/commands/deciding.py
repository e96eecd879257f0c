"""Approve or reject what a step waits to have approved."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db import transaction

from contract import json_values
from contract.json_values import JSON
from contract.problems import Conflict, Forbidden
from executions.commands.inbox import arrive
from executions.models import Arrival, ArrivalKind, Execution
from executions.rows import lock
from executions.states import AttemptStatus, StepStatus
from executions.steps import SteppedOn, step_of


def decide(
    execution_id: UUID, step: str, *, approved: bool, comment: str | None, actor: str, called: Collection[str] | None
) -> None:
    """Put down that `actor` approved or rejected, whom the step's approvers may name by one of the names `called`.

    With None it counts whoever they are, as an operator's does. `step` is its name or its id. Raises NotFound;
    Conflict where nothing there waits for an approval (not_waiting) or a decision is on its way (already_decided);
    Forbidden (not_an_approver).
    """
    with transaction.atomic():
        execution = lock(execution_id)
        found = step_of(execution, step)
        approval, number = _awaited(found)
        approvers = approval["approvers"]
        if called is not None and approvers is not None and not set(approvers).intersection(called):
            raise Forbidden(f"{actor!r} is not one of the step's approvers", reason="not_an_approver")
        _check_undecided(execution, found.spec.index, number)
        payload = {"index": found.spec.index, "number": number, "approved": approved, "comment": comment}
        arrive(execution, ArrivalKind.DECISION, payload, actor)


def _awaited(step: SteppedOn) -> tuple[JSON, int]:
    """The approval that the step's newest attempt waits for, and the attempt's number."""
    last = step.last
    if last is not None and step.status == StepStatus.WAITING and last.status == AttemptStatus.WAITING:
        awaited = json_values.load(last.input or "{}")
        if awaited.get("approval") is not None:
            return awaited["approval"], last.number
    raise Conflict(f"the step {step.spec.name!r} does not wait for an approval", reason="not_waiting")


def _check_undecided(execution: Execution, index: int, number: int) -> None:
    open_ = Arrival.objects.filter(execution=execution, consumed_at__isnull=True, kept_at__isnull=True)
    for text in open_.filter(kind=ArrivalKind.DECISION.value).values_list("payload", flat=True):
        told = json_values.load(text)
        if (told["index"], told["number"]) == (index, number):
            raise Conflict("it has been approved or rejected already", reason="already_decided")
