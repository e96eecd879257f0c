"""Execution rows as the rest of Django holds them, for the statements of transitions: locked, translated, written.

For commands and payments. The engine has a store of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import connection

from contract.http import current_request
from executions import transitions
from executions.change import PLAIN_COLUMNS, Asked, AttemptEnd, Change, DueRow, ExecutionRow, Standing, StepRow
from executions.commitments import commit_ends, name_request
from executions.events import Happening, chain
from executions.models import Execution
from executions.plan import Counters
from executions.states import Intent, Status


@dataclass(frozen=True, slots=True)
class Rows:
    """What a change writes beside the execution itself: steps that have a row, open attempts that end, what is due."""

    steps: Mapping[int, StepRow] = field(default_factory=dict)
    ends: Sequence[AttemptEnd] = ()
    due_new: Sequence[DueRow] = ()


_NO_ROWS = Rows()


def database_now() -> datetime:
    """The database's clock, in this transaction's order of things: read after the locks were got."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def lock(execution_id: UUID) -> Execution:
    """The execution under its lock: the first lock that a transaction takes."""
    return Execution.objects.select_for_update(no_key=True).get(id=execution_id)


def standing_of(execution: Execution) -> Standing:
    counters = Counters(execution.steps_left, execution.steps_running, execution.steps_ready, execution.steps_waiting)
    rest = {name: getattr(execution, name) for name in PLAIN_COLUMNS}
    return Standing(Status(execution.status), Intent(execution.intent), counters, **rest)


def write(
    execution: Execution,
    standing: Standing,
    moves: Sequence[str],
    happenings: Sequence[Happening],
    now: datetime,
    *,
    rows: Rows = _NO_ROWS,
) -> None:
    """Apply one change to an execution that this transaction has locked; `execution` is stale afterwards."""
    row = ExecutionRow(
        execution.id,
        execution.tenant_id,
        execution.version_id,
        execution.seq,
        execution.event_sequence,
        bytes(execution.chain_head),
        standing_of(execution),
        Asked(""),
    )
    commit_ends(happenings, rows.ends)
    name_request(happenings, current_request())
    events, _ = chain(str(row.id), row.event_sequence, row.chain_head, list(happenings), now)
    change = Change(
        before=row,
        now=now,
        standing=standing._replace(tries=0),
        moves=moves,
        events=events,
        steps=rows.steps,
        ends=rows.ends,
        due_new=rows.due_new,
    )
    with connection.cursor() as cursor:
        transitions.apply(cursor, change)
        if not transitions.applied(cursor):
            raise RuntimeError(f"execution {row.id} changed under its lock")
