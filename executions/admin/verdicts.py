"""What verification says, on the admin's pages: its findings, its notes, what was looked at and who signed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from executions.admin import panels
from executions.admin.panels import Table

FINDINGS_SHOWN = 100


def verdict_tables(told: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Of a verdict as JSON: a badge, and tables by their titles. `known` are the keys that are this installation's."""
    findings, notes = told["findings"], told["notes"]
    tables: dict[str, Table] = {}
    if findings:
        more = f", the first {FINDINGS_SHOWN} here" if len(findings) > FINDINGS_SHOWN else ""
        rows = [[one["where"], one["message"], one["expected"], one["found"]] for one in findings[:FINDINGS_SHOWN]]
        title = f"What does not match: {len(findings):,}{more}"
        tables[title] = {"headers": ["where", "what", "expected", "found"], "rows": [_cells(row) for row in rows]}
    if notes:
        rows = [[one["where"], one["message"]] for one in notes[:FINDINGS_SHOWN]]
        tables["Worth knowing"] = {"headers": ["where", "what"], "rows": rows}
    signers = [[kid, _whose(known=kid in known)] for kid in told["signedBy"]]
    tables["Signed by"] = {"headers": ["key", "whose"], "rows": signers or [["nobody", ""]]}
    looked_at = [[kind, f"{count:,}"] for kind, count in told["checked"].items()]
    tables["Looked at"] = {"headers": ["what", "how many"], "rows": looked_at}
    badge = panels.label("intact", "success") if told["intact"] else panels.label("altered", "danger")
    return {"verdict": badge, "verdict_tables": tables}


def _cells(row: list[Any]) -> list[Any]:
    return ["" if cell is None else cell for cell in row]


def _whose(*, known: bool) -> Any:
    return panels.label("this installation's", "success") if known else panels.label("not known here", "warning")
