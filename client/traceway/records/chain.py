"""The chain of events: gapless from 1, each naming the hash of the one before, each row equal to its body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from traceway.records import shapes
from traceway.records.findings import Report
from traceway.records.texts import NotCanonical, digest, read

GENESIS = "0" * 64
"""What the first event names as the hash before it."""

Detail = str | int | bool | None

_ROW = shapes.members(
    {
        "sequence": shapes.integer,
        "type": shapes.text(),
        "step": shapes.maybe(shapes.text()),
        "created_at": shapes.moment,
        "hash": shapes.sha256,
        "body": shapes.text(),
    }
)
_BODY = shapes.members(
    {
        "at": shapes.moment,
        "data": shapes.members({}, others=shapes.scalar),
        "execution": shapes.text(),
        "previous": shapes.sha256,
        "sequence": shapes.integer,
        "step": shapes.maybe(shapes.text()),
        "type": shapes.text(),
    }
)


@dataclass(frozen=True, slots=True)
class Event:
    """One event whose body can be read."""

    sequence: int
    type: str
    step: str | None
    at: str
    data: Mapping[str, Detail]
    execution: str
    hash: str


def read_events(content: bytes, report: Report) -> list[Event] | None:
    """The events of events.jsonl, what is wrong with the chain told; None where one cannot be read at all."""
    lines = content.split(b"\n")
    if lines.pop() != b"":
        report.tell("events.jsonl", "its last line does not end")
        lines.append(content.rsplit(b"\n", 1)[-1])
    events: list[Event] = []
    previous, unread = GENESIS, 0
    for number, line in enumerate(lines, start=1):
        row = _row(line, number, report)
        event = None if row is None else _event(row, number, previous, report)
        if row is None or event is None:
            unread += 1
            previous = row["hash"] if row else ""
            continue
        events.append(event)
        previous = event.hash
    report.count("events", len(events))
    if not events:
        report.tell("events.jsonl", "it holds no event")
    return events if events and not unread else None


def _row(line: bytes, number: int, report: Report) -> dict[str, Any] | None:
    where = f"event {number}"
    try:
        row = read(line)
    except NotCanonical as error:
        report.tell(where, f"its line {error}")
        return None
    misfits = list(_ROW(row, ""))
    for misfit in misfits:
        report.tell(f"{where}{misfit.pointer}", "is not as it must be", misfit.wanted, misfit.found)
    return None if misfits else row


def _event(row: dict[str, Any], number: int, previous: str, report: Report) -> Event | None:
    """Its body, held against its row and its place. `previous` is "" where that of the event before is not known."""
    where = f"event {number}"
    report.compare(f"{where} sequence", number, row["sequence"], "is not its place in the chain")
    report.compare(f"{where} hash", digest(row["body"]), row["hash"], "is not the hash of its body")
    try:
        body = read(row["body"])
    except NotCanonical as error:
        report.tell(f"{where} body", str(error))
        return None
    misfits = list(_BODY(body, ""))
    for misfit in misfits:
        report.tell(f"{where} body{misfit.pointer}", "is not as it must be", misfit.wanted, misfit.found)
    if misfits:
        return None
    if previous:
        report.compare(f"{where} previous", previous, body["previous"], "is not the hash of the event before it")
    for column, member in (("sequence", "sequence"), ("type", "type"), ("step", "step"), ("created_at", "at")):
        report.compare(f"{where} {column}", body[member], row[column], "is not what its body says")
    return Event(
        body["sequence"], body["type"], body["step"], body["at"], body["data"], body["execution"], hash=row["hash"]
    )
