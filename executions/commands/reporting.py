"""What a worker of an agent says came of the task that it had claimed. Twice the same is once."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from contract import json_values
from contract.json_values import JSON
from executions.commands.claiming import put_down, refusal, task_of
from executions.commands.inbox import arrive, check_size
from executions.events import digest
from executions.models import ArrivalKind, Task
from executions.rows import lock
from tenants.models import Agent


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """Why a task could not be done. `kind` is what `retry.on` of its step may name."""

    kind: str
    message: str
    details: JSON = None
    retryable: bool = True

    def told(self) -> dict[str, JSON]:
        """As it stands in an inbox."""
        return {name: getattr(self, name) for name in self.__slots__}


def complete_task(agent: Agent, task_id: str, lease: str, output: JSON, actor: str) -> Task:
    """The task is done, and `output` its step's.

    Raises NotFound; Conflict where the lease does not count any more (stale_lease) or nobody waits for the task
    (task_ended); InvalidContent where the output is too large.
    """
    return _report(agent, task_id, lease, {"output": output, "error": None}, actor)


def fail_task(agent: Agent, task_id: str, lease: str, error: TaskFailed, actor: str) -> Task:
    """The task could not be done: its step is tried again, or fails. Raises as complete_task does."""
    return _report(agent, task_id, lease, {"output": None, "error": error.told()}, actor)


def _report(agent: Agent, task_id: str, lease: str, told: dict[str, JSON], actor: str) -> Task:
    report = digest(json_values.canonical(told).decode())
    with transaction.atomic():
        task = task_of(agent, task_id)
        execution = lock(task.execution_id)
        if put_down(task, lease, report):
            check_size(told["output"], "/output")
            check_size(told["error"], "/error")
            payload = {"index": task.step_index, "number": task.number, **told}
            arrive(execution, ArrivalKind.TASK_REPORTED, payload, actor)
            return task
        refused = refusal(task, lease)
        if refused.reason == "stale_lease" or task.report != report:
            raise refused
        return task
