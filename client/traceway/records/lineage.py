"""lineage.json: whether values came from where they are said to come from, by digest, as far as payloads are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from traceway.records import shapes
from traceway.records.findings import Report
from traceway.records.history import History
from traceway.records.payloads import FOLDER
from traceway.records.pointers import Located
from traceway.records.record import attempt_named, sha
from traceway.records.texts import canonical, digest

MASK = "***"
"""What stands in a recorded input where a secret stood."""

_TEXT, _MAYBE_TEXT, _SHA = shapes.text(), shapes.maybe(shapes.text()), shapes.maybe(shapes.sha256)
ROWS = shapes.items(
    shapes.members(
        {
            "step": _TEXT,
            "number": shapes.integer,
            "field": _TEXT,
            "value": _SHA,
            "kind": _TEXT,
            "name": _MAYBE_TEXT,
            "attempt": shapes.maybe(shapes.integer),
            "pointer": _MAYBE_TEXT,
            "expression": _MAYBE_TEXT,
            "digest": _SHA,
        }
    )
)
"""The shape of lineage.json."""

OWN = ("", 0)
"""What rows of the execution itself stand under, as if it were an attempt."""
SUCCEEDED = "workflow_succeeded"
_OF_SUBMISSION = {"input": "input", "application": "application_data"}
_KINDS = frozenset({"input", "parameter", "application", "item", "step", "execution", "secret"})


def digest_until(rows: Sequence[Mapping[str, Any]], sequence: int, history: History) -> str:
    """The digest of the rows of what had come about when the event `sequence` was written.

    These are the attempts that had begun, the execution's input and, once it had succeeded, what it came to.
    """
    begun = {key for key, told in history.attempts.items() if told.begun <= sequence}
    begun.add(OWN)
    came_to_it = any(run.status == SUCCEEDED and (run.ended or 0) <= sequence for run in history.runs)
    told = [row for row in rows if (row["step"], row["number"]) in begun]
    return digest(canonical([row for row in told if came_to_it or not _is_of_the_end(row)]))


def _is_of_the_end(row: Mapping[str, Any]) -> bool:
    return _is_own(row) and row["field"] != "/input"


def _is_own(row: Mapping[str, Any]) -> bool:
    return (row["step"], row["number"]) == OWN


class Sources:
    """The payloads that values come from, as they are found by the rows."""

    def __init__(self, record: Mapping[str, Any], history: History, files: Mapping[str, bytes]) -> None:
        self._record, self._history, self._files = record, history, files
        self._located: dict[str, Located | None] = {}
        self._items = {step["name"]: sha(step["item"]) for step in record["steps"]}

    def recorded(self, row: Mapping[str, Any]) -> tuple[Located | None, str]:
        """What the row's field is a part of, and where in it; None where its content is not there."""
        field = row["field"]
        if not _is_own(row):
            return self._payload(self._history.attempts[row["step"], row["number"]].input), field
        if field.startswith("/output"):
            return self._payload(self._history.run.output), field.removeprefix("/output")
        return self._payload(self._history.created.get("input")) if field == "/input" else None, ""

    def source(self, row: Mapping[str, Any]) -> Located | None:
        """What the value came from; None where that is no payload, or its content is not there."""
        kind, submission = row["kind"], self._record["submission"]
        if row["pointer"] is None:
            return None
        told = self._history.attempts.get((row["name"], row["attempt"]))
        if kind == "step":
            return self._payload(told and told.output)
        if kind == "item" and told is not None:
            return self._payload(told.input)
        if kind == "parameter":
            run = len(self._history.runs) if _is_own(row) else self._history.attempts[row["step"], row["number"]].run
            return self._payload(self._history.runs[run - 1].parameters)
        if kind == "item":
            return self._payload(self._items.get(row["name"] or row["step"]))
        return self._payload(sha(submission[_OF_SUBMISSION[kind]])) if kind in _OF_SUBMISSION else None

    def _payload(self, named: Any) -> Located | None:
        if named not in self._located:
            content = self._files.get(f"{FOLDER}{named}")
            self._located[named] = None if content is None else _located(content)
        return self._located[named]


def check_lineage(rows: Sequence[Mapping[str, Any]], sources: Sources, history: History, report: Report) -> None:
    """Tell every row whose value is not what stands at its field, or whose source is not what stands there."""
    for row in rows:
        where = f"lineage of {attempt_named(row['step'], row['number'])} {row['field'] or 'as a whole'}"
        report.count("lineage", 1)
        if not _is_own(row) and (row["step"], row["number"]) not in history.attempts:
            report.tell(where, "is there, but no event tells of this attempt")
        elif _is_own(row) and not _came_about(row, history):
            report.tell(where, "is there, but nothing of the kind came about")
        elif row["kind"] not in _KINDS:
            report.tell(where, "names no kind of source", ", ".join(sorted(_KINDS)), row["kind"])
        elif row["kind"] == "step" and row["attempt"] is not None and _unknown(row, history):
            report.tell(
                where, "names an attempt that no event tells of", found=attempt_named(row["name"], row["attempt"])
            )
        else:
            _compare(f"{where} value", row["value"], *sources.recorded(row), report)
            _compare(f"{where} digest", row["digest"], sources.source(row), row["pointer"] or "", report)


def _came_about(row: Mapping[str, Any], history: History) -> bool:
    """Whether an execution can have such a row: its input always, what it came to where a run succeeded."""
    field = row["field"]
    if not _is_of_the_end(row):
        return True
    of_the_end = field in {"/outcome", "/output"} or field.startswith("/output/")
    return of_the_end and any(run.status == SUCCEEDED for run in history.runs)


def _unknown(row: Mapping[str, Any], history: History) -> bool:
    return (row["name"], row["attempt"]) not in history.attempts


def _compare(where: str, said: str | None, content: Located | None, pointer: str, report: Report) -> None:
    if content is None:
        return
    try:
        stands = content.digest(pointer, MASK)
    except (ValueError, RecursionError) as error:
        report.tell(where, f"cannot be looked up: {error}", found=pointer)
        return
    if stands != "":
        report.compare(where, stands, said, f"is not the digest of what stands at {pointer or 'the whole'}")


def _located(content: bytes) -> Located | None:
    try:
        return Located(content.decode())
    except UnicodeDecodeError:
        return None
