"""GET /v1/executions/{id}/receipt, in the executions dialect; how receipts stand in an orchestration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from contract.answers import shown
from contract.http import Answer
from contract.identifiers import RUN, parse_id, run_name
from contract.json_values import JSON
from contract.queries import Reader, parameters
from contract.schema import (
    COUNT,
    ID,
    ID_OR_RUN_NAME,
    MOMENT,
    RUN_NAME,
    SHA256,
    TEXT,
    Component,
    listed,
    maybe,
    record,
    whole,
    words,
)
from contract.timestamps import wire
from executions.models import Execution, Receipt
from executions.reading import execution_of
from executions.receipts.payload import receipt_id
from executions.receipts.reading import receipt_of
from executions.receipts.tokens import payload_of
from executions.states import TERMINAL, PaymentStatus, StepStatus
from tenants.door import Door, takes

_PRECISE: Final = {**TEXT, "format": "date-time", "description": "RFC 3339, UTC, microseconds."}
_DIGEST: Final = maybe(SHA256)
_PAYLOAD: Final = record(
    {
        "format": words("traceway-receipt/1"),
        "id": ID,
        "execution": ID,
        "tenant": ID,
        "workflow": ID,
        "version": TEXT,
        "definition": SHA256,
        "run_id": maybe(RUN_NAME),
        "status": words(*sorted(TERMINAL)),
        "input": _DIGEST,
        "parameters": _DIGEST,
        "output": _DIGEST,
        "steps": listed(
            record(
                {
                    "name": TEXT,
                    "status": words(*StepStatus),
                    "attempts": COUNT,
                    "input": _DIGEST,
                    "output": _DIGEST,
                    "error": _DIGEST,
                    "started_at": maybe(_PRECISE),
                    "finished_at": maybe(_PRECISE),
                }
            )
        ),
        "events": record({"sequence": whole(1), "head": SHA256}),
        "lineage": SHA256,
        "price": maybe(record({"amount": whole(1), "currency": TEXT, "status": words(*PaymentStatus)})),
        "created_at": _PRECISE,
        "started_at": maybe(_PRECISE),
        "finished_at": _PRECISE,
        "signed_at": _PRECISE,
    }
)
RECEIPT: Final = Component(
    "Receipt",
    record(
        {
            "id": ID,
            "runId": maybe(RUN_NAME),
            "sequence": whole(1),
            "kid": TEXT,
            "jws": {**TEXT, "description": "Compact JWS; its key is in `/.well-known/jwks.json`."},
            "payload": _PAYLOAD,
            "createdAt": MOMENT,
        }
    ),
)
RECEIPT_OF_RUN: Final = record(
    {"id": ID, "run_id": maybe(RUN_NAME), "status": words(*sorted(TERMINAL)), "created_at": maybe(MOMENT)}
)


def _run(text: str) -> Any:
    found = parse_id(text, RUN)
    if found is None:
        raise ValueError("the id of a run is wanted, as maip-orch:<ULID> or as a UUID")
    return found


class ReceiptDoor(Door):
    """Receipts of executions of the caller's tenant."""

    @takes(
        "executions:read",
        query=parameters(run=Reader(_run, ID_OR_RUN_NAME)),
        answers=shown(RECEIPT, "What was signed.", refuses=(409,)),
    )
    def show(self, execution_id: str) -> Answer:
        """Of the run that is the current one, or of `run`."""
        execution = execution_of(self.tenant, execution_id)
        return self.ok(show(receipt_of(execution, self.query.get("run", execution.run_id))))


def show(receipt: Receipt) -> JSON:
    """The receipt, with what it signs."""
    return {
        "id": str(receipt.id),
        "runId": run_name(receipt.run_id) if receipt.run_id else None,
        "sequence": receipt.sequence,
        "kid": receipt.kid,
        "jws": receipt.jws,
        "payload": payload_of(receipt.jws),
        "createdAt": wire(receipt.created_at),
    }


def show_receipts(execution: Execution, receipts: Sequence[Receipt]) -> dict[str, JSON]:
    """The members of an orchestration that tell of its receipts; `receipts` are those that were signed, in order.

    That of a run that has just ended has its id before it is signed, and then its `created_at`.
    """
    of_runs = [_of_run(row.id, row.run_id, row.status, wire(row.created_at)) for row in receipts]
    if execution.status not in TERMINAL:
        return {"receipt_id": None, "receipts": of_runs}
    current = receipt_id(execution.id, execution.run_id)
    if all(row.id != current for row in receipts):
        of_runs.append(_of_run(current, execution.run_id, execution.status, None))
    return {"receipt_id": str(current), "receipts": of_runs}


def _of_run(receipt: UUID, run_id: UUID | None, status: str, created_at: str | None) -> JSON:
    return {
        "id": str(receipt),
        "run_id": run_name(run_id) if run_id else None,
        "status": status,
        "created_at": created_at,
    }
