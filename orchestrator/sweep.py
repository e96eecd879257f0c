"""Find what nobody is moving, and wake somebody: lost messages, dead workers, retries, deadlines.

A sweep decides nothing about an execution: it puts lost attempts into inboxes and announces what is due.
Any number of sweepers may run.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog
from psycopg.rows import dict_row

from contract import json_values
from executions.allowed import TASKS, denial
from executions.commands import claiming
from tenants.idempotency import KEPT_FOR

log = structlog.get_logger(__name__)

EVERY_SECONDS = 0.5
SHORTEST_SECONDS = 0.02
GRACE_SECONDS = 5.0
"""No lease ends within this time of the server's own start: an outage of the database must not orphan everybody."""
UNLISTED_SECONDS = 3.0
FORGET_EVERY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep found: attempts put down as lost; tasks withdrawn from agents; executions that nobody had woken;
    whether anything is due; seconds until the next thing is."""

    lost: int
    denied: int
    woken: int
    due: bool
    next_due: float


def sweep(connection: psycopg.Connection[dict[str, Any]]) -> Swept:
    """One look. Each statement is a transaction of its own; `connection` is in autocommit."""
    lost = connection.execute(_LOST, {"grace": GRACE_SECONDS, "unlisted": UNLISTED_SECONDS}).fetchall()
    lost += connection.execute(_SILENT, {"start": claiming.AFTER_A_START}).fetchall()
    for row in lost:
        log.warning(
            "attempt_lost", execution_id=str(row["execution_id"]), step=row["step_index"], attempt=row["number"]
        )
    woken = sum(connection.execute(statement).rowcount for statement in (_UNHEARD, _NEXT_IN_LINE))
    found = connection.execute(_NEXT_DUE).fetchone()
    seconds = EVERY_SECONDS if found is None or found["seconds"] is None else found["seconds"]
    return Swept(len(lost), _deny(connection), woken, due=seconds <= 0, next_due=seconds)


def _deny(connection: psycopg.Connection[dict[str, Any]]) -> int:
    """Withdraw the tasks of agents that may not carry them out any more; their steps fail for it."""
    denied = {}
    for agent in connection.execute(_AGENTS_AT_WORK).fetchall():
        reason = denial(agent["name"], agent["status"], agent["actions"], TASKS)
        if reason is not None:
            denied[str(agent["id"])] = reason
    if not denied:
        return 0
    told = [{"id": agent, "reason": reason} for agent, reason in denied.items()]
    return connection.execute(_DENY, {"denied": json_values.dump(told)}).rowcount


def forget(connection: psycopg.Connection[dict[str, Any]]) -> None:
    """Delete what nobody can need any more, a bounded number at a time: old leases, answers past their 30 days."""
    connection.execute(_FORGET_LEASES)
    connection.execute(_FORGET_ANSWERS, {"kept": KEPT_FOR})
    connection.execute(_CLOSE_INBOXES)


def sweep_for_ever(url: str, announce: Callable[[], None], over: threading.Event) -> None:
    """Sweep until `over` is set, through any outage of the database."""
    while not over.is_set():
        try:
            with psycopg.connect(url, autocommit=True, row_factory=dict_row, options=_OPTIONS) as connection:
                _sweep_on(connection, announce, over)
        except psycopg.Error as error:
            log.warning("sweep_failed", error=str(error))
            over.wait(EVERY_SECONDS)


def _sweep_on(
    connection: psycopg.Connection[dict[str, Any]], announce: Callable[[], None], over: threading.Event
) -> None:
    pause, forgotten = EVERY_SECONDS, 0.0
    while not over.wait(pause):
        found = sweep(connection)
        if found.due:
            announce()
        pause = EVERY_SECONDS if found.due else min(max(found.next_due, SHORTEST_SECONDS), EVERY_SECONDS)
        if time.monotonic() - forgotten > FORGET_EVERY_SECONDS:
            forget(connection)
            forgotten = time.monotonic()


_OPTIONS = "-c statement_timeout=10s -c lock_timeout=5s -c timezone=UTC -c application_name=traceway-sweeper"

# An attempt is lost when its worker's lease ended, or a beat well after its start does not list it. The execution
# is locked without waiting; one that is busy is found again by the next sweep, as is one whose inbox has it already.
_LOST = """
WITH orphan AS (
  SELECT a.execution_id, a.step_index, a.number
  FROM attempt a
  JOIN execution e ON e.id = a.execution_id
  LEFT JOIN worker w ON w.boot_id = a.worker
  WHERE a.status = 'running'
    AND pg_postmaster_start_time() < clock_timestamp() - %(grace)s * interval '1 second'
    AND a.started_at < clock_timestamp() - %(unlisted)s * interval '1 second'
    AND (w.boot_id IS NULL OR w.expires_at < clock_timestamp()
      OR (w.beat_at > a.started_at + %(unlisted)s * interval '1 second'
        AND NOT (a.execution_id || ':' || a.step_index || ':' || a.number) = ANY(w.held)))
    AND NOT EXISTS (SELECT FROM inbox i WHERE i.execution_id = a.execution_id AND i.consumed_at IS NULL
      AND i.kind = 'attempt_lost' AND i.payload::json->>'index' = a.step_index::text)
  LIMIT 100 FOR NO KEY UPDATE OF e SKIP LOCKED
), woken AS (
  UPDATE execution SET seq = seq + 1, due_at = LEAST(due_at, clock_timestamp())
  FROM (SELECT DISTINCT execution_id FROM orphan) o WHERE execution.id = o.execution_id
)
INSERT INTO inbox (execution_id, kind, payload, actor, created_at)
SELECT execution_id, 'attempt_lost', json_build_object('index', step_index, 'number', number)::text, 'sweeper',
  clock_timestamp()
