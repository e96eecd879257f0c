"""One execution as a bundle: its rows read in one snapshot, its payloads on the disk until the zip holds them.

What memory takes grows with the number of events and attempts, not with what their payloads weigh.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from contract.json_values import JSON
from executions.models import Attempt, EarlierRun, Event, Execution, Lineage, Receipt, Step
from executions.payloads.contents import Place
from executions.payloads.objects import StoredObjects
from executions.payloads.references import parse
from executions.provenance.files import Payloads, documents_of, with_index
from executions.provenance.lineage import kept_rows, lineage_now
from executions.provenance.record import records_of
from executions.receipts.keys import published_of
from executions.states import TERMINAL
from traceway.records import pack_into

MEDIA_TYPE = "application/zip"
_ROWS_AT_ONCE = 100


def bundle_of(execution_id: UUID) -> IO[bytes]:
    """The bundle, to be read from its beginning; it is gone once it is closed. Raises Execution.DoesNotExist."""
    with closing(Spool()) as spool:
        payloads = Payloads(spool)
        with snapshot():
            execution = _EXECUTIONS.get(id=execution_id)
            documents = _documents(execution, payloads)
        payloads.fetch(Stored(execution))
        return _packed(with_index(execution_id, documents, payloads.kept))


def file_name(execution_id: UUID) -> str:
    """What a bundle is called where it is saved."""
    return f"traceway-{execution_id}.zip"


def _packed(files: Mapping[str, bytes]) -> IO[bytes]:
    file = TemporaryFile()  # noqa: SIM115 - whoever asked for it closes it
    try:
        pack_into(file, files)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def keys_of(receipts: Iterable[Receipt]) -> JSON:
    """The JWKS of the keys that signed these."""
    kids = {receipt.kid for receipt in receipts}
    return published_of(kids) if kids else {"keys": []}


def _documents(execution: Execution, payloads: Payloads) -> dict[str, bytes]:
    """Of an execution that is sealed the rows are read one by one; of any other, for its lineage, all at once."""
    receipts = list(Receipt.objects.filter(execution=execution).order_by("sequence"))
    if execution.status in TERMINAL and any(receipt.run_id == execution.run_id for receipt in receipts):
        kept = Lineage.objects.filter(execution=execution).order_by("position")
        rows, record = kept_rows(kept.iterator(_ROWS_AT_ONCE)), _Streamed(execution)
        return documents_of(record, receipts, keys_of(receipts), rows, payloads)
    [whole] = records_of([execution.id])
    return documents_of(whole, receipts, keys_of(receipts), lineage_now(whole), payloads)


_EXECUTIONS = Execution.objects.select_related("submission", "payment", "workflow", "version")


@contextmanager
def snapshot() -> Iterator[None]:
    """What is read inside stands as it did at one moment. Inside a transaction it is that one's own."""
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


class Stored:
    """The bytes that the store has now for columns of one execution: neither checked nor remembered."""

    def __init__(self, execution: Execution) -> None:
        self._place = Place(execution.tenant_id, execution.id)
        self._objects = StoredObjects()

    def __call__(self, column: str) -> bytes | None:
        """None where there is no such object. Raises Unreachable."""
        reference = parse(column)
        return None if reference is None else self._objects.get(self._place, reference.digest)


@dataclass(frozen=True, slots=True)
class _Streamed:
    """A Record whose rows are read as they are asked for."""

    execution: Execution

    @property
    def events(self) -> Iterable[Event]:
        return self._of(Event.objects.order_by("sequence"))

    @property
    def steps(self) -> Iterable[Step]:
        return self._of(Step.objects.order_by("index"))

    @property
    def attempts(self) -> Iterable[Attempt]:
        return self._of(Attempt.objects.order_by("step_index", "number"))

    @property
    def runs(self) -> Iterable[EarlierRun]:
        return self._of(EarlierRun.objects.order_by("queued_at"))

    def _of(self, rows: QuerySet[Any]) -> Iterable[Any]:
        return rows.filter(execution=self.execution).iterator(_ROWS_AT_ONCE)


class Spool(MutableMapping[str, bytes]):
    """Contents by name, in a file of their own that is gone with this."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 - it is gone with this
        self._places: dict[str, tuple[int, int]] = {}

    def __getitem__(self, name: str) -> bytes:
        start, size = self._places[name]
        self._file.seek(start)
        return self._file.read(size)

    def __setitem__(self, name: str, content: bytes) -> None:
        self._places[name] = self._file.seek(0, 2), len(content)
        self._file.write(content)

    def __delitem__(self, name: str) -> None:
        del self._places[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def close(self) -> None:
        """Nothing is kept any more."""
        self._file.close()
