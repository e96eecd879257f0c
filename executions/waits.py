"""What a step waits for: the facts, read. What follows from them is said in why.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from contract import json_values
from contract.json_values import JSON
from executions.models import DueStep, Execution, Step, Task
from executions.payloads.references import is_dropped
from executions.plan import StepState, is_ready
from executions.reading import payment_of
from executions.rows import database_now
from executions.states import Intent, Status, StepStatus, TaskStatus
from executions.steps import SteppedOn, spec_of, step_of
from executions.why import Facts, Handed, Parts, Reason, Whole, why
from workflows.spec import COMPENSATIONS, Spec, StepSpec, TaskProgram, WaitProgram


@dataclass(frozen=True, slots=True)
class Explained:
    """A step and everything that it waits for."""

    step: SteppedOn
    reasons: tuple[Reason, ...]


def why_waiting(execution: Execution, named: str) -> Explained:
    """What the step with this name or id waits for: a bounded number of queries. Raises NotFound."""
    spec, found = spec_of(execution), step_of(execution, named)
    row, last = found.row, found.last
    due = DueStep.objects.filter(execution=execution, step_index=found.spec.index).order_by("due_at").first()
    facts = Facts(
        step=found.spec,
        status=StepStatus(found.status),
        whole=_whole(execution, spec),
        before=_before(execution, spec, found.spec),
        attempt=last.number if last else 0,
        worker=last.worker_name if last else None,
        is_open=_is_open(found.spec, row),
        owner=None if found.spec.owner is None else spec.steps[found.spec.owner].name,
        due_at=due.due_at if due else None,
        awaited=_awaited(found),
        parts=Parts(row.parts_made, row.parts_left) if row and found.spec.body else None,
        child=str(last.child) if last and last.child else None,
        handed=_handed(execution, found),
    )
    return Explained(found, why(facts, database_now()))


def _whole(execution: Execution, spec: Spec) -> Whole:
    payment = payment_of(execution)
    return Whole(
        status=Status(execution.status),
        intent=Intent(execution.intent),
        is_due=execution.due_at is not None,
        quarantined=(execution.status_reason or "") if execution.quarantined_at else None,
        order_id=str(payment.order_id) if payment else None,
        concurrency_key=execution.concurrency_key,
        limit=spec.concurrency.limit if spec.concurrency else None,
    )


def _before(execution: Execution, spec: Spec, step: StepSpec) -> dict[str, StepStatus]:
    """How the steps stand that this one comes after."""
    indexes = (*step.parents, *step.handles)
    if not indexes:
        return {}
    statuses = dict(execution.steps.filter(index__in=indexes).values_list("index", "status"))
    return {spec.step(i).name: StepStatus(statuses.get(i, StepStatus.PENDING)) for i in indexes}


def _is_open(step: StepSpec, row: Step | None) -> bool:
    """Whether a step that is pending may begin, by its tokens."""
    if row is None:
        return step.is_root and step.index < COMPENSATIONS
    return is_ready(step, StepState(StepStatus(row.status), row.parents_left, row.parents_live))


def _awaited(step: SteppedOn) -> Mapping[str, JSON]:
    """What a wait recorded as its input."""
    if not isinstance(step.spec.program, WaitProgram) or step.last is None or step.last.input is None:
        return {}
    if is_dropped(step.last.input):
        return {}
    recorded: Mapping[str, JSON] = json_values.load(step.last.input)
    return recorded


def _handed(execution: Execution, step: SteppedOn) -> Handed | None:
    """The task that the newest attempt at an agent's step handed out."""
    if not isinstance(step.spec.program, TaskProgram) or step.last is None:
        return None
    fence = {"step_index": step.spec.index, "number": step.last.number}
    task = Task.objects.filter(execution=execution, **fence).first()
    if task is None:
        return None
    return Handed(str(task.id), str(task.agent_id), TaskStatus(task.status), task.leased_until, task.deadline_at)
