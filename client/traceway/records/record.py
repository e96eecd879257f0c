"""record.json: its shape, and every member of it held against what the events tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from traceway.records import shapes
from traceway.records.chain import Event
from traceway.records.findings import Report
from traceway.records.history import TERMINAL, AttemptTold, History, RunTold
from traceway.records.places import check_places
from traceway.records.texts import canonical, digest

REF = shapes.members({"sha256": shapes.sha256, "bytes": shapes.integer}, optional={"dropped": shapes.true})
"""A payload, by the digest of its bytes and how many they are; `dropped` where its content was removed on purpose."""

_TEXT, _MOMENT, _MAYBE = shapes.text(), shapes.maybe(shapes.moment), shapes.maybe
_CONTENT = {"input": REF, "parameters": REF, "application_data": _MAYBE(REF), "client_safe_metadata": REF}
_EXECUTION = {
    "id": _TEXT,
    "tenant": _TEXT,
    "workflow": _TEXT,
    "version_id": _TEXT,
    "status": _TEXT,
    "status_reason": _MAYBE(_TEXT),
    "run_id": _MAYBE(_TEXT),
    "chain_head": shapes.sha256,
    "event_sequence": shapes.integer,
    "output": _MAYBE(REF),
    "outcome": _MAYBE(_TEXT),
    "outcome_error": _MAYBE(_TEXT),
    "priority": shapes.integer,
    "concurrency_key": _MAYBE(_TEXT),
    "created_at": shapes.moment,
    "queued_at": _MOMENT,
    "started_at": _MOMENT,
    "finished_at": _MOMENT,
}
_RUN = {
    "run_id": _TEXT,
    "status": _TEXT,
    "status_reason": _MAYBE(_TEXT),
    "parameters": REF,
    "queued_at": _MOMENT,
    "started_at": _MOMENT,
    "finished_at": _MOMENT,
}
_ATTEMPT = {
    "step": _TEXT,
    "index": shapes.integer,
    "number": shapes.integer,
    "status": _TEXT,
    "process": _TEXT,
    "worker": _TEXT,
    "code_version": _TEXT,
    "input": _MAYBE(REF),
    "output": _MAYBE(REF),
    "error": _MAYBE(REF),
    "child": _MAYBE(_TEXT),
    "started_at": shapes.moment,
    "finished_at": _MOMENT,
}
_STEP = {"index": shapes.integer, "name": _TEXT, "status": _TEXT, "attempts": shapes.integer, "item": _MAYBE(REF)}
_PAYMENT = {"order_id": _TEXT, "amount": shapes.integer, "currency": _TEXT, "status": _TEXT}
_ALSO_SUBMITTED = {
    "tenant": "tenant_id",
    "workflow": "workflow_id",
    "version_id": "version_id",
    "priority": "priority",
    "concurrency_key": "concurrency_key",
}
"""Members of an execution that never change, with their names in the submission, to which its first event commits."""
RECORD = shapes.members(
    {
        "execution": shapes.members(_EXECUTION),
        "definition": shapes.members({"workflow": _TEXT, "version": _TEXT, "digest": shapes.sha256, "text": REF}),
        "submission": shapes.members(_CONTENT, others=shapes.scalar),
        "runs": shapes.items(shapes.members(_RUN)),
        "steps": shapes.items(shapes.members(_STEP)),
        "attempts": shapes.items(shapes.members(_ATTEMPT, optional={"action": _TEXT})),
        "payment": _MAYBE(shapes.members(_PAYMENT, others=shapes.scalar)),
    }
)
"""The shape of record.json."""


def check_record(
    record: Mapping[str, Any], definition: Any, history: History, events: list[Event], report: Report
) -> None:
    """Tell every member that is not what the events say. `definition` is None where its text is not there."""
    _check_execution(record["execution"], history, events[-1], report)
    _check_definition(record, history, report)
    _check_submission(record["submission"], record["execution"], history, report)
    _check_runs(record["runs"], history, report)
    _check_steps(record["steps"], history, report)
    check_places(record, definition, report)
    _check_attempts(record["attempts"], record["steps"], history, report)
    _check_payment(record["payment"], history, report)


def attempt_named(step: str, number: Any) -> str:
    """How findings name an attempt."""
    return f"steps/{step} attempt {number}"


def sha(ref: Mapping[str, Any] | None) -> str | None:
    """The digest of what a Ref names."""
    return None if ref is None else ref["sha256"]


def _check_execution(found: Mapping[str, Any], history: History, last: Event, report: Report) -> None:
    run, created = history.run, history.created
    expected: dict[str, Any] = {
        "id": history.execution,
        "workflow": created.get("workflow"),
        "status": history.status,
        "run_id": run.run_id,
        "chain_head": last.hash,
        "event_sequence": last.sequence,
        "output": run.output,
        "outcome": history.outcome,
        "outcome_error": history.outcome_error,
        "created_at": history.created_at,
        "queued_at": run.queued_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    }
    expected |= {"priority": created["priority"]} if "priority" in created else {}
    expected |= {"status_reason": run.reason} if history.status in TERMINAL else {}
    digests = {name: found[name] and digest(found[name]) for name in ("outcome", "outcome_error")}
    told = {**found, **digests, "output": sha(found["output"])}
    for name, value in expected.items():
        report.compare(f"execution {name}", value, told[name])


def _check_definition(record: Mapping[str, Any], history: History, report: Report) -> None:
    definition, created = record["definition"], history.created
    report.compare("definition digest", created.get("definition"), definition["digest"])
    report.compare("definition text", created.get("definition"), sha(definition["text"]))
    report.compare("definition version", created.get("version"), definition["version"])


def _check_submission(found: Mapping[str, Any], execution: Mapping[str, Any], history: History, report: Report) -> None:
    created = history.created
    named = {"input": "input", "client_safe_metadata": "metadata", "application_data": "application"}
    for member, told in named.items():
        report.compare(f"submission {member}", created.get(told), sha(found[member]))
    report.compare("submission parameters", history.run.parameters, sha(found["parameters"]))
    if "request_id" in found:
        report.compare("submission request_id", created.get("request_id"), found["request_id"])
    if "initiated_by_type" in found:
        by = f"{found['initiated_by_type']}:{found.get('initiated_by_id')}"
        report.compare("submission initiated_by", created.get("initiated_by"), by)
    for name, member in _ALSO_SUBMITTED.items():
        if member in found:
            report.compare(f"execution {name}", found[member], execution[name], "is not what was submitted")
    others = {name: value for name, value in found.items() if name not in _CONTENT}
    report.compare("submission", created.get("submission"), digest(canonical(others)))


def _check_runs(found: list[dict[str, Any]], history: History, report: Report) -> None:
    earlier = history.runs[:-1]
    for run, told in _paired(found, [run.run_id for run in earlier], "run_id", "run", report):
        _check_run(run, earlier[told], report)


def _check_run(found: Mapping[str, Any], told: RunTold, report: Report) -> None:
    names = ("status", "queued_at", "started_at", "finished_at")
    expected = {name: getattr(told, name) for name in names} | {"status_reason": told.reason}
    for name, value in expected.items():
        report.compare(f"run {told.run_id} {name}", value, found[name])
    report.compare(f"run {told.run_id} parameters", told.parameters, sha(found["parameters"]))


def _check_steps(found: list[dict[str, Any]], history: History, report: Report) -> None:
    names = {row["name"] for row in found}
    for name in history.steps:
        if name not in names:
            report.tell(f"steps/{name}", "is missing: the events tell of it")
    seen: set[Any] = set()
    for row in found:
        name, told = row["name"], history.steps.get(row["name"])
        report.compare(f"steps/{name} status", told.status if told else "pending", row["status"])
        report.compare(f"steps/{name} attempts", told.attempts if told else 0, row["attempts"])
        if told and told.item is not None:
            report.compare(f"steps/{name} item", told.item, sha(row["item"]))
        if name in seen or row["index"] in seen:
            report.tell(f"steps/{name}", "is there twice, or has another step's index", found=row["index"])
        seen |= {name, row["index"]}
    _check_items({row["name"]: sha(row["item"]) for row in found}, history, report)


def _check_items(found: Mapping[str, str | None], history: History, report: Report) -> None:
    for name, told in history.steps.items():
        if told.items is not None and type(told.parts) is int and told.parts > len(found):
            report.tell(f"steps/{name} items", "are fewer than the events tell of", told.parts, len(found))
        elif told.items is not None and type(told.parts) is int:
            digests = [found.get(f"{name}[{number}]") for number in range(told.parts)]
            report.compare(f"steps/{name} items", told.items, digest(canonical(digests)))


def _check_attempts(found: list[dict[str, Any]], steps: list[dict[str, Any]], history: History, report: Report) -> None:
    indexes = {row["name"]: row["index"] for row in steps}
    seen: set[tuple[str, int]] = set()
    for row in found:
        key, where = (row["step"], row["number"]), attempt_named(row["step"], row["number"])
        told = history.attempts.get(key)
        if told is None or key in seen:
            report.tell(where, "is there twice" if told else "is there, but no event tells of it")
            continue
        seen.add(key)
        report.compare(f"{where} index", indexes.get(row["step"]), row["index"], "is not its step's")
        _check_attempt(where, row, told, report)
    for step, number in history.attempts.keys() - seen:
        report.tell(attempt_named(step, number), "is missing: the events tell of it")


def _check_attempt(where: str, found: Mapping[str, Any], told: AttemptTold, report: Report) -> None:
    columns = ("status", "process", "worker", "code_version", "child", "started_at", "finished_at")
    for name in (*columns, *(["action"] if "action" in found else [])):
        report.compare(f"{where} {name}", getattr(told, name), found[name])
    for name in ("input", "output", "error"):
        report.compare(f"{where} {name}", getattr(told, name), sha(found[name]))


def _check_payment(found: Mapping[str, Any] | None, history: History, report: Report) -> None:
    told = history.payment
    if found is None or told is None:
        if found is not None:
            report.tell("payment", "is there, but no event tells of it")
        elif told is not None:
            report.tell("payment", "is missing: the events tell of it")
        return
    opened = {"order_id": "order", "amount": "amount", "currency": "currency"}
    opened |= {"provider": "provider", "refund_policy": "refund"}
    expected = {member: told.opened.get(name) for member, name in opened.items()}
    expected |= {"reference": told.paid_with, "paid_at": told.paid_at, "refunded_amount": told.refunded}
    for name, value in expected.items():
        if name in found:
            report.compare(f"payment {name}", value, found[name])
    if found["status"] not in told.statuses:
        report.tell("payment status", "is not what the events say", " or ".join(sorted(told.statuses)), found["status"])


def _paired(
    found: list[dict[str, Any]], told: list[Any], member: str, kind: str, report: Report
) -> Iterator[tuple[dict[str, Any], int]]:
    """Rows with the place of what is told of them, in one and the same order."""
    for row, place in zip(found, range(len(told)), strict=False):
        if row[member] != told[place]:
            report.compare(f"{kind} {place + 1}", told[place], row[member])
        else:
            yield row, place
    for row in found[len(told) :]:
        report.tell(f"{kind} {row[member]}", "is there, but no event tells of it")
    for name in told[len(found) :]:
        report.tell(f"{kind} {name}", "is missing: the events tell of it")