FROM orphan
RETURNING execution_id, payload::json->>'index' AS step_index, payload::json->>'number' AS number"""

# The same of a worker of an agent: its lease is over. Nobody may report on the task from here on.
_SILENT = """
WITH silent AS (
  SELECT t.id, t.execution_id, t.step_index, t.number FROM task t JOIN execution e ON e.id = t.execution_id
  WHERE t.status = 'claimed' AND t.leased_until < statement_timestamp() AND e.quarantined_at IS NULL
    AND pg_postmaster_start_time() < statement_timestamp() - %(start)s
  ORDER BY t.leased_until LIMIT 100 FOR NO KEY UPDATE OF e, t SKIP LOCKED
), withdrawn AS (
  UPDATE task SET status = 'withdrawn' FROM silent WHERE task.id = silent.id
), woken AS (
  UPDATE execution SET seq = seq + 1, due_at = LEAST(due_at, clock_timestamp())
  FROM (SELECT DISTINCT execution_id FROM silent) s WHERE execution.id = s.execution_id
)
INSERT INTO inbox (execution_id, kind, payload, actor, created_at)
SELECT execution_id, 'attempt_lost', json_build_object('index', step_index, 'number', number)::text, 'sweeper',
  clock_timestamp()
FROM silent
RETURNING execution_id, payload::json->>'index' AS step_index, payload::json->>'number' AS number"""

# Every agent that has a task to be claimed, or claimed: one look into the index for each.
_AGENTS_AT_WORK = """
WITH RECURSIVE at_work(agent_id) AS (
  (SELECT agent_id FROM task WHERE status IN ('open', 'claimed') ORDER BY agent_id LIMIT 1)
  UNION ALL
  SELECT (SELECT t.agent_id FROM task t WHERE t.status IN ('open', 'claimed') AND t.agent_id > w.agent_id
    ORDER BY t.agent_id LIMIT 1)
  FROM at_work w WHERE w.agent_id IS NOT NULL
)
SELECT a.id, a.name, a.status, a.actions FROM at_work w JOIN tenants_agent a ON a.id = w.agent_id"""

_DENY = """
WITH denied AS (
  SELECT t.id, t.execution_id, t.step_index, t.number, d.reason
  FROM json_to_recordset(%(denied)s) AS d(id uuid, reason text)
  CROSS JOIN LATERAL (
    SELECT w.id, w.execution_id, w.step_index, w.number FROM task w JOIN execution e ON e.id = w.execution_id
    WHERE w.agent_id = d.id AND w.status IN ('open', 'claimed') AND e.quarantined_at IS NULL
    LIMIT 100 FOR NO KEY UPDATE OF e, w SKIP LOCKED) AS t
  LIMIT 100
), withdrawn AS (
  UPDATE task SET status = 'withdrawn' FROM denied WHERE task.id = denied.id
), woken AS (
  UPDATE execution SET seq = seq + 1, due_at = LEAST(due_at, clock_timestamp())
  FROM (SELECT DISTINCT execution_id FROM denied) d WHERE execution.id = d.execution_id
)
INSERT INTO inbox (execution_id, kind, payload, actor, created_at)
SELECT execution_id, 'agent_denied',
  json_build_object('index', step_index, 'number', number, 'message', reason)::text, 'sweeper', clock_timestamp()
