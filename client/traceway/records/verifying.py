"""The one verification: a bundle's files, or a receipt alone, against themselves and against keys. It never raises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from traceway.records import shapes
from traceway.records.chain import Event, read_events
from traceway.records.findings import Report, Verdict
from traceway.records.history import History
from traceway.records.lineage import ROWS as LINEAGE
from traceway.records.lineage import Sources, check_lineage, digest_until
from traceway.records.payloads import FOLDER, check_payloads
from traceway.records.receipts import ROWS as RECEIPTS
from traceway.records.receipts import Due, Keys, check_payload, check_signature, due_of
from traceway.records.record import RECORD, check_record
from traceway.records.shapes import Shape
from traceway.records.signatures import read_keys
from traceway.records.texts import NotCanonical, digest, read

FORMAT = "traceway-bundle/1"
PARTS = ("record.json", "events.jsonl", "receipts.json", "keys.json", "lineage.json")
INDEX = "bundle.json"

_INDEX = shapes.members(
    {
        "format": shapes.text(),
        "execution": shapes.text(),
        "files": shapes.members({}, others=shapes.members({"sha256": shapes.sha256, "bytes": shapes.integer})),
    }
)
_KEYS = shapes.members({"keys": shapes.items(shapes.members({}, others=shapes.scalar))})


def verify(files: Mapping[str, bytes], trusted_keys: Mapping[str, Any] | None = None) -> Verdict:
    """Everything that does not match in a bundle's files, in the order of the checks.

    `trusted_keys` is a JWKS from elsewhere: then only its keys count, and an execution that ended must be signed by
    one of them. Without it the keys of the file itself are taken, which the verdict says (`trusted`).
    """
    report = Report()
    _check_files(files, report)
    parts = {name: _read(name, files, shape, report) for name, shape in _SHAPES.items()}
    events = read_events(files["events.jsonl"], report) if "events.jsonl" in files else None
    keys = _keys(parts["keys.json"], trusted_keys, report)
    if events is None:
        report.note("record.json", "was not looked at: it can only be held against events that can be read")
    else:
        _check_execution(parts, events, files, keys, report)
    _check_index(parts[INDEX], files, report)
    report.count("files", len(files))
    return report.verdict(trusted=keys.trusted)


_SHAPES: Mapping[str, Shape] = {
    INDEX: _INDEX,
    "record.json": RECORD,
    "receipts.json": RECEIPTS,
    "lineage.json": LINEAGE,
    "keys.json": _KEYS,
}


def _check_files(files: Mapping[str, bytes], report: Report) -> None:
    for name in (INDEX, *PARTS):
        if name not in files:
            report.tell(name, "is missing")
    for name in sorted(files):
        if name not in {INDEX, *PARTS} and not name.startswith(FOLDER):
            report.tell(name, "is no file of a bundle")


def _read(name: str, files: Mapping[str, bytes], shape: Shape, report: Report) -> Any:
    """What a JSON file holds; None where it does not hold what it must, which is told."""
    if name not in files:
        return None
    try:
        value = read(files[name])
    except NotCanonical as error:
        report.tell(name, str(error))
        return None
    misfits = list(shape(value, ""))
    for misfit in misfits:
        report.tell(f"{name} {misfit.pointer}", "is not as it must be", misfit.wanted, misfit.found)
    return None if misfits else value


@dataclass(frozen=True, slots=True)
class _Bundle:
    """What was read of a bundle, and what its events tell; `dues` are what its receipts must say, by sequence."""

    record: dict[str, Any]
    receipts: list[dict[str, Any]]
    lineage: list[dict[str, Any]] | None
    history: History
    dues: Mapping[int, Due]
    keys: Keys


def _check_execution(
    parts: Mapping[str, Any], events: list[Event], files: Mapping[str, bytes], keys: Keys, report: Report
) -> None:
    history, dues = _fold(events, report)
    report.execution = history.execution
    if parts["record.json"] is None:
        return
    bundle = _Bundle(parts["record.json"], parts["receipts.json"] or [], parts["lineage.json"], history, dues, keys)
    record = bundle.record
    check_record(record, _definition(record, files), history, events, report)
    report.count("steps", len(record["steps"]))
    report.count("attempts", len(record["attempts"]))
    check_payloads(record, files, told=history.dropped, left=history.left, report=report)
    named = {_check_receipt(f"receipt {i}", row, bundle, report) for i, row in enumerate(bundle.receipts, start=1)}
    _check_order(bundle.receipts, report)
    _check_signed(bundle, events[-1], report)
    for kid in _ids(parts["keys.json"]):
        if kid not in named:
            report.tell("keys.json", "holds a key that signed nothing here", found=kid)
    if bundle.lineage is not None:
        check_lineage(bundle.lineage, Sources(record, history, files), history, report)


def _fold(events: list[Event], report: Report) -> tuple[History, dict[int, Due]]:
    """The history, and what each receipt must say, by the sequence of the event that ended its run."""
    history, dues = History(), dict[int, Due]()
    for event in events:
        wrong = history.apply(event)
        if wrong is not None:
            report.tell(f"event {event.sequence}", wrong)
        report.compare(f"event {event.sequence} execution", history.execution, event.execution, "is another one")
        if history.run.ended == event.sequence:
            dues[event.sequence] = due_of(history)
    return history, {sequence: replace(due, last=sequence == history.run.ended) for sequence, due in dues.items()}


def _definition(record: Mapping[str, Any], files: Mapping[str, bytes]) -> Any:
    """What its text holds; None where that is not there, or no JSON."""
    try:
        return json.loads(files.get(FOLDER + record["definition"]["text"]["sha256"], b"null"))
    except (ValueError, RecursionError):
        return None


def _check_receipt(where: str, row: Mapping[str, Any], bundle: _Bundle, report: Report) -> str | None:
    """Gives the id of the key that is said to have signed it."""
    report.count("receipts", 1)
    signed = check_signature(where, row["jws"], bundle.keys, report)
    if signed is None:
        return None
    payload, sequence = signed.payload, signed.payload["events"]["sequence"]
    told = {**payload, "sequence": sequence, "created_at": payload["signed_at"]}
    for name in ("id", "run_id", "sequence", "created_at"):
        report.compare(f"{where} {name}", told[name], row[name], "is not what is signed")
    due = bundle.dues.get(sequence)
    if due is None:
        report.tell(f"{where} events", "names an event that ended no run", found=sequence)
        return signed.kid
    check_payload(where, payload, due, bundle.record, report)
    if bundle.lineage is not None:
        made = digest_until(bundle.lineage, sequence, bundle.history)
        report.compare(f"{where} lineage", made, payload["lineage"], "is not the digest of lineage.json up to its end")
    return signed.kid


def _check_order(receipts: list[dict[str, Any]], report: Report) -> None:
    sequences = [row["sequence"] for row in receipts]
    if sequences != sorted(set(sequences)):
        report.tell("receipts.json", "is not in the order of its sequences, each once")


def _check_signed(bundle: _Bundle, last: Event, report: Report) -> None:
    """A run that ended and is not signed is worth knowing; it is wrong where signatures are asked for."""
    signed = {row["sequence"] for row in bundle.receipts}
    for run in bundle.history.runs:
        if run.ended is None or run.ended in signed:
            continue
        where, message = f"receipt of run {run.run_id}", "is missing: the run ended and is not signed"
        if bundle.keys.trusted and run is bundle.history.run:
            report.tell(where, message)
        else:
            report.note(where, message)
    until = max(signed, default=0)
    if signed and until < last.sequence:
        report.note(f"events {until + 1} to {last.sequence}", "came after the last receipt: chained, not signed")


def _keys(jwks: Any, trusted: Mapping[str, Any] | None, report: Report) -> Keys:
    own = read_keys(jwks, "keys.json", report) if jwks is not None else {}
    if trusted is None:
        return Keys(own, trusted=False)
    known = trusted_of(trusted, report)
    for kid in own.keys() & known.keys():
        if own[kid] != known[kid]:
            report.tell("keys.json", "holds another key under the id of a trusted one", found=kid)
    return Keys(known, trusted=True)


def trusted_of(jwks: Mapping[str, Any], report: Report) -> dict[str, bytes]:
    """The Ed25519 keys of a JWKS, which may hold keys for other things as well."""
    known = read_keys(jwks, "trusted keys", Report())
    if not known:
        report.tell("trusted keys", "hold no Ed25519 key")
    return known


def _ids(jwks: Any) -> list[Any]:
    return [] if jwks is None else [key.get("kid") for key in jwks["keys"]]


def _check_index(index: Any, files: Mapping[str, bytes], report: Report) -> None:
    """Last, for what is told before says more exactly what does not match."""
    if index is None:
        return
    report.compare("bundle.json format", FORMAT, index["format"], "is another one")
    if report.execution is not None:
        report.compare("bundle.json execution", report.execution, index["execution"])
    listed = index["files"]
    for name in sorted(listed.keys() - files.keys()):
        report.tell(name, "is missing: bundle.json lists it", found=None, expected=listed[name]["sha256"])
    for name in sorted(files.keys() - {INDEX}):
        if name not in listed:
            report.tell(name, "is not listed in bundle.json")
            continue
        report.compare(name, listed[name]["sha256"], digest(files[name]), "is not what bundle.json says: its digest")
        report.compare(name, listed[name]["bytes"], len(files[name]), "is not what bundle.json says: its size")
