"""Claim tasks for a worker of an agent, and keep what was claimed.

No execution is locked: a worker's lease stands on the task alone. What ends a task is reporting.py, or the sweep.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from contract import json_values
from contract.identifiers import parse_id
from contract.json_values import JSON
from contract.problems import Conflict, NotFound
from executions.models import Task
from executions.payloads.reading import text_of
from executions.states import TaskStatus
from tenants.models import Agent

LEASE = timedelta(seconds=60)
"""How long a worker may stay silent before its task is withdrawn."""
AFTER_A_START = LEASE
"""No lease ends within this time of the server's own start: an outage of the database must cost nobody his work."""
MOST_CLAIMED = 100


@dataclass(frozen=True, slots=True)
class Claimed:
    """A task that a worker has now, and what it is to do; `lease` is what it shows from now on."""

    task_id: UUID
    lease: UUID
    task: str
    arguments: JSON
    execution_id: UUID
    step: str
    attempt: int
    deadline: datetime | None


def claim(agent: Agent, most: int, actor: str) -> list[Claimed]:
    """Up to `most` open tasks of the agent, the highest priority first, then the oldest; nobody else has them now."""
    parameters: dict[str, Any] = {"agent": agent.id, "most": most, "actor": actor, "lasts": LEASE}
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        return [_claimed(row) for row in cursor.fetchall()]


def beat(agent: Agent, task_id: str, lease: str) -> Task:
    """The task, its worker's lease made longer. Raises NotFound; Conflict as `refusal` tells."""
    task = task_of(agent, task_id)
    parameters: dict[str, Any] = {"id": task.id, "lease": parse_id(lease), "lasts": LEASE, "start": AFTER_A_START}
    with connection.cursor() as cursor:
        cursor.execute(_BEAT, parameters)
        row = cursor.fetchone()
    if row is None:
        raise refusal(task, lease)
    task.leased_until = row[0]
    return task


def put_down(task: Task, lease: str, report: str) -> bool:
    """Note a worker's report, if its lease still counts; whether it does. The execution is locked by now."""
    parameters: dict[str, Any] = {"id": task.id, "lease": parse_id(lease), "report": report, "start": AFTER_A_START}
    with connection.cursor() as cursor:
        cursor.execute(_PUT_DOWN, parameters)
        changed: int = cursor.rowcount
    return changed == 1


def task_of(agent: Agent, task_id: str) -> Task:
    """The agent's task with this id. Raises NotFound."""
    identifier = parse_id(task_id)
    task = Task.objects.filter(id=identifier, agent=agent).first() if identifier else None
    if task is None:
        raise NotFound("the agent has no such task")
    return task


def refusal(task: Task, lease: str) -> Conflict:
    """Why a worker with this lease may not go on: another has the task (stale_lease), or nobody (task_ended)."""
    task.refresh_from_db()
    if task.lease is None or task.lease != parse_id(lease):
        return Conflict("the task was never claimed under this lease, or was claimed again", reason="stale_lease")
    if task.status in {TaskStatus.CLAIMED, TaskStatus.WITHDRAWN}:
        return Conflict("the lease is over: the task has been given up, or given to others", reason="stale_lease")
    return Conflict("the task has ended: nobody waits for it any more", reason="task_ended")


def _claimed(row: tuple[Any, ...]) -> Claimed:
    task_id, lease, given, execution_id, step, number, deadline = row
    told = json_values.load(text_of(given, execution_id))
    return Claimed(task_id, lease, told["task"], told["arguments"], execution_id, step, number, deadline)


# One look into the index for each priority, the highest first, as far as is needed.
_CLAIM = """
WITH chosen AS MATERIALIZED (
  SELECT found.id FROM unnest(ARRAY[9, 8, 7, 6, 5, 4, 3, 2, 1, 0]) AS lane(priority)
  CROSS JOIN LATERAL (
    SELECT t.id FROM task t
    WHERE t.agent_id = %(agent)s AND t.status = 'open' AND t.priority = lane.priority
    ORDER BY t.opened_at, t.id LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED) AS found
  LIMIT %(most)s
), claimed AS (
  UPDATE task SET status = 'claimed', lease = gen_random_uuid(), leased_until = clock_timestamp() + %(lasts)s,
    claimed_at = clock_timestamp(), claimed_by = %(actor)s
  FROM chosen WHERE task.id = chosen.id
  RETURNING task.*
)
SELECT c.id, c.lease, a.input, c.execution_id, s.name, c.number, c.deadline_at
FROM claimed c
JOIN attempt a ON a.execution_id = c.execution_id AND a.step_index = c.step_index AND a.number = c.number
JOIN step s ON s.execution_id = c.execution_id AND s.index = c.step_index
ORDER BY c.priority DESC, c.opened_at, c.id"""

_LEASED = """
  WHERE id = %(id)s AND lease = %(lease)s AND status = 'claimed'
    AND GREATEST(leased_until, pg_postmaster_start_time() + %(start)s) > clock_timestamp()"""

_BEAT = f"UPDATE task SET leased_until = clock_timestamp() + %(lasts)s {_LEASED} RETURNING leased_until"  # noqa: S608

_PUT_DOWN = f"UPDATE task SET status = 'reported', report = %(report)s {_LEASED}"  # noqa: S608
