"""The way into an execution's inbox, and what every command asks of where an execution stands."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.db import connection, transaction

from contract import json_values
from contract.http import current_request
from contract.json_values import JSON
from contract.problems import Conflict, FieldProblem, InvalidContent
from executions.announce import announce
from executions.models import Arrival, ArrivalKind, Execution
from executions.rows import database_now
from executions.states import TERMINAL, Intent, Status

PAUSED = "paused"
"""The status reason of an execution that is paused."""


def arrive(
    execution: Execution, kind: ArrivalKind, payload: dict[str, JSON], actor: str, name: str | None = None
) -> None:
    """Put something into the inbox of an execution that this transaction has locked, and have workers look at it.

    One that was quarantined is looked at again; one that awaits its payment only once it is paid for.
    """
    arrive_all(execution, kind, [payload], actor, name)


def arrive_all(
    execution: Execution,
    kind: ArrivalKind,
    payloads: Sequence[dict[str, JSON]],
    actor: str,
    name: str | None = None,
) -> None:
    """As arrive does, several of a kind at once."""
    now, request = database_now(), current_request()
    told = {} if request is None else {"request_id": request}
    rows = [
        Arrival(
            execution=execution,
            kind=kind.value,
            payload=json_values.dump(payload | told),
            actor=actor,
            name=name,
            created_at=now,
        )
        for payload in payloads
    ]
    Arrival.objects.bulk_create(rows, batch_size=1000)
    with connection.cursor() as cursor:
        cursor.execute(_WAKE, [Status.AWAITING_PAYMENT.value, Intent.PAUSE.value, PAUSED, execution.id])
    transaction.on_commit(announce)


def check_size(value: JSON, field: str, room: int = 0) -> None:
    """Raises InvalidContent where a value is too large to become a step's output, with `room` bytes around it."""
    most = settings.OUTPUT_LIMIT_BYTES - room
    if len(json_values.dump(value).encode()) > most:
        problem = FieldProblem(field, "too_long", f"at most {most:,} bytes are allowed")
        raise InvalidContent(problem.message, fields=[problem])


def check_live(execution: Execution) -> None:
    """Raises Conflict where it has ended."""
    if Status(execution.status) in TERMINAL:
        raise Conflict(f"the execution is {execution.status} already", reason="already_ended")


_WAKE = """
UPDATE execution SET seq = seq + 1, quarantined_at = NULL,
  due_at = CASE status WHEN %s THEN due_at ELSE LEAST(due_at, clock_timestamp()) END,
  tries = CASE WHEN quarantined_at IS NULL THEN tries ELSE 0 END,
  status_reason = CASE WHEN quarantined_at IS NULL THEN status_reason WHEN intent = %s THEN %s END
WHERE id = %s"""
