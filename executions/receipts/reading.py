"""Receipts, read: the one of a run, made now if nobody has come to it yet, and what there is of many executions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from uuid import UUID

from contract.problems import Conflict, NotFound
from executions.models import Execution, Receipt, SealingRefusal
from executions.receipts.sealing import seal
from executions.states import TERMINAL

ENDED = sorted(status.value for status in TERMINAL)


def receipt_of(execution: Execution, run_id: UUID | None) -> Receipt:
    """The receipt of this run. Raises NotFound for what is no run of it, Conflict before the run's end, or where the
    record does not verify; Unavailable, Unreachable.
    """
    earlier = run_id != execution.run_id
    if earlier and (run_id is None or not execution.earlier_runs.filter(run_id=run_id).exists()):
        raise NotFound("the execution has no such run")
    if not earlier and execution.status not in ENDED:
        raise Conflict("the run has not ended", reason="not_ended")
    found = _of_run(execution, run_id)
    if found is None:
        seal([execution.id])
        found = _of_run(execution, run_id)
    if found is None:
        refusal = SealingRefusal.objects.filter(execution=execution).first()
        finding = "its end is not on record" if refusal is None else refusal.finding
        raise Conflict(f"the record does not verify, so nothing is signed: {finding}", reason="record_altered")
    return found


def receipts_by_execution(executions: Collection[UUID]) -> Mapping[UUID, list[Receipt]]:
    """What was signed of each, by sequence, without the signatures: one query."""
    found: dict[UUID, list[Receipt]] = defaultdict(list)
    rows = Receipt.objects.filter(execution_id__in=executions).defer("jws")
    for receipt in rows.order_by("execution_id", "sequence"):
        found[receipt.execution_id].append(receipt)
    return found


def _of_run(execution: Execution, run_id: UUID | None) -> Receipt | None:
    return Receipt.objects.filter(execution=execution, run_id=run_id).first()
