"""What workers of agents do in the engine's tests: claim, beat, report; leases that end when a test wants it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
from django.utils import timezone
from psycopg.rows import dict_row

from executions import commands
from executions.commands.claiming import Claimed
from executions.commands.reporting import TaskFailed
from executions.models import Execution, Task
from orchestrator.sweep import Swept, sweep
from tenants import registry
from tenants.models import Agent, Tenant
from tests.integration.engine.world import database_url

ACTOR = "api_key:worker"


def agent_step(name: str, *depends_on: str, **members: Any) -> dict[str, Any]:
    """A step that an agent's worker carries out."""
    config = {"task": f"see to {name}", "arguments": {"n": 1}}
    return {"name": name, "type": "agent", "config": config, "depends_on": list(depends_on), **members}


def default_of(tenant: Tenant) -> Agent:
    return registry.default_agent_of(tenant)


def claimed(tenant: Tenant, most: int = 1, agent: Agent | None = None) -> list[Claimed]:
    return commands.claim(agent or default_of(tenant), most, ACTOR)


def one_claimed(tenant: Tenant, agent: Agent | None = None) -> Claimed:
    [task] = claimed(tenant, 1, agent)
    return task


def completed(tenant: Tenant, task: Claimed, output: Any = None) -> None:
    commands.complete_task(default_of(tenant), str(task.task_id), str(task.lease), output, ACTOR)


def failed(tenant: Tenant, task: Claimed, kind: str = "agent_failed", *, retryable: bool = True) -> None:
    error = TaskFailed(kind, "it went wrong", {"n": 1}, retryable)
    commands.fail_task(default_of(tenant), str(task.task_id), str(task.lease), error, ACTOR)


def beaten(tenant: Tenant, task: Claimed) -> Task:
    return commands.beat(default_of(tenant), str(task.task_id), str(task.lease))


def silent_for(seconds: float = 1.0) -> None:
    """Every lease has been over for so long."""
    Task.objects.filter(status="claimed").update(leased_until=timezone.now() - timedelta(seconds=seconds))


def swept() -> Swept:
    with psycopg.connect(database_url(), autocommit=True, row_factory=dict_row) as connection:
        return sweep(connection)


def tasks_of(execution: Execution) -> list[str]:
    """How its tasks stand, in the order in which they were opened."""
    rows = Task.objects.filter(execution=execution).order_by("opened_at", "step_index", "number")
    return list(rows.values_list("status", flat=True))
