"""Making receipts of runs that ended: read in one snapshot, checked and signed in no transaction, then inserted.

Two that seal an execution at the same moment make the same receipt, of which one is kept. A record that does not
verify is not signed: that is an alarm, in the log and in the admin.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from django.db import Error, transaction

from contract.away import Unreachable
from contract.identifiers import RUN, parse_id
from executions.models import Lineage, Receipt, SealingRefusal
from executions.payloads.contents import Place, Unavailable
from executions.payloads.reading import contents
from executions.provenance.bundle import snapshot
from executions.provenance.lineage import keep, kept_rows, to_keep
from executions.provenance.record import Record, records_of
from executions.provenance.sources import Row, lineage_of
from executions.receipts.checking import Altered, Ended, ended_runs
from executions.receipts.keys import Signer, signer
from executions.receipts.payload import receipt_id, receipt_payload
from executions.rows import database_now
from traceway.records import Finding
from workflows.definition import DefinitionInvalid
from workflows.patches import ParametersInvalid

log = structlog.get_logger(__name__)


def seal(executions: Collection[UUID], then: Callable[[], None] | None = None) -> None:
    """Have a receipt for every run of these executions that has ended and has none; `then` is committed with them.

    What does not verify is put down as refused; no transaction may be open. Raises Unreachable while large payloads
    cannot be read, Unavailable where nothing can be signed.
    """
    signing = signer()
    with snapshot():
        batch, records, receipts = _Batch(signing, database_now()), records_of(executions), _receipts_of(executions)
    for record in records:
        batch.add(record, receipts[record.execution.id])
    with transaction.atomic():
        batch.write()
        if then is not None:
            then()


def _receipts_of(executions: Collection[UUID]) -> dict[UUID, list[Receipt]]:
    found: dict[UUID, list[Receipt]] = defaultdict(list)
    for receipt in Receipt.objects.filter(execution_id__in=executions):
        found[receipt.execution_id].append(receipt)
    return found


@dataclass(slots=True)
class _Batch:
    """What is to be written of executions that are sealed together, at one moment and by one key."""

    signing: Signer
    at: datetime
    receipts: list[Receipt] = field(default_factory=list)
    lineage: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[SealingRefusal] = field(default_factory=list)

    def add(self, record: Record, there: Sequence[Receipt]) -> None:
        """The receipts that it wants, or why it has none: a record that cannot be sealed keeps no other from it."""
        try:
            self._seal(record, there)
        except (Error, Unreachable):
            raise
        except Altered as altered:
            self._refuse(record, altered.finding)
        except Exception as error:
            log.exception("sealing_failed", execution_id=str(record.execution.id))
            self._refuse(record, Finding("record", f"cannot be read: {type(error).__name__}"))

    def write(self) -> None:
        """Insert what is not there yet. What was refused before and is good now is no alarm any more."""
        Receipt.objects.bulk_create(self.receipts, ignore_conflicts=True)
        keep(self.lineage)
        SealingRefusal.objects.bulk_create(
            self.refusals, update_conflicts=True, unique_fields=["execution"], update_fields=["finding", "refused_at"]
        )
        SealingRefusal.objects.filter(execution_id__in={receipt.execution_id for receipt in self.receipts}).delete()

    def _seal(self, record: Record, there: Sequence[Receipt]) -> None:
        """Raises Altered."""
        ended = ended_runs(record, there)
        lineage: list[Row] = []
        made: list[Receipt] = []
        for sequence in sorted(ended.keys() - {receipt.sequence for receipt in there}):
            lineage = _lineage(record, sequence)
            made.append(self._signed(record, ended[sequence], lineage))
        self.lineage += to_keep(record, lineage) if made else []
        self.receipts += made

    def _signed(self, record: Record, ended: Ended, lineage: Sequence[Row]) -> Receipt:
        execution_id, said = record.execution.id, ended.due.payload
        run_id = None if said["run_id"] is None else parse_id(said["run_id"], RUN)
        return Receipt(
            id=receipt_id(execution_id, run_id),
            execution_id=execution_id,
            run_id=run_id,
            sequence=said["events"]["sequence"],
            status=said["status"],
            kid=self.signing.kid,
            jws=self.signing.sign(receipt_payload(record, ended, run_id, lineage, self.at)),
            created_at=self.at,
        )

    def _refuse(self, record: Record, finding: Finding) -> None:
        log.error("sealing_refused", execution_id=str(record.execution.id), finding=str(finding))
        refusal = SealingRefusal(execution_id=record.execution.id, finding=str(finding), refused_at=self.at)
        self.refusals.append(refusal)


def _lineage(record: Record, upto: int) -> list[Row]:
    """What is derived of the record; where that is not to be had any more, what was kept before. Raises Altered."""
    place = Place(record.execution.tenant_id, record.execution.id)
    try:
        return lineage_of(record, upto, partial(contents().text, place))
    except Unavailable as unavailable:
        if unavailable.how == "dropped":
            return _kept(record)
        raise Altered(Finding(f"payload {unavailable.wanted.digest}", f"is {unavailable.how}")) from unavailable
    except (DefinitionInvalid, ParametersInvalid):
        return _kept(record)


def _kept(record: Record) -> list[Row]:
    return kept_rows(Lineage.objects.filter(execution=record.execution).order_by("position"))
