"""Drop the payloads of an execution that has ended: every copy in the tables at once, then its objects.

Digests stay, and with them the chain; what events and status reasons say in words stays too. A parent's record of a
child, and an application, are their own.
"""

from __future__ import annotations

from uuid import UUID

import structlog
from django.db import connection, transaction

from contract import json_values
from contract.away import Unreachable
from contract.problems import Conflict
from executions.events import Detail, Happening, digest
from executions.models import Attempt, Execution, PayloadRemoval
from executions.payloads.answers import drop_answers
from executions.payloads.contents import Place
from executions.payloads.objects import StoredObjects
from executions.payloads.reading import contents
from executions.payloads.references import drop, drop_in_sql
from executions.receipts.sealing import seal
from executions.rows import database_now, standing_of, write
from executions.states import TERMINAL, AttemptStatus, Status

log = structlog.get_logger(__name__)

RETENTION, REQUEST = "retention", "request"
"""Why payloads are dropped."""

_COLUMNS = {
    "attempt": ("input", "output", "error"),
    "step": ("item",),
    "submission": ("input", "parameters", "application_data", "client_safe_metadata"),
    "earlier_run": ("parameters",),
}


def drop_payloads(execution_id: UUID, reason: str, actor: str) -> bool:
    """Drop them, unless that was done; whether it was now. The objects go once this is committed.

    What ended is sealed first, for its lineage is derived from them. Raises Conflict (not_ended) while the execution
    goes on, or its parent has yet to take its output in.
    """
    seal([execution_id])
    with transaction.atomic():
        execution = Execution.objects.select_for_update(no_key=True).get(id=execution_id)
        if Status(execution.status) not in TERMINAL:
            raise Conflict(f"the execution is {execution.status}: it has not ended", reason="not_ended")
        if execution.payloads_dropped_at is not None:
            return False
        if _is_awaited(execution):
            raise Conflict("its parent has yet to take its output in", reason="not_ended")
        _drop(execution, reason, actor)
        transaction.on_commit(lambda: remove_objects(Place(execution.tenant_id, execution.id)))
    return True


def _is_awaited(execution: Execution) -> bool:
    """Whether a step of its parent still waits for it."""
    asked = execution.submission
    if asked.parent_id is None or asked.parent_step is None:
        return False
    of_step = Attempt.objects.filter(execution_id=asked.parent_id, step_index=asked.parent_step)
    return of_step.filter(status=AttemptStatus.WAITING.value, child=execution.id).exists()


def remove_objects(place: Place) -> None:
    """Delete the objects of an execution whose payloads were dropped; where that fails the sweep does it later."""
    try:
        StoredObjects().remove(place)
    except Unreachable as error:
        log.warning("payloads_not_removed", execution_id=str(place.execution), error=str(error))
        return
    contents().forget(place)
    PayloadRemoval.objects.filter(execution_id=place.execution).delete()


def _drop(execution: Execution, reason: str, actor: str) -> None:
    now, count = database_now(), 0
    standing = standing_of(execution)
    if standing.output is not None:
        standing, count = standing._replace(output=drop(standing.output)), 1
    with connection.cursor() as cursor:
        for statement in _DROP:
            cursor.execute(statement, [execution.id])
            count += sum(row[0] for row in cursor.fetchall())
        cursor.execute(_EMPTY_INBOX, [execution.id])
        cursor.execute(_FORGET_EXCERPTS, [execution.id])
    drop_answers(execution)
    told: dict[str, Detail] = {"reason": reason, "by": actor, "count": count, "left": _left(execution, standing.output)}
    happening = Happening("execution.payloads_dropped", told)
    write(execution, standing, [], [happening], now)
    Execution.objects.filter(id=execution.id).update(payloads_dropped_at=now)
    PayloadRemoval.objects.create(execution_id=execution.id, tenant_id=execution.tenant_id)


def _left(execution: Execution, output: str | None) -> str:
    """The digest of what is left in the columns: the digests and sizes that nobody can compute again."""
    left = set() if output is None else {output}
    with connection.cursor() as cursor:
        for table, columns in _COLUMNS.items():
            for column in columns:
                cursor.execute(f"SELECT {column} FROM {table} WHERE execution_id = %s", [execution.id])  # noqa: S608
                left.update(row[0] for row in cursor.fetchall() if row[0] is not None)
    return digest(json_values.stored(sorted(left)))


_DROP = [
    f"UPDATE {table} SET {', '.join(f'{column} = {drop_in_sql(column)}' for column in columns)}"  # noqa: S608 - constants
    f" WHERE execution_id = %s RETURNING num_nonnulls({', '.join(columns)})"
    for table, columns in _COLUMNS.items()
]
_EMPTY_INBOX = "UPDATE inbox SET payload = '{}' WHERE execution_id = %s"
_FORGET_EXCERPTS = """
UPDATE webhook_attempt SET response_excerpt = NULL
WHERE response_excerpt IS NOT NULL AND delivery_id IN (SELECT id FROM webhook_delivery WHERE execution_id = %s)"""