FROM denied"""

# Something arrived while its execution was locked, so that whoever put it there could not wake it.
_UNHEARD = """
UPDATE execution SET seq = seq + 1, due_at = clock_timestamp() WHERE id IN (
  SELECT e.id FROM execution e
  WHERE e.id IN (SELECT execution_id FROM inbox WHERE consumed_at IS NULL AND kept_at IS NULL
      AND created_at < clock_timestamp() - interval '0.5 seconds')
    AND (e.due_at IS NULL OR e.due_at > clock_timestamp()) AND e.finished_at IS NULL AND e.quarantined_at IS NULL
    AND e.status <> 'awaiting_payment'
  LIMIT 100 FOR NO KEY UPDATE OF e SKIP LOCKED)"""

# Whoever frees a place wakes the next in line, unless that was just finding out that there was none.
_NEXT_IN_LINE = """
UPDATE execution SET seq = seq + 1, due_at = clock_timestamp() WHERE id IN (
  SELECT e.id FROM execution e
  WHERE e.concurrency_key IS NOT NULL AND e.status = 'workflow_queued' AND e.due_at IS NULL AND e.intent = 'run'
    AND e.quarantined_at IS NULL
    AND NOT EXISTS (SELECT FROM execution h WHERE h.concurrency_key = e.concurrency_key
      AND (h.status IN ('workflow_running', 'workflow_waiting')
        OR (h.status = 'workflow_queued' AND h.due_at IS NOT NULL)))
    AND NOT EXISTS (SELECT FROM execution o WHERE o.concurrency_key = e.concurrency_key
      AND o.status = 'workflow_queued' AND o.intent = 'run' AND o.quarantined_at IS NULL
      AND (-o.priority, o.queued_at, o.id) < (-e.priority, e.queued_at, e.id))
  LIMIT 100 FOR NO KEY UPDATE OF e SKIP LOCKED)"""

# The index begins with the priority: one look into it for each.
_NEXT_DUE = """
SELECT EXTRACT(epoch FROM min(next.due_at) - clock_timestamp())::float AS seconds
FROM generate_series(0, 9) AS lane(priority)
CROSS JOIN LATERAL (SELECT due_at FROM execution e WHERE e.priority = lane.priority AND e.due_at IS NOT NULL
  ORDER BY due_at LIMIT 1) AS next"""

_CLOSE_INBOXES = """
UPDATE inbox SET consumed_at = clock_timestamp() WHERE id IN (
  SELECT i.id FROM inbox i JOIN execution e ON e.id = i.execution_id
  WHERE i.consumed_at IS NULL AND i.kept_at IS NULL AND e.finished_at IS NOT NULL
  LIMIT 1000 FOR UPDATE OF i SKIP LOCKED)"""

# The times are the statements', for which an index is asked; one that goes on would be compared with row by row.
_FORGET_LEASES = "DELETE FROM worker WHERE expires_at < statement_timestamp() - interval '1 day'"

_FORGET_ANSWERS = """
DELETE FROM tenants_idempotentrequest WHERE id IN (
  SELECT id FROM tenants_idempotentrequest WHERE created_at < statement_timestamp() - %(kept)s ORDER BY created_at
  LIMIT 1000 FOR UPDATE SKIP LOCKED)"""
