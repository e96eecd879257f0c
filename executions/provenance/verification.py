"""Whether executions stand on record as they happened: what a bundle is verified by, and what only their rows tell.

The first is traceway.records, which is given the files as they would be exported; the second is rebuilding.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import Error, connection
from django.db.models import Q

from contract.away import Unreachable
from contract.identifiers import first_id_at
from executions.models import DueStep, Receipt, Submission
from executions.provenance.bundle import Stored, keys_of, snapshot
from executions.provenance.files import Payloads, documents_of, with_index
from executions.provenance.lineage import lineage_now
from executions.provenance.rebuilding import NotRecounted, differences
from executions.provenance.record import Record, records_of
from executions.receipts.payload import receipt_id
from traceway.records import Finding, Verdict, verify
from traceway.records.signatures import NotSigned, read_jws

MOST_EVENTS: Final = 20_000
"""How many events the executions of one batch have together, unless one alone has more."""
MOST_EXECUTIONS: Final = 100


@dataclass(frozen=True, slots=True)
class Checked:
    """One execution, and what came of looking at it."""

    execution_id: UUID
    verdict: Verdict


def check(ids: Sequence[UUID]) -> list[Checked]:
    """These executions, verified as they stand now, in their order. Raises Unreachable."""
    with snapshot():
        records = records_of(ids)
        receipts = _receipts(records)
        due = _due_steps(ids)
        read = {
            record.execution.id: _guarded(record, receipts[record.execution.id], due[record.execution.id])
            for record in records
        }
    return [Checked(id_, read[id_]() if id_ in read else _missing(id_)) for id_ in ids]


def batches(executions: Iterable[tuple[UUID, int]]) -> Iterator[list[UUID]]:
    """Executions, given with how many events they have, so many at a time as memory bears."""
    batch: list[UUID] = []
    events = 0
    for id_, sequence in executions:
        if batch and (events + sequence > MOST_EVENTS or len(batch) == MOST_EXECUTIONS):
            yield batch
            batch, events = [], 0
        batch.append(id_)
        events += sequence
    if batch:
        yield batch


def on_record(tenant_id: UUID | None = None, since: datetime | None = None) -> Iterator[tuple[UUID, int]]:
    """Every execution, by id, with the number of its events; or those of one tenant. Without a tenant one whose own
    row is gone is found by its submission. `since` leaves out what was created before.
    """
    last = first_id_at(since) if since is not None else UUID(int=0)
    statement = _OF_ALL if tenant_id is None else _OF_TENANT
    with connection.cursor() as cursor:
        while True:
            cursor.execute(statement, {"after": last, "tenant": tenant_id, "most": 1000})
            rows = cursor.fetchall()
            yield from rows
            if len(rows) < 1000:
                return
            last = rows[-1][0]


def _receipts(records: Collection[Record]) -> Mapping[UUID, list[Receipt]]:
    """By execution, those that say they are of it, and those that have the id of one: by sequence."""
    runs = {
        receipt_id(record.execution.id, run_id): record.execution.id
        for record in records
        for run_id in (record.execution.run_id, *(run.run_id for run in record.runs))
    }
    ids = {record.execution.id for record in records}
    found: dict[UUID, list[Receipt]] = defaultdict(list)
    rows = Receipt.objects.filter(Q(execution_id__in=ids) | Q(id__in=runs))
    for receipt in rows.order_by("sequence"):
        found[receipt.execution_id if receipt.execution_id in ids else runs[receipt.id]].append(receipt)
    return found


def _due_steps(ids: Collection[UUID]) -> Mapping[UUID, list[DueStep]]:
    found: dict[UUID, list[DueStep]] = defaultdict(list)
    for row in DueStep.objects.filter(execution_id__in=ids):
        found[row.execution_id].append(row)
    return found


def _guarded(record: Record, receipts: Sequence[Receipt], due: Sequence[DueStep]) -> Callable[[], Verdict]:
    """The verdict, once it is asked for; a record that was altered so that it cannot be read is told as one finding."""
    try:
        return _Read.of(record, receipts, due).verdict
    except (Error, Unreachable):
        raise
    except Submission.DoesNotExist:
        finding = Finding("submission", "is missing", str(record.execution.id), "nothing")
        return lambda: Verdict((finding,), execution=str(record.execution.id))
    except Exception as error:  # noqa: BLE001 - whatever somebody wrote into a table
        finding = Finding("record", f"cannot be read: {type(error).__name__}: {error}"[:500])
        return lambda: Verdict((finding,), execution=str(record.execution.id))


@dataclass(frozen=True, slots=True)
class _Read:
    """The files of one execution, but for the payloads that stand elsewhere, and what its rows alone say."""

    record: Record
    documents: dict[str, bytes]
    payloads: Payloads
    differences: tuple[Finding, ...]
    notes: tuple[Finding, ...]

    @classmethod
    def of(cls, record: Record, receipts: Sequence[Receipt], due: Sequence[DueStep]) -> _Read:
        """What has to be read in the same snapshot."""
        payloads, notes = Payloads({}), list[Finding]()
        found = [*_rebuilt(record, due, notes), *_of_receipts(record, receipts)]
        try:
            lineage: list[dict[str, Any]] = lineage_now(record)
        except (Error, Unreachable):
            raise
        except Exception as error:  # noqa: BLE001 - as above: what it is derived of is told more exactly beside it
            lineage = []
            found.append(Finding("lineage", f"cannot be derived: {type(error).__name__}: {error}"[:500]))
        documents = documents_of(record, receipts, keys_of(receipts), lineage, payloads)
        return cls(record, documents, payloads, tuple(found), tuple(notes))

    def verdict(self) -> Verdict:
        """What both say."""
        self.payloads.fetch(Stored(self.record.execution))
        verdict = verify(with_index(self.record.execution.id, self.documents, self.payloads.kept))
        return replace(verdict, findings=(*verdict.findings, *self.differences), notes=(*verdict.notes, *self.notes))


def _rebuilt(record: Record, due: Sequence[DueStep], notes: list[Finding]) -> Iterator[Finding]:
    try:
        yield from differences(record, due)
    except NotRecounted as note:
        notes.append(Finding("workflow_version definition", str(note)))
    except Exception as error:  # noqa: BLE001 - as above
        yield Finding("steps", f"cannot be recounted: {type(error).__name__}: {error}"[:500])


def _of_receipts(record: Record, receipts: Sequence[Receipt]) -> Iterator[Finding]:
    """The columns that stand beside what is signed."""
    of = record.execution
    runs = {(run.run_id, run.status) for run in record.runs} | {(of.run_id, of.status)}
    for number, receipt in enumerate(receipts, start=1):
        if receipt.execution_id != of.id:
            yield Finding(f"receipt {number} execution_id", "is another one", str(of.id), str(receipt.execution_id))
        if (receipt.run_id, receipt.status) not in runs:
            expected = dict(runs).get(receipt.run_id)
            yield Finding(f"receipt {number} status", "is not that of its run", expected, receipt.status)
        kid = _kid_of(receipt)
        if kid not in {None, receipt.kid}:
            yield Finding(f"receipt {number} kid", "is not the one that its signature names", kid, receipt.kid)


def _kid_of(receipt: Receipt) -> str | None:
    try:
        return read_jws(receipt.jws).kid
    except NotSigned:
        return None


def _missing(execution_id: UUID) -> Verdict:
    finding = Finding("execution", "is missing", expected=str(execution_id), found="nothing")
    return Verdict((finding,), execution=str(execution_id))


_OF_ALL = """
SELECT COALESCE(e.id, s.execution_id) AS id, COALESCE(e.event_sequence, 0)
FROM (SELECT id, event_sequence FROM execution WHERE id > %(after)s ORDER BY id LIMIT %(most)s) e
FULL JOIN (SELECT execution_id FROM submission WHERE execution_id > %(after)s
  ORDER BY execution_id LIMIT %(most)s) s ON s.execution_id = e.id
ORDER BY 1 LIMIT %(most)s"""

_OF_TENANT = """
SELECT id, event_sequence FROM execution WHERE tenant_id = %(tenant)s AND id > %(after)s ORDER BY id LIMIT %(most)s"""
