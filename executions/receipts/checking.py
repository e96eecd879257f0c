"""Whether a record stands as it happened, so that it may be signed: a look that costs little as long as it does.

The events are hashed anew here; what they tell, and whether the rows agree, is for traceway.records to say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from contract import json_values
from contract.timestamps import precise
from executions.models import Event as EventRow
from executions.models import Receipt
from executions.provenance.files import Payloads, documents_of, record_json
from executions.provenance.record import Record
from executions.receipts.tokens import payload_of
from traceway.records.chain import GENESIS, Event, read_events
from traceway.records.findings import Finding, Report
from traceway.records.history import History
from traceway.records.receipts import Due, due_of
from traceway.records.record import check_record


class Altered(Exception):
    """The record does not verify; `finding` is the first thing that does not match."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


@dataclass(frozen=True, slots=True)
class Ended:
    """One run that ended: what its receipt must say, and where its payment stood then; `last`: none followed."""

    due: Due
    payment_status: str | None
    last: bool = True


def ended_runs(record: Record, receipts: Sequence[Receipt]) -> dict[int, Ended]:
    """The runs that ended, by the sequence of the event that ended each. `receipts` are those it has.

    Raises Altered where the chain is broken, a row is not what the events say, or the chain is not the one that an
    earlier receipt signed.
    """
    events = _chained(record)
    history, ended, report = History(), dict[int, Ended](), Report()
    for event in events:
        wrong = history.apply(event)
        if wrong is not None:
            report.tell(f"event {event.sequence}", wrong)
        if history.run.ended == event.sequence:
            payment = history.payment
            ended[event.sequence] = Ended(due_of(history), None if payment is None else payment.status)
    check_record(record_json(record, Payloads({})), None, history, events, report)
    _check_signed(receipts, ended, report)
    for finding in report.findings:
        raise Altered(finding)
    return {at: replace(one, last=at == history.run.ended) for at, one in ended.items()}


def _check_signed(receipts: Sequence[Receipt], ended: dict[int, Ended], report: Report) -> None:
    """The chain begins as it did when it was signed before."""
    for receipt in receipts:
        signed = payload_of(receipt.jws)["events"]
        stands = ended.get(receipt.sequence)
        report.compare(f"event {receipt.sequence}", stands and stands.due.payload["events"], signed, "is not as signed")


def _chained(record: Record) -> list[Event]:
    """The events, each hashed anew. Raises Altered with what traceway.records finds, if one is not as it was."""
    try:
        return list(_hashed(record))
    except (ValueError, KeyError, TypeError) as error:
        report = Report()
        read_events(documents_of(record, [], {}, [], Payloads({}))["events.jsonl"], report)
        unnamed = Finding("events", f"cannot be read: {error}")
        raise Altered(next(iter(report.findings), unnamed)) from error


def _hashed(record: Record) -> Iterator[Event]:
    """Raises ValueError, KeyError or TypeError at the first event that is not as it was."""
    previous = GENESIS
    for place, row in enumerate(record.events, start=1):
        head = hashlib.sha256(row.body.encode()).hexdigest()
        body = json_values.load(row.body)
        said = (body["at"], body["execution"], body["previous"], body["sequence"], body["step"], body["type"])
        if (head, *said) != (bytes(row.hash).hex(), *_standing(row, previous, place)) or row.sequence != place:
            raise ValueError(f"the event {place} is not what its hash says")
        yield Event(place, row.type, row.step, said[0], body["data"], said[1], hash=head)
        previous = head


def _standing(row: EventRow, previous: str, place: int) -> tuple[str, str, str, int, str | None, str]:
    return precise(row.created_at), str(row.execution_id), previous, place, row.step, row.type
