"""What a receipt says of a run: docs/provenance.md has the format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from contract import json_values
from contract.identifiers import run_name
from contract.json_values import JSON
from contract.timestamps import precise
from executions.models import Step
from executions.payloads.references import digest_of
from executions.provenance.record import Record
from executions.receipts.checking import Ended
from workflows.spec import PARTS

_NEVER_BEGUN: Final[dict[str, JSON]] = {
    "status": "pending",
    "attempts": 0,
    "input": None,
    "output": None,
    "error": None,
    "started_at": None,
    "finished_at": None,
}


def receipt_id(execution_id: UUID, run_id: UUID | None) -> UUID:
    """The id of a run's receipt, known before there is one."""
    return uuid5(execution_id, f"receipt:{run_name(run_id) if run_id else None}")


def receipt_payload(
    record: Record, ended: Ended, run_id: UUID | None, lineage: Sequence[dict[str, JSON]], at: datetime
) -> dict[str, JSON]:
    """What is signed at the moment `at` of a run that ended."""
    due, execution = ended.due, record.execution
    return {
        **due.payload,
        "id": str(receipt_id(execution.id, run_id)),
        "tenant": str(execution.tenant_id),
        "steps": [{"name": step.name, **due.steps.get(step.name, _NEVER_BEGUN)} for step in _steps(record, ended)],
        "lineage": digest_of(json_values.stored(lineage)),
        "price": due.payload["price"] and {**due.payload["price"], "status": ended.payment_status},
        "signed_at": precise(at),
    }


def _steps(record: Record, ended: Ended) -> Iterator[Step]:
    """The steps of the record; of those that a later run made, none that this one has not begun."""
    for step in record.steps:
        if ended.last or step.index < PARTS or step.name in ended.due.steps:
            yield step
