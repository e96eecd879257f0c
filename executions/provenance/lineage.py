"""The lineage of executions as it is kept and read: rows of a table once an execution is sealed, derived before that.

What the rows say is sources.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from django.db import connection

from contract import json_values
from executions.models import Lineage
from executions.payloads.contents import Unavailable
from executions.payloads.reading import text_of
from executions.payloads.references import digest_of
from executions.provenance.record import Record
from executions.provenance.sources import Row, lineage_of
from executions.states import TERMINAL, Status
from workflows.definition import DefinitionInvalid
from workflows.patches import ParametersInvalid

BATCH: Final = 1_000
_WORDS = ("step", "number", "field", "kind", "name", "attempt", "pointer", "expression")


def remember(record: Record, rows: Sequence[Row]) -> None:
    """Keep the lineage of an execution that is sealed, as `lineage_of` gave it: once, however often it is called.

    What is kept already is the beginning of it, and stays.
    """
    keep(to_keep(record, rows))


def to_keep(record: Record, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What `keep` writes of an execution."""
    of, whole = {"tenant_id": record.execution.tenant_id, "execution_id": record.execution.id}, _Wholes(record)
    return [of | {"position": position, "whole": _hex(whole.of(row)), **row} for position, row in enumerate(rows)]


def keep(rows: Sequence[dict[str, Any]]) -> None:
    """Write rows of many executions: one statement for each BATCH of them, which takes them as one value."""
    with connection.cursor() as cursor:
        for start in range(0, len(rows), BATCH):
            cursor.execute(_KEEP, [json_values.dump(rows[start : start + BATCH])])


def kept_rows(rows: Iterable[Lineage]) -> list[Row]:
    """Rows of the table as `lineage_of` gives them."""
    return [_row(row) for row in rows]


def derived(record: Record, upto: int | None = None) -> list[Row]:
    """The lineage as it is derived now. Raises Unavailable where a payload was dropped, Unreachable."""
    last = record.execution.event_sequence if upto is None else upto
    return lineage_of(record, last, partial(text_of, execution_id=record.execution.id))


def lineage_now(record: Record) -> list[Row]:
    """The lineage up to the newest event: as it was sealed, where nothing ran since; else as it is derived now.

    Where that is not to be had any more, what was kept.
    """
    execution = record.execution
    if Status(execution.status) in TERMINAL and execution.receipts.filter(run_id=execution.run_id).exists():
        return _rows_of(record)
    try:
        return derived(record)
    except (Unavailable, DefinitionInvalid, ParametersInvalid):
        return _rows_of(record)


def consuming(record: Record, rows: Iterable[Row], digest: str) -> list[Row]:
    """The rows whose source is this value, or stands in this payload."""
    wholes, wanted = _Wholes(record), bytes.fromhex(digest)
    return [row for row in rows if row["digest"] == digest or wholes.of(row) == wanted]


def _rows_of(record: Record) -> list[Row]:
    return kept_rows(Lineage.objects.filter(execution=record.execution).order_by("position"))


def _row(kept: Lineage) -> Row:
    told = {name: getattr(kept, name) for name in _WORDS}
    return told | {"value": _hex(kept.value), "digest": _hex(kept.digest)}


def _bytes(digest: str | None) -> bytes | None:
    return None if digest is None else bytes.fromhex(digest)


def _hex(digest: bytes | memoryview | None) -> str | None:
    return None if digest is None else bytes(digest).hex()


class _Wholes:
    """By row the digest of the payload that its source is a part of: who asks may know no other."""

    def __init__(self, record: Record) -> None:
        submission = record.execution.submission
        self._names = {step.name: step.index for step in record.steps}
        self._attempts = {(row.step_index, row.number): row for row in record.attempts}
        self._parameters = [*(run.parameters for run in record.runs), submission.parameters]
        self._columns = {
            "input": submission.input,
            "application": submission.application_data,
            "execution": record.execution.output,
        }
        self._runs = _runs(record)

    def of(self, row: Row) -> bytes | None:
        """None where the source is no part of a payload, but the whole of one or something else."""
        column = self._column(row) if row["pointer"] and row["digest"] else None
        return _bytes(None if column is None or digest_of(column) == row["digest"] else digest_of(column))

    def _column(self, row: Row) -> str | None:
        kind = row["kind"]
        if kind == "parameter":
            return self._parameters[self._runs[row["step"], row["number"]]]
        if kind in {"step", "item"}:
            attempt = self._attempts[self._names[row["name"]], row["attempt"]]
            return attempt.output if kind == "step" else attempt.input
        return None if kind == "execution" and not row["pointer"].startswith("/output") else self._columns.get(kind)


def _runs(record: Record) -> Mapping[tuple[str, int], int]:
    """In which run, counted from 0, each attempt began; what the execution came to, in the last."""
    run, begun = 0, {}
    for event in record.events:
        run += event.type == "execution.redriven"
        if event.type == "step.started" and event.step is not None:
            begun[event.step, json_values.load(event.body)["data"]["attempt"]] = run
    return begun | {("", 0): run}


# As one value: with fourteen parameters for each row, making the statement was a fifth of what sealing cost.
_KEEP = """
INSERT INTO lineage (tenant_id, execution_id, position, step, number, field, value, kind, name, attempt, pointer,
  expression, digest, whole)
SELECT tenant_id, execution_id, position, step, number, field, decode(value, 'hex'), kind, name, attempt, pointer,
  expression, decode(digest, 'hex'), decode(whole, 'hex')
FROM json_to_recordset(%s) AS kept (tenant_id uuid, execution_id uuid, position int, step text, number int, field text,
  value text, kind text, name text, attempt int, pointer text, expression text, digest text, whole text)
ON CONFLICT DO NOTHING"""
