"""A verdict in words: lines for a terminal or a log, without characters that would steer either."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from traceway.records.findings import Finding, Verdict

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_WORDS = {
    "events": ("event", "events"),
    "payloads": ("payload", "payloads"),
    "steps": ("step", "steps"),
    "attempts": ("attempt", "attempts"),
    "receipts": ("receipt", "receipts"),
    "lineage": ("value followed to its source", "values followed to their sources"),
}
SHOWN = 100
"""So many findings are told in words; JSON tells all of them."""


def in_words(verdict: Verdict) -> list[str]:
    """The first line says what came of it; findings come first, then what was looked at."""
    lines = list(_findings(verdict)) or [f"✓ intact  {verdict.execution or ''}".rstrip()]
    lines.append(f"  checked: {_counts(verdict)}")
    lines.append(f"  {_signatures(verdict)}")
    lines += [f"  note: {note.where}: {note.message}" for note in verdict.notes]
    return [_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", line) for line in lines]


def as_members(verdict: Verdict) -> dict[str, Any]:
    """The verdict as JSON."""
    return {
        "intact": verdict.intact,
        "execution": verdict.execution,
        "findings": [asdict(finding) for finding in verdict.findings],
        "notes": [{"where": note.where, "message": note.message} for note in verdict.notes],
        "checked": dict(verdict.checked),
        "dropped": verdict.dropped,
        "signedBy": list(verdict.signed_by),
        "trusted": verdict.trusted,
    }


def _findings(verdict: Verdict) -> Iterator[str]:
    shown = verdict.findings[:SHOWN]
    for number, finding in enumerate(shown):
        if number == 1:
            yield f"  and {len(verdict.findings) - 1} more, in the order of the checks:"
        mark, indent = ("✗ ", "    ") if number == 0 else ("  - ", "      ")
        yield f"{mark}{finding.where}: {finding.message}"
        yield from (f"{indent}{line}" for line in _sides(finding))
    if len(verdict.findings) > SHOWN:
        yield f"  - and {len(verdict.findings) - SHOWN} more"


def _sides(finding: Finding) -> Iterator[str]:
    if finding.expected is not None:
        yield f"expected  {finding.expected}"
    if finding.found is not None:
        yield f"found     {finding.found}"


def _counts(verdict: Verdict) -> str:
    told = [f"{number} {_WORDS[kind][number != 1]}" for kind, number in verdict.checked.items() if kind in _WORDS]
    if verdict.dropped:
        told.append(f"{verdict.dropped} dropped on purpose")
    return ", ".join(told) or "nothing could be looked at"


def _signatures(verdict: Verdict) -> str:
    if not verdict.signed_by:
        return "signed by nobody: only that it agrees with itself can be said"
    who = f"signed by {', '.join(verdict.signed_by)}"
    return who if verdict.trusted else f"{who}; the key came with the file: say with --keys which keys you trust"
