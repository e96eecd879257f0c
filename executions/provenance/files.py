"""The files of a bundle (docs/provenance.md), made of an execution's rows: what is exported is what is verified.

Where the rows are read is record.py and bundle.py; nothing in here asks the database.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from contract import json_values
from contract.identifiers import run_name
from contract.json_values import JSON
from contract.timestamps import precise
from executions.models import Attempt, EarlierRun, Event, Execution, Payment, Step
from executions.payloads.references import Reference, parse, refer
from executions.provenance.submission import PAYLOADS, described
from executions.reading import payment_of
from traceway.records import canonical, digest

FORMAT = "traceway-bundle/1"
INDEX = "bundle.json"
FOLDER = "payloads/"

Ref = dict[str, JSON]
"""A payload as record.json names it: {sha256, bytes} and, where its content was removed on purpose, {dropped: true}."""


class Recorded(Protocol):
    """A Record, or one whose rows are read as they are asked for: each is gone through once."""

    @property
    def execution(self) -> Execution: ...
    @property
    def events(self) -> Iterable[Event]: ...
    @property
    def steps(self) -> Iterable[Step]: ...
    @property
    def attempts(self) -> Iterable[Attempt]: ...
    @property
    def runs(self) -> Iterable[EarlierRun]: ...


class Signed(Protocol):
    """A receipt, as its row has it."""

    @property
    def id(self) -> UUID: ...
    @property
    def run_id(self) -> UUID | None: ...
    @property
    def sequence(self) -> int: ...
    @property
    def jws(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...


@dataclass(slots=True)
class Payloads:
    """The payloads that a record names, each kept once by the name of its file; `away` are those to be fetched."""

    kept: MutableMapping[str, bytes]
    away: dict[str, Reference] = field(default_factory=dict)

    def ref(self, column: str) -> Ref:
        """How record.json names the text of this column, wherever it stands."""
        reference = _parsed(column)
        if reference is None:
            reference = refer(column)
            if f"{FOLDER}{reference.digest}" not in self.kept:
                self.kept[f"{FOLDER}{reference.digest}"] = column.encode()
        elif not reference.dropped:
            self.away[reference.digest] = reference
        told: Ref = {"sha256": reference.digest, "bytes": reference.bytes}
        return told | ({"dropped": True} if reference.dropped else {})

    def maybe(self, column: str | None) -> Ref | None:
        """As ref; null where there is nothing."""
        return None if column is None else self.ref(column)

    def fetch(self, text_of: Callable[[str], bytes | None]) -> None:
        """Put in what stood elsewhere. What `text_of` does not have stays out: that is for who verifies to tell."""
        for name, reference in self.away.items():
            content = text_of(reference.column())
            if content is not None:
                self.kept[f"{FOLDER}{name}"] = content


def files_of(
    record: Recorded,
    receipts: Sequence[Signed],
    keys: Mapping[str, JSON],
    lineage: Sequence[Mapping[str, JSON]],
    text_of: Callable[[str], bytes | None],
) -> dict[str, bytes]:
    """The files by their names. `keys` is a JWKS; `text_of` gives the bytes of a column that refers to its text."""
    payloads = Payloads({})
    documents = documents_of(record, receipts, keys, lineage, payloads)
    payloads.fetch(text_of)
    return dict(with_index(record.execution.id, documents, payloads.kept))


def documents_of(
    record: Recorded,
    receipts: Sequence[Signed],
    keys: Mapping[str, JSON],
    lineage: Sequence[Mapping[str, JSON]],
    payloads: Payloads,
) -> dict[str, bytes]:
    """Every file but the index and the payloads, which are put into `payloads`."""
    return {
        "record.json": canonical(record_json(record, payloads)),
        "events.jsonl": b"".join(canonical(_event(event)) + b"\n" for event in record.events),
        "receipts.json": canonical([_receipt(receipt) for receipt in receipts]),
        "keys.json": canonical(keys),
        "lineage.json": canonical(list(lineage)),
    }


def with_index(
    execution_id: UUID, documents: MutableMapping[str, bytes], payloads: MutableMapping[str, bytes]
) -> Mapping[str, bytes]:
    """All files, the index that lists them among them; no content is copied."""
    files = ChainMap(documents, payloads)
    listed = {name: _listed(files[name]) for name in files}
    index = canonical({"format": FORMAT, "execution": str(execution_id), "files": listed})
    return ChainMap({INDEX: index}, documents, payloads)


def definition_text(definition: str) -> str:
    """The text whose digest a version has, of its masked definition as it is stored; of what is no JSON, itself."""
    try:
        return json_values.stored(json_values.load(definition))
    except ValueError:
        return definition


def _parsed(column: str) -> Reference | None:
    """What it refers to; a reference that somebody has broken refers to nothing."""
    try:
        return parse(column)
    except ValueError:
        return None


def _listed(content: bytes) -> JSON:
    return {"sha256": digest(content), "bytes": len(content)}


def record_json(record: Recorded, payloads: Payloads) -> dict[str, JSON]:
    """What record.json holds; the payloads that it names are put into `payloads`."""
    execution = record.execution
    steps = list(_steps(record.steps, payloads))
    names = {step["index"]: step["name"] for step in steps}
    return {
        "execution": _execution(execution, payloads),
        "definition": _definition(execution, payloads),
        "submission": _submission(execution, payloads),
        "runs": [_run(run, payloads) for run in record.runs],
        "steps": steps,
        "attempts": [_attempt(attempt, names, payloads) for attempt in record.attempts],
        "payment": _payment(payment_of(execution)),
    }


def _execution(row: Execution, payloads: Payloads) -> JSON:
    return {
        "id": str(row.id),
        "tenant": str(row.tenant_id),
        "workflow": str(row.workflow_id),
        "version_id": str(row.version_id),
        "status": row.status,
        "status_reason": row.status_reason,
        "run_id": _run_name(row.run_id),
        "chain_head": bytes(row.chain_head).hex(),
        "event_sequence": row.event_sequence,
        "output": payloads.maybe(row.output),
        "outcome": row.outcome,
        "outcome_error": row.outcome_error,
        "priority": row.priority,
        "concurrency_key": row.concurrency_key,
        "created_at": precise(row.created_at),
        "queued_at": _moment(row.queued_at),
        "started_at": _moment(row.started_at),
        "finished_at": _moment(row.finished_at),
    }


def _definition(row: Execution, payloads: Payloads) -> JSON:
    version = row.version
    text = payloads.ref(definition_text(version.definition))
    return {"workflow": version.name, "version": version.version, "digest": version.digest, "text": text}


def _submission(row: Execution, payloads: Payloads) -> JSON:
    submission = row.submission
    contents = {name: payloads.maybe(getattr(submission, name)) for name in PAYLOADS}
    return {**described(row, submission), **contents}


def _run(row: EarlierRun, payloads: Payloads) -> JSON:
    return {
        "run_id": run_name(row.run_id),
        "status": row.status,
        "status_reason": row.status_reason,
        "parameters": payloads.ref(row.parameters),
        "queued_at": _moment(row.queued_at),
        "started_at": _moment(row.started_at),
        "finished_at": _moment(row.finished_at),
    }


def _steps(rows: Iterable[Step], payloads: Payloads) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield {
            "index": row.index,
            "name": row.name,
            "status": row.status,
            "attempts": row.attempts,
            "item": payloads.maybe(row.item),
        }


def _attempt(row: Attempt, names: Mapping[int, str], payloads: Payloads) -> JSON:
    return {
        "step": names.get(row.step_index, ""),
        "index": row.step_index,
        "number": row.number,
        "status": row.status,
        "process": str(row.worker),
        "worker": row.worker_name,
        "code_version": row.code_version,
        "input": payloads.maybe(row.input),
        "output": payloads.maybe(row.output),
        "error": payloads.maybe(row.error),
        "child": None if row.child is None else str(row.child),
        "started_at": precise(row.started_at),
        "finished_at": _moment(row.finished_at),
    }


def _payment(row: Payment | None) -> JSON:
    if row is None:
        return None
    return {
        "order_id": str(row.order_id),
        "tenant": str(row.tenant_id),
        "provider": row.provider,
        "status": row.status,
        "amount": row.amount,
        "currency": row.currency,
        "refund_policy": row.refund_policy,
        "refunded_amount": row.refunded_amount,
        "reference": row.reference,
        "created_at": precise(row.created_at),
        "paid_at": _moment(row.paid_at),
    }


def _event(row: Event) -> JSON:
    return {
        "sequence": row.sequence,
        "type": row.type,
        "step": row.step,
        "created_at": precise(row.created_at),
        "hash": bytes(row.hash).hex(),
        "body": row.body,
    }


def _receipt(row: Signed) -> JSON:
    return {
        "id": str(row.id),
        "run_id": _run_name(row.run_id),
        "sequence": row.sequence,
        "jws": row.jws,
        "created_at": precise(row.created_at),
    }


def _run_name(run_id: UUID | None) -> str | None:
    return None if run_id is None else run_name(run_id)


def _moment(at: datetime | None) -> str | None:
    return None if at is None else precise(at)
