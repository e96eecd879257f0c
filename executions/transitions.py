"""The one writer of status: every change of an execution goes through a statement of this file.

`apply` is one statement guarded by the `seq` that was read and by the statuses that the table of
moves allows; it changes everything or nothing and says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from contract import json_values
from executions.change import NOBODY, PLAIN_COLUMNS, Carrier, Change, Standing
from executions.events import EventRow
from executions.states import CREATED, LIVE, IllegalMove, target


class Cursor(Protocol):
    """What is needed of a database cursor: Django's and psycopg's both have it."""

    @property
    def rowcount(self) -> int: ...

    def execute(self, query: str, params: dict[str, Any]) -> Any: ...
    def fetchone(self) -> Any: ...


class Condition(NamedTuple):
    """Something is written only where this SELECT finds a row; it may name the parameters of what is written, too."""

    text: str
    parameters: dict[str, Any]


ALWAYS = Condition("SELECT", {})


def insert(
    cursor: Cursor,
    created: dict[str, Any],
    standing: Standing,
    events: list[EventRow],
    condition: Condition = ALWAYS,
) -> bool:
    """Create an execution in a status that CREATED allows; whether the condition was met: else nothing is written.

    `created` holds what never changes of the execution, and each column of its submission (ASKED).
    """
    if standing.status not in CREATED:
        raise IllegalMove("create", standing.status)
    head, columns = events[-1], _columns(standing)
    cursor.execute(
        _insertion(condition.text),
        created
        | condition.parameters
        | {name: columns[name] for name in _AT_FIRST}
        | {"sequence": head.sequence, "head": head.hash, "now": head.created_at}
        | {"events": json_values.dump(_event_rows(events))},
    )
    return cursor.rowcount > 0


def apply(cursor: Cursor, change: Change, carrier: Carrier = NOBODY) -> None:
    """Send the change; `applied` reads the answer. Raises IllegalMove, for a move not in the table."""
    _guard(change)
    rows = _rows(change)
    sequence, head = change.head
    parameters = _columns(change.standing) | {
        "id": change.before.id,
        "seq": change.before.seq,
        "from_status": change.before.standing.status.value,
        "sequence": sequence,
        "head": head,
        "now": change.now,
        "boot_id": carrier.boot_id,
        "worker_name": carrier.name,
        "code_version": carrier.code_version,
    }
    parameters |= {name: json_values.dump(found) for name, found in rows.items()}
    agent = change.before.agent if change.attempts else None
    if agent is not None:
        parameters |= {"agent_id": agent.id, "agent_status": agent.status, "agent_actions": list(agent.actions)}
    cursor.execute(_statement(tuple(rows), agent is not None), parameters)


def applied(cursor: Cursor) -> bool:
    """Whether the change that was sent took effect: False means that the execution had moved on."""
    row = cursor.fetchone()
    return bool(row[0])


def push_back(cursor: Cursor, execution_id: UUID, now: datetime, reason: str) -> None:
    """Before an overdue execution is tried again: move it 5 s * 2^tries away; after five tries quarantine it."""
    cursor.execute(_PUSH_BACK, {"id": execution_id, "now": now, "reason": reason})


@cache
def _insertion(condition: str) -> str:
    return _INSERT.format(condition=condition)


def _guard(change: Change) -> None:
    status = change.before.standing.status
    for move in change.moves:
        status = target(move, status)
    if status is not change.standing.status:
        raise IllegalMove(f"a change to {change.standing.status.value} by {list(change.moves)}", status)


def _columns(standing: Standing) -> dict[str, Any]:
    columns = {name: getattr(standing, name) for name in PLAIN_COLUMNS}
    return columns | {
        "status": standing.status.value,
        "intent": standing.intent.value,
        "steps_left": standing.counters.left,
        "steps_running": standing.counters.running,
        "steps_ready": standing.counters.ready,
        "steps_waiting": standing.counters.waiting,
    }


def _event_rows(events: Sequence[EventRow]) -> list[dict[str, Any]]:
    return [
        {"sequence": e.sequence, "type": e.type, "step": e.step, "body": e.body, "hash": e.hash.hex()} for e in events
    ]


def _rows(change: Change) -> dict[str, list[Any]]:
    """The parts of the change that hold anything, in the order of _PARTS, as rows for json_to_recordset."""
    news = change.new_steps
    parts: dict[str, list[Any]] = {
        "steps_new": [_new_step(change, index) for index in news],
        "steps_moved": [_step(change, index) for index in change.steps if index not in news],
        "ends": _plain(change.ends),
        "attempts": _plain(change.attempts),
        "tasks": _plain(change.tasks),
        "tasks_closed": _plain(change.tasks_closed),
        "due_cleared": [True] if change.due_cleared else [],
        "due_gone": [] if change.due_cleared else _plain(change.due_gone),
        "due_new": _plain(change.due_new),
        "consumed": [{"id": row} for row in change.consumed],
        "kept": [{"id": row} for row in change.kept],
        "notices": _plain(change.notices),
        "frees": [change.frees] if change.frees is not None else [],
        "events": _event_rows(change.events),
    }
    return {name: rows for name, rows in parts.items() if rows}


def _plain(rows: Sequence[Any]) -> list[dict[str, Any]]:
    return [{name: getattr(row, name) for name in row.__slots__} for row in rows]


def _step(change: Change, index: int) -> dict[str, Any]:
    row = change.steps[index]
    return {
        "index": index,
        "status": row.state.status.value,
        "parents_left": row.state.parents_left,
        "parents_live": row.state.parents_live,
        "parts_left": row.state.parts_left,
        "parts_open": row.state.parts_open,
        "parts_failed": row.state.parts_failed,
        "attempts": row.attempts,
        "failures": row.failures,
        "losses": row.losses,
        "generation": row.generation,
        "parts_made": row.parts_made,
        "parts_opened": row.parts_opened,
    }


def _new_step(change: Change, index: int) -> dict[str, Any]:
    new = change.new_steps[index]
    return _step(change, index) | {"name": new.name, "item": new.item}


@cache
def _statement(parts: tuple[str, ...], of_agent: bool) -> str:
    """The apply statement with only the parts that hold rows, so that an empty part costs nothing.

    What begins `of_agent` begins only if the agent is still the one that was read.
    """
    moved = _MOVED.format(agent=_SAME_AGENT if of_agent else "")
    return ",\n".join([moved, *(_PARTS[name] for name in parts)]) + "\nSELECT count(*) FROM moved"


_STANDING = (
    "status",
    "intent",
    "steps_left",
    "steps_running",
    "steps_ready",
    "steps_waiting",
    *PLAIN_COLUMNS,
)

# The status is compared as no index can be asked: the row is to be found by its id, whatever the statistics say.
_MOVED = f"""
WITH moved AS (
  UPDATE execution SET {", ".join(f"{name} = %({name})s" for name in _STANDING)},
    seq = seq + 1, event_sequence = %(sequence)s, chain_head = %(head)s, updated_at = %(now)s,
    event_xid = GREATEST(event_xid, pg_current_xact_id())
  WHERE id = %(id)s AND seq = %(seq)s AND status IS NOT DISTINCT FROM %(from_status)s{{agent}}
  RETURNING id, priority, event_xid
)"""

_SAME_AGENT = """
    AND EXISTS (SELECT FROM tenants_agent a
      WHERE a.id = %(agent_id)s AND a.status = %(agent_status)s AND a.actions::text[] = %(agent_actions)s)"""

_TELL = """
  INSERT INTO event (execution_id, sequence, type, step, body, hash, created_at, xid)
  SELECT {source}.id, e.sequence, e.type, e.step, e.body, decode(e.hash, 'hex'), %(now)s, {source}.event_xid
  FROM {source}, json_to_recordset(%(events)s) AS e(sequence int, type text, step text, body text, hash text)"""

_LIVE = ", ".join(f"'{status.value}'" for status in sorted(LIVE))

_STEP_MOVED = (
    "status",
    "parents_left",
    "parents_live",
    "parts_left",
    "parts_open",
    "parts_failed",
    "attempts",
    "failures",
    "losses",
    "generation",
    "parts_made",
    "parts_opened",
)
_STEP_NEW = ("index", "name", "item", *_STEP_MOVED)


def _typed(columns: Sequence[str]) -> str:
    texts = {"name", "item", "status"}
    return ", ".join(f"{column} {'text' if column in texts else 'int'}" for column in columns)


def _given(part: str, columns: str) -> str:
    """The rows of a part with their execution's id, as `given`; each is looked up in the table by its whole key.

    The planner takes them for a hundred, and to look up a hundred it reads all there is, in a table that is small as it
    plans. What says nothing of the first column has it expect one; OFFSET keeps it from beginning with the table.
    """
    key = f"g.{columns.partition(' ')[0]}"
    return f"""(SELECT moved.id AS execution_id, g.*
    FROM moved, json_to_recordset(%({part})s) AS g({columns}) WHERE {key} = {key} + 0 OFFSET 0) AS given"""


_PARTS = {
    # A part that has a row already is one that a redrive has begin anew.
    "steps_new": f"""steps_new AS (
  INSERT INTO step (execution_id, {", ".join(_STEP_NEW)})
  SELECT moved.id, {", ".join(f"s.{column}" for column in _STEP_NEW)}
  FROM moved, json_to_recordset(%(steps_new)s) AS s({_typed(_STEP_NEW)})
  ON CONFLICT (execution_id, index) DO UPDATE
  SET item = excluded.item, {", ".join(f"{column} = excluded.{column}" for column in _STEP_MOVED)}
)""",
    "steps_moved": f"""steps_moved AS (
  UPDATE step SET {", ".join(f"{column} = given.{column}" for column in _STEP_MOVED)}
  FROM {_given("steps_moved", _typed(("index", *_STEP_MOVED)))}
  WHERE step.execution_id = given.execution_id AND step.index = given.index
)""",
    "ends": f"""ends AS (
  UPDATE attempt SET status = given.status, output = given.output, error = given.error,
    child = COALESCE(given.child, attempt.child),
    finished_at = CASE given.status WHEN 'waiting' THEN NULL ELSE %(now)s::timestamptz END
  FROM {_given("ends", "index int, number int, status text, output text, error text, child uuid")}
  WHERE attempt.execution_id = given.execution_id AND attempt.step_index = given.index AND attempt.number = given.number
    AND attempt.status IN ('running', 'waiting')
)""",
    "attempts": """attempts AS (
  INSERT INTO attempt (execution_id, step_index, number, status, worker, worker_name, code_version,
    input, output, error, started_at, finished_at)
  SELECT moved.id, a.index, a.number, a.status, %(boot_id)s, %(worker_name)s, %(code_version)s,
    a.input, a.output, a.error, %(now)s::timestamptz,
    CASE WHEN a.status IN ('running', 'waiting') THEN NULL ELSE %(now)s::timestamptz END
  FROM moved, json_to_recordset(%(attempts)s)
    AS a(index int, number int, status text, input text, output text, error text)
)""",
    "tasks": """tasks AS (
  INSERT INTO task (id, execution_id, step_index, number, agent_id, status, priority, opened_at, deadline_at)
  SELECT t.id, moved.id, t.index, t.number, t.agent_id, 'open', moved.priority, %(now)s, t.deadline_at
  FROM moved, json_to_recordset(%(tasks)s)
    AS t(id uuid, index int, number int, agent_id uuid, deadline_at timestamptz)
)""",
    "tasks_closed": f"""tasks_closed AS (
  UPDATE task SET status = 'closed' FROM {_given("tasks_closed", "index int, number int")}
  WHERE task.execution_id = given.execution_id AND task.step_index = given.index AND task.number = given.number
    AND task.status <> 'withdrawn'
)""",
    "due_cleared": """due_cleared AS (
  DELETE FROM due_step USING moved WHERE due_step.execution_id = moved.id
)""",
    # By conditions on the table alone: it is empty most of the time, which is what the planner knows of it.
    "due_gone": """due_gone AS (
  DELETE FROM due_step USING moved WHERE due_step.execution_id = %(id)s
    AND due_step.due_at = ANY(ARRAY(SELECT due_at FROM json_to_recordset(%(due_gone)s) AS d(due_at timestamptz)))
    AND due_step.step_index = ANY(ARRAY(SELECT index FROM json_to_recordset(%(due_gone)s) AS d(index int)))
)""",
    "due_new": """due_new AS (
  INSERT INTO due_step (execution_id, step_index, due_at)
  SELECT moved.id, d.index, d.due_at
  FROM moved, json_to_recordset(%(due_new)s) AS d(index int, due_at timestamptz)
)""",
    "consumed": f"""consumed AS (
  UPDATE inbox SET consumed_at = %(now)s FROM {_given("consumed", "id bigint")}
  WHERE inbox.execution_id = given.execution_id AND inbox.id = given.id
)""",
    "kept": f"""kept AS (
  UPDATE inbox SET kept_at = %(now)s FROM {_given("kept", "id bigint")}
  WHERE inbox.execution_id = given.execution_id AND inbox.id = given.id
)""",
    # Another execution's row is written only if nobody has it locked; the sweeper wakes those that were.
    "notices": f"""noted AS (
  INSERT INTO inbox (execution_id, kind, payload, actor, created_at)
  SELECT n.execution_id, n.kind, n.payload, n.actor, %(now)s
  FROM moved, json_to_recordset(%(notices)s) AS n(execution_id uuid, kind text, payload text, actor text)
  JOIN execution told ON told.id = n.execution_id AND told.status IN ({_LIVE})
), woken AS (
  UPDATE execution SET due_at = LEAST(due_at, %(now)s), seq = seq + 1
  WHERE id IN (
    SELECT e.id FROM execution e
    WHERE e.id IN (SELECT n.execution_id FROM moved, json_to_recordset(%(notices)s) AS n(execution_id uuid))
      AND e.status IN ({_LIVE}) AND e.quarantined_at IS NULL
    FOR NO KEY UPDATE SKIP LOCKED)
)""",
    "frees": """freed AS (
  UPDATE execution SET due_at = %(now)s, seq = seq + 1
  WHERE id = (
    SELECT e.id FROM execution e, moved
    WHERE e.concurrency_key = (%(frees)s::json->>0) AND e.status = 'workflow_queued' AND e.due_at IS NULL
      AND e.intent = 'run' AND e.id <> moved.id
    ORDER BY e.priority DESC, e.queued_at, e.id LIMIT 1 FOR NO KEY UPDATE OF e SKIP LOCKED)
)""",
    "events": f"""events AS ({_TELL.format(source="moved")}
)""",
}

ASKED = (
    "source_system",
    "source_entity_type",
    "source_entity_id",
    "external_ref",
    "idempotency_key",
    "initiated_by_type",
    "initiated_by_id",
    "request_id",
    "input",
    "parameters",
    "client_safe_metadata",
    "agent_id",
    "timeout_seconds",
    "application_id",
    "template_id",
    "application_data",
    "outcome_expression",
    "parent_id",
    "parent_step",
    "parent_turn",
    "root",
    "depth",
)
"""The columns of a submission, beside its execution and its tenant."""

_AT_FIRST = ("status", "intent", "steps_left", "steps_ready", "due_at", "run_id", "queued_at")
"""What of a standing a new execution can have. With more than 50 parameters psycopg reads the text anew each time."""

_INSERT = f"""
WITH made AS (
  INSERT INTO execution (id, tenant_id, workflow_id, version_id, priority, concurrency_key,
    event_sequence, chain_head, created_at, updated_at, {", ".join(_AT_FIRST)},
    seq, steps_running, steps_waiting, steps_made, tries, compensating)
  SELECT %(id)s, %(tenant_id)s, %(workflow_id)s, %(version_id)s, %(priority)s, %(concurrency_key)s,
    %(sequence)s, %(head)s, %(now)s, %(now)s, {", ".join(f"%({name})s" for name in _AT_FIRST)},
    0, 0, 0, FALSE, 0, FALSE FROM ({{condition}}) AS met
  RETURNING id, event_xid
), asked AS (
  INSERT INTO submission (execution_id, tenant_id, {", ".join(ASKED)})
  SELECT %(id)s, %(tenant_id)s, {", ".join(f"%({name})s" for name in ASKED)} FROM made
)
{_TELL.format(source="made")}"""

_PUSH_BACK = """
UPDATE execution SET seq = seq + 1, tries = tries + 1,
  due_at = CASE WHEN tries >= 5 THEN NULL ELSE %(now)s + interval '5 seconds' * 2 ^ tries END,
  quarantined_at = CASE WHEN tries >= 5 THEN %(now)s END,
  status_reason = CASE WHEN tries >= 5 THEN 'quarantined: ' || %(reason)s ELSE status_reason END
WHERE id = %(id)s AND due_at <= %(now)s"""
