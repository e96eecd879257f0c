"""Let a data orchestration pass, whatever it came to or will."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from contract import json_values
from contract.json_values import JSON
from contract.problems import FieldProblem, InvalidContent
from executions.commands.inbox import arrive_all
from executions.events import Happening
from executions.models import Arrival, ArrivalKind, Attempt, Execution
from executions.rows import database_now, lock, standing_of, write
from executions.states import AttemptStatus, Status
from executions.steps import spec_of
from workflows.spec import WaitProgram

OUTCOME = "pass"
CONTINUABLE = frozenset({Status.WAITING, Status.SUCCEEDED, Status.FAILED})


def continue_pass(execution_id: UUID, comment: str | None, actor: str) -> None:
    """The outcome is `pass` from now on; of an execution that waits, every approval that is awaited is given.

    Raises InvalidContent (not_continuable) where it neither waits nor has succeeded or failed.
    """
    with transaction.atomic():
        execution = lock(execution_id)
        if Status(execution.status) not in CONTINUABLE:
            message = f"the execution is {execution.status}: only one that waits, succeeded or failed can be continued"
            problem = FieldProblem("/status", "not_continuable", message)
            raise InvalidContent(message, reason="not_continuable", fields=[problem])
        told = Happening("execution.continued", {"outcome": OUTCOME, "comment": comment, "by": actor})
        standing = standing_of(execution)._replace(outcome=OUTCOME, outcome_error=None)
        write(execution, standing, [], [told], database_now())
        if execution.status == Status.WAITING:
            approvals: list[dict[str, JSON]] = [
                {"index": index, "number": number, "approved": True, "comment": comment}
                for index, number in sorted(_awaited(execution) - _decided(execution))
            ]
            arrive_all(execution, ArrivalKind.DECISION, approvals, actor)


def _awaited(execution: Execution) -> set[tuple[int, int]]:
    """Step and number of each attempt that waits for an approval."""
    spec = spec_of(execution)
    waiting = Attempt.objects.filter(execution=execution, status=AttemptStatus.WAITING.value)
    return {
        (attempt.step_index, attempt.number)
        for attempt in waiting.only("step_index", "number", "input")
        if isinstance(spec.step(attempt.step_index).program, WaitProgram)
        and json_values.load(attempt.input or "{}").get("approval") is not None
    }


def _decided(execution: Execution) -> set[tuple[int, int]]:
    """Step and number of each attempt for which a decision is on its way."""
    rows = Arrival.objects.filter(execution=execution, consumed_at__isnull=True, kept_at__isnull=True)
    told = map(json_values.load, rows.filter(kind=ArrivalKind.DECISION.value).values_list("payload", flat=True))
    return {(one["index"], one["number"]) for one in told}
