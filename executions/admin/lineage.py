"""Where values came from, on the admin's pages: one table of fields, with links to the steps that they were read of."""

from __future__ import annotations

from typing import Any

from django.utils.safestring import SafeString

from contract.away import Unreachable
from executions.admin.panels import Table, page_of
from executions.models import Execution, Step
from executions.provenance.lineage import lineage_now
from executions.provenance.record import Record, records_of
from executions.provenance.sources import Row

ROWS_SHOWN = 200
LARGEST = 5_000
"""Events of an execution whose lineage is made for a page; of a larger one it is made for who asks the API."""
DIGEST_SHOWN = 12


def lineage_table(execution: Execution, name: str | None = None) -> Table:
    """What the fields of a step's inputs came from, newest attempt first; without a step what the execution came to."""
    record = _record(execution)
    rows = [] if record is None else [row for row in _lineage(record) if row["step"] == (name or "")]
    steps = {} if record is None else {step.name: step for step in record.steps}
    shown = sorted(rows, key=lambda row: -row["number"])[:ROWS_SHOWN]
    headers = ["attempt", "field", "value", "came from", "place", "digest", "expression"]
    return {"headers": headers if name else headers[1:], "rows": [_cells(row, steps, name) for row in shown]}


def _record(execution: Execution) -> Record | None:
    """None for one that is too large."""
    return None if execution.event_sequence > LARGEST else records_of([execution.id])[0]


def _lineage(record: Record) -> list[Row]:
    """Nothing while the payloads are not to be had."""
    try:
        return lineage_now(record)
    except Unreachable:
        return []


def _cells(row: Row, steps: dict[str, Step], name: str | None) -> list[Any]:
    cells = [row["field"], _short(row["value"]), _source(row, steps), row["pointer"] or ""]
    cells += [_short(row["digest"]), row["expression"] or ""]
    return [row["number"], *cells] if name else cells


def _source(row: Row, steps: dict[str, Step]) -> SafeString | str:
    """A link to the step, or to the other execution; else the word for what it is."""
    kind, name, attempt = row["kind"], row["name"], row["attempt"]
    if kind == "execution":
        return "this execution" if name is None else page_of(Execution(id=name), f"execution {name}")
    if name in steps:
        numbered = f"{name}, attempt {attempt}" if attempt else f"{name}, which had no output"
        return page_of(steps[name], f"{'item of ' if kind == 'item' else ''}{numbered}")
    return f"secret {name}" if kind == "secret" else kind


def _short(digest: str | None) -> str:
    return "-" if digest is None else digest[:DIGEST_SHOWN]
