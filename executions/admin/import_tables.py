"""What an imported bundle holds, as tables. It may say anything: whatever is no record is left out, nothing raises."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from contract.json_values import JSON
from executions.admin import panels
from executions.admin.panels import Table
from executions.provenance.imports import read_part

ROWS_SHOWN = 50
LINEAGE_SHOWN = 200

Files = Mapping[str, bytes]


def tables_of(files: Files, first: int) -> dict[str, Any]:
    """Tables by their titles: steps and events from their `first` on, everything else up to a bound."""
    record = _object(read_part(files, "record.json"))
    steps, events = _objects(record.get("steps")), _events(files)
    more = max(len(steps), len(events)) > first + ROWS_SHOWN
    tables = {
        "Execution": _execution(files, record),
        "Steps": _steps(files, record, steps[first : first + ROWS_SHOWN]),
        "Earlier runs": _runs(record),
        "Provenance: where inputs came from": _lineage(files),
        "Receipts": _receipts(files),
        "Events": {"headers": ["#", "at", "event", "step", "data"], "rows": events[first : first + ROWS_SHOWN]},
    }
    return {"tables": tables, "steps_first": first > 0, "steps_after": first + ROWS_SHOWN if more else None}


def _execution(files: Files, record: dict[str, Any]) -> Table:
    execution, submission = _object(record.get("execution")), _object(record.get("submission"))
    definition, payment = _object(record.get("definition")), record.get("payment")
    plain = ("status_reason", "run_id", "outcome", "created_at", "queued_at", "started_at", "finished_at")
    rows = [[name.replace("_", " "), _plain(execution.get(name))] for name in plain]
    rows.append(["workflow", f"{definition.get('workflow')} {definition.get('version')}"])
    rows += [[name.replace("_", " "), _content(files, submission.get(name))] for name in ("input", "parameters")]
    rows += [["application", _content(files, submission.get("application_data"))]]
    rows += [["output", _content(files, execution.get("output"))]]
    rows += [["payment", _shown(payment)]] if payment else []
    rows += [["definition", _content(files, definition.get("text"))]]
    return {"headers": ["what", "value"], "rows": rows}


def _steps(files: Files, record: dict[str, Any], steps: list[dict[str, Any]]) -> Table:
    newest = {(row.get("step"), row.get("number")): row for row in _objects(record.get("attempts"))}
    headers = ["#", "step", "status", "attempts", "started", "finished", "worker", "input", "output", "error"]
    rows = []
    for step in steps:
        attempt = newest.get((_plain(step.get("name")), step.get("attempts")), {})
        cells = [_plain(attempt.get(name)) for name in ("started_at", "finished_at", "worker")]
        contents = [_content(files, attempt.get(name)) for name in ("input", "output", "error")]
        status = _plain(step.get("status"))
        badge = panels.badge(status, panels.tone_of(status))
        rows.append(
            [
                _plain(step.get("index")),
                _plain(step.get("name")),
                badge,
                _plain(step.get("attempts")),
                *cells,
                *contents,
            ]
        )
    return {"headers": headers, "rows": rows}


def _runs(record: dict[str, Any]) -> Table:
    names = ("run_id", "status", "status_reason", "queued_at", "finished_at")
    runs = _objects(record.get("runs"))[:ROWS_SHOWN]
    return {"headers": _headers("run", *names[1:]), "rows": [[_plain(run.get(name)) for name in names] for run in runs]}


def _lineage(files: Files) -> Table:
    names = ("step", "number", "field", "kind", "name", "attempt", "pointer", "expression")
    rows = _objects(read_part(files, "lineage.json"))[:LINEAGE_SHOWN]
    return {"headers": _headers(*names), "rows": [[_plain(row.get(name)) for name in names] for row in rows]}


def _receipts(files: Files) -> Table:
    rows = _objects(read_part(files, "receipts.json"))[:ROWS_SHOWN]
    names = ("id", "run_id", "sequence", "created_at")
    shown = [[*(_plain(row.get(name)) for name in names), _key(row.get("jws"))] for row in rows]
    return {"headers": _headers(*names, "key"), "rows": shown}


def _events(files: Files) -> list[list[Any]]:
    rows = []
    for line in files.get("events.jsonl", b"").splitlines():
        event = _object(_json(line))
        body = _object(_json(event.get("body")))
        cells = [_plain(event.get(name)) for name in ("sequence", "created_at", "type", "step")]
        rows.append([*cells, json.dumps(body.get("data"), ensure_ascii=False)[:300]])
    return rows


def _content(files: Files, ref: Any) -> SafeString | str:
    """The payload that a Ref names, indented, behind a word to open it."""
    ref = _object(ref)
    if not ref:
        return "-"
    content = files.get(f"payloads/{ref.get('sha256')}")
    if content is None:
        return "dropped" if ref.get("dropped") else "missing"
    return _shown(_json(content))


def _shown(value: JSON) -> SafeString:
    return format_html("<details><summary>{}</summary>{}</details>", _brief(value), panels.indented(value))


def _brief(value: JSON) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _key(jws: Any) -> str:
    head = str(jws).partition(".")[0]
    try:
        return _plain(_object(_json(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))).get("kid"))
    except ValueError:
        return ""


def _json(text: Any) -> JSON:
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None


def _headers(*names: str) -> list[str]:
    return [name.replace("_", " ") for name in names]


def _plain(value: Any) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
