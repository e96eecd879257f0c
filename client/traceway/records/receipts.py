"""Receipts: what each must say of its run, whether it does, and whether the signature is one of a key that counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from traceway.records import shapes
from traceway.records.findings import Report
from traceway.records.history import AttemptTold, History
from traceway.records.signatures import NotSigned, Signed, read_jws

FORMAT = "traceway-receipt/1"

_TEXT, _MAYBE_TEXT = shapes.text(), shapes.maybe(shapes.text())
_SHA, _MOMENT = shapes.maybe(shapes.sha256), shapes.maybe(shapes.moment)
_STEP = shapes.members(
    {
        "name": _TEXT,
        "status": _TEXT,
        "attempts": shapes.integer,
        "input": _SHA,
        "output": _SHA,
        "error": _SHA,
        "started_at": _MOMENT,
        "finished_at": _MOMENT,
    }
)
_PRICE = shapes.members({"amount": shapes.integer, "currency": _TEXT, "status": _TEXT})
PAYLOAD = shapes.members(
    {
        "format": _TEXT,
        "id": _TEXT,
        "execution": _TEXT,
        "tenant": _TEXT,
        "workflow": _TEXT,
        "version": _TEXT,
        "definition": shapes.sha256,
        "run_id": _MAYBE_TEXT,
        "status": _TEXT,
        "input": _SHA,
        "parameters": _SHA,
        "output": _SHA,
        "steps": shapes.items(_STEP),
        "events": shapes.members({"sequence": shapes.integer, "head": shapes.sha256}),
        "lineage": _SHA,
        "price": shapes.maybe(_PRICE),
        "created_at": shapes.moment,
        "started_at": _MOMENT,
        "finished_at": _MOMENT,
        "signed_at": shapes.moment,
    }
)
"""The shape of what a receipt signs."""
ROWS = shapes.items(
    shapes.members(
        {
            "id": _TEXT,
            "run_id": _MAYBE_TEXT,
            "sequence": shapes.integer,
            "jws": _TEXT,
            "created_at": shapes.moment,
        }
    )
)
"""The shape of receipts.json."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Public keys by their ids. `trusted`: they came from elsewhere than the file that they verify."""

    by_id: Mapping[str, bytes]
    trusted: bool


@dataclass(frozen=True, slots=True)
class Due:
    """What the receipt of a run that ended must say; `statuses` are those its payment may have had.

    `last` is whether no other run followed, so that the steps of the record are those of the receipt.
    """

    payload: Mapping[str, Any]
    steps: Mapping[str, Mapping[str, Any]]
    statuses: frozenset[str]
    last: bool = True


def due_of(history: History) -> Due:
    """What the receipt must say, as the history stands right after the event that ended a run."""
    run, created, payment = history.run, history.created, history.payment
    payload = {
        "format": FORMAT,
        "execution": history.execution,
        "workflow": created.get("workflow"),
        "version": created.get("version"),
        "definition": created.get("definition"),
        "run_id": run.run_id,
        "status": run.status,
        "input": created.get("input"),
        "parameters": run.parameters,
        "output": run.output,
        "events": {"sequence": run.ended, "head": run.head},
        "price": payment and {name: payment.opened.get(name) for name in ("amount", "currency")},
        "created_at": history.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    }
    steps = {name: _step_due(told.status, told.attempts, history.newest(name)) for name, told in history.steps.items()}
    return Due(payload, steps, payment.statuses if payment else frozenset())


def _step_due(status: str, attempts: int, newest: AttemptTold | None) -> dict[str, Any]:
    names = ("input", "output", "error", "started_at", "finished_at")
    return {"status": status, "attempts": attempts} | {name: newest and getattr(newest, name) for name in names}


_NEVER_BEGUN = _step_due("pending", 0, None)


def check_signature(where: str, jws: str, keys: Keys, report: Report) -> Signed | None:
    """What it signs, if that can be read; whether the signature counts is told."""
    try:
        signed = read_jws(jws)
    except NotSigned as error:
        report.tell(f"{where} signature", str(error))
        return None
    key = keys.by_id.get(signed.kid)
    if key is None:
        which = "one of the trusted ones" if keys.trusted else "one of keys.json"
        report.tell(f"{where} key", f"is not {which}", ", ".join(keys.by_id) or "nothing", signed.kid)
    elif not signed.fits(key):
        report.tell(f"{where} signature", "does not fit: the key did not sign this", found=signed.kid)
    else:
        report.signed_by.append(signed.kid)
    misfits = list(PAYLOAD(signed.payload, ""))
    for misfit in misfits:
        report.tell(f"{where} {misfit.pointer}", "is not as it must be", misfit.wanted, misfit.found)
    return None if misfits else signed


def check_payload(where: str, payload: Mapping[str, Any], due: Due, record: Mapping[str, Any], report: Report) -> None:
    """Hold what a receipt says against what the events up to its own say."""
    expected = {**due.payload, "tenant": record["execution"]["tenant"]}
    price = payload["price"] and {name: payload["price"][name] for name in ("amount", "currency")}
    for name, value in expected.items():
        report.compare(f"{where} {name}", value, price if name == "price" else payload[name])
    if price and due.statuses and payload["price"]["status"] not in due.statuses:
        wanted = " or ".join(sorted(due.statuses))
        report.tell(f"{where} price status", "is not what the events say", wanted, payload["price"]["status"])
    _check_steps(where, payload["steps"], due, record["steps"], report)


def _check_steps(
    where: str, found: Sequence[Mapping[str, Any]], due: Due, steps: Sequence[Mapping[str, Any]], report: Report
) -> None:
    indexes = {step["name"]: step["index"] for step in steps}
    order = [indexes.get(step["name"], -1) for step in found]
    names = [step["name"] for step in found]
    for name in sorted((due.steps.keys() | (indexes.keys() if due.last else set())) - set(names)):
        report.tell(f"{where} steps/{name}", "is missing: the record has it")
    if order != sorted(set(order)):
        report.tell(f"{where} steps", "are not in the order of the record, each once")
    for step in found:
        for member, value in due.steps.get(step["name"], _NEVER_BEGUN).items():
            report.compare(f"{where} steps/{step['name']} {member}", value, step[member])
