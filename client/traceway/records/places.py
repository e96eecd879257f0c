"""Where steps stand: the index that each has by its name and by the definition."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from traceway.records.findings import Report

PARTS = 10_000
"""Part `n` of the step with the index `i` has the index PARTS + i * PARTS + n."""
COMPENSATIONS = 1_000_000_000
"""The compensation of the step with the index `i` has the index COMPENSATIONS + i."""

_COMPENSATION = re.compile(r"compensate\[([^\]]+)\]")
_PART = re.compile(r"([^\[]+)\[(\d{1,5})\](\..+)?", re.ASCII)


def check_places(record: Mapping[str, Any], definition: Any, report: Report) -> None:
    """Tell steps that the definition has no place for, or that stand elsewhere. Without its text names alone count."""
    rows = record["steps"]
    written = dict(_written(definition))
    if isinstance(definition, dict) and isinstance(definition.get("name"), str):
        named = record["definition"]["workflow"]
        report.compare("definition workflow", definition["name"], named, "is not the name that its text has")
    names = {row["name"] for row in rows}
    for name, index in written.items() if rows else ():
        if name not in names:
            report.tell(f"steps/{name}", "is missing: the definition has it", expected=index)
    indexes = written if _is_whole(definition) else {row["name"]: row["index"] for row in rows} | written
    for row in rows:
        allowed = _allowed(row["name"], indexes)
        if row["index"] not in allowed:
            shown = _shown(allowed)
            report.tell(f"steps/{row['name']} index", "is not its place in the definition", shown, row["index"])


def _written(definition: Any) -> Iterator[tuple[str, int]]:
    """The steps of the graph that are written with their names."""
    steps = definition.get("steps") if isinstance(definition, dict) else None
    for index, step in enumerate(steps if isinstance(steps, list) else []):
        if isinstance(step, dict) and isinstance(step.get("name"), str):
            yield step["name"], index


def _is_whole(definition: Any) -> bool:
    """Whether every step of the graph is written with its name: one that is not is named after its action."""
    steps = definition.get("steps") if isinstance(definition, dict) else None
    return isinstance(steps, list) and len(dict(_written(definition))) == len(steps)


def _allowed(name: str, indexes: Mapping[str, int]) -> range:
    """The indexes that a step of this name may have: one, or for a step in a round of a loop any of its owner's."""
    undone, part = _COMPENSATION.fullmatch(name), _PART.fullmatch(name)
    if undone is not None:
        index = indexes.get(undone[1])
        return range(0) if index is None else range(COMPENSATIONS + index, COMPENSATIONS + index + 1)
    if part is None:
        return range(indexes[name], indexes[name] + 1) if name in indexes else range(0)
    owner, number = indexes.get(part[1]), int(part[2])
    if owner is None or number >= PARTS:
        return range(0)
    first = PARTS + owner * PARTS
    return range(first, first + PARTS) if part[3] else range(first + number, first + number + 1)


def _shown(allowed: range) -> str:
    if not allowed:
        return "no such step"
    return str(allowed.start) if len(allowed) == 1 else f"{allowed.start} to {allowed.stop - 1}"
