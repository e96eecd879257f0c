"""Somebody who may write everything into the database changes one value of one row, whatever guards it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import uuid4

from django.db import Error, connection, transaction

from executions.models import Execution

OF_EXECUTION = {
    "execution": "id",
    "submission": "execution_id",
    "step": "execution_id",
    "attempt": "execution_id",
    "event": "execution_id",
    "earlier_run": "execution_id",
    "receipt": "execution_id",
    "payment": "execution_id",
    "due_step": "execution_id",
}
"""The tables of the record, each with the column that names the execution."""
VERSION = "workflows_workflowversion"


@dataclass(frozen=True)
class Place:
    """One value: that of `column` in the row of `table` at this physical place."""

    table: str
    ctid: str
    column: str
    kind: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


def places(execution: Execution) -> list[Place]:
    """Every value that stands in the record of the execution."""
    found: list[Place] = []
    rows = [(table, column, execution.id) for table, column in OF_EXECUTION.items()]
    for table, column, value in [*rows, (VERSION, "id", execution.version_id)]:
        kinds = columns(table)
        for [ctid] in _asked(f"SELECT ctid::text FROM {table} WHERE {column} = %s ORDER BY ctid", [value]):
            found += [Place(table, ctid, name, kind) for name, kind in kinds]
    return found


def columns(table: str) -> list[tuple[str, str]]:
    """Names and types of its columns."""
    asked = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s ORDER BY 1"
    return [(name, kind) for name, kind in _asked(asked, [table])]


@contextmanager
def unguarded() -> Iterator[Any]:
    """A cursor that no trigger and no reference holds back; all that is done with it is undone."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield cursor
        transaction.set_rollback(True)


@contextmanager
def altered(place: Place, chance: Random) -> Iterator[str | None]:
    """What was changed there, while inside; None where the table itself does not take it. All of it is undone."""
    with unguarded() as cursor:
        [[before]] = _asked(f"SELECT {place.column} FROM {place.table} WHERE ctid = %s::tid", [place.ctid])
        after = another(before, place, chance)
        try:
            with transaction.atomic():
                cursor.execute(
                    f"UPDATE {place.table} SET {place.column} = %s WHERE ctid = %s::tid RETURNING {place.column}",
                    [after, place.ctid],
                )
                [[kept]] = cursor.fetchall()
            # A varchar of full length drops spaces at the end without a word.
            told = None if kept == before else f"{place}: {_short(before)} became {_short(after)}"
        except Error:
            told = None
        yield told


def another(before: Any, place: Place, chance: Random) -> Any:
    """A value of the same kind that is not this one."""
    words = {"status": ("pending", "waiting", "succeeded", "failed", "workflow_failed", "workflow_waiting", "paid")}
    if place.column in words:
        return chance.choice([word for word in words[place.column] if word != before])
    match place.kind:
        case "boolean":
            return not before
        case "integer" | "bigint" | "smallint":
            numbers = {0, 1, 2, 7} if before is None else {0, 1, 2, 7, before - 1, before + 1}
            return chance.choice(sorted(numbers - {before}))
        case "double precision":
            return 17.5 if before is None else before + 1
        case "uuid":
            return uuid4()
        case "bytea":
            return _flipped(bytes(before), chance)
        case "timestamp with time zone":
            return _moment(before, chance)
        case "xid8":
            return "7"
        case "text" | "character varying":
            return _retold(before, chance)
    raise AssertionError(f"nobody changes a {place.kind}")


def _retold(before: str | None, chance: Random) -> str | None:
    if before is None:
        return chance.choice(['"x"', "x", "{}", "null"])
    at = chance.randrange(len(before) + 1)
    options = [before[:at] + chance.choice("x0 }") + before[at:], before[:at] + before[at + 1 :], "", None]
    return chance.choice([option for option in options if option != before])


def _flipped(before: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(before))
    return before[:at] + bytes([before[at] ^ (1 << chance.randrange(8))]) + before[at + 1 :]


def _moment(before: Any, chance: Random) -> Any:
    if before is None:
        return datetime(2026, 1, 1, tzinfo=UTC)
    return before + timedelta(microseconds=chance.choice([-1, 1, 1000, 10**9]))


def _asked(sql: str, parameters: list[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def _short(value: Any) -> str:
    return repr(value)[:60]
