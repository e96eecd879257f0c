"""Payloads: each named by the digest of its bytes, each named by the record, none missing unless it was dropped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from traceway.records.findings import Report
from traceway.records.record import attempt_named
from traceway.records.texts import canonical, digest

FOLDER = "payloads/"


def check_payloads(
    record: Mapping[str, Any], files: Mapping[str, bytes], *, told: bool, left: Any = None, report: Report
) -> None:
    """`told` is whether an event says that payloads were dropped, `left` what it says that was left of them."""
    named: set[str] = set()
    dropped: set[str] = set()
    for where, ref in references(record):
        named.add(FOLDER + ref["sha256"])
        content = files.get(FOLDER + ref["sha256"])
        if content is not None:
            report.compare(f"{where} bytes", len(content), ref["bytes"], "is not the size of its payload")
        if "dropped" in ref:
            dropped.add(ref["sha256"])
            if not told:
                report.tell(where, "is said to be dropped, but no event tells of that", found=ref["sha256"])
        elif content is None:
            report.tell(where, "its payload is missing", ref["sha256"])
    report.dropped = len(dropped)
    if left is not None:
        refs = {f"@dropped:{ref['sha256']}:{ref['bytes']}" for _, ref in references(record) if "dropped" in ref}
        made = digest(canonical(sorted(refs)))
        report.compare("payloads dropped", left, made, "are not the ones, or of the sizes, that the event tells of")
    for name in sorted(name for name in files if name.startswith(FOLDER)):
        report.compare(
            name, name.removeprefix(FOLDER), digest(files[name]), "its name is not the digest of its content"
        )
        if name not in named:
            report.tell(name, "nothing in the record names it")
        report.count("payloads", 1)


def references(record: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every Ref of a record, with how findings name it."""
    submission = record["submission"]
    contents = ("input", "parameters", "application_data", "client_safe_metadata")
    found = [("definition text", record["definition"]["text"]), ("execution output", record["execution"]["output"])]
    found += [(f"submission {name}", submission[name]) for name in contents]
    found += [(f"run {run['run_id']} parameters", run["parameters"]) for run in record["runs"]]
    found += [(f"steps/{step['name']} item", step["item"]) for step in record["steps"]]
    for attempt in record["attempts"]:
        where = attempt_named(attempt["step"], attempt["number"])
        found += [(f"{where} {name}", attempt[name]) for name in ("input", "output", "error")]
    return ((where, ref) for where, ref in found if ref is not None)
