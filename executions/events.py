"""Events: what is written down of every move, chained by hash. Pure.

A body holds ASCII member names, strings, booleans, null and small integers only, for which
sorted compact JSON is RFC 8785; payloads are never in it, their SHA-256 digests are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from contract import json_values
from contract.timestamps import precise
from executions.payloads.references import digest_of

GENESIS = b"\0" * 32
"""What stands before the first event of every execution."""

Detail = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened, not yet chained: `step` and `index` are the step's, `data` the event's own members."""

    type: str
    data: dict[str, Detail]
    step: str | None = None
    index: int | None = None


class EventRow(NamedTuple):
    """One event as it is stored: `body` is canonical JSON, `hash` its SHA-256, which the next body names."""

    sequence: int
    type: str
    step: str | None
    body: str
    hash: bytes
    created_at: datetime


def chain(
    execution_id: str, sequence: int, head: bytes, happenings: list[Happening], at: datetime
) -> tuple[list[EventRow], bytes]:
    """The rows that follow the event `sequence` with hash `head`, and the new head."""
    rows: list[EventRow] = []
    moment = precise(at)
    for happening in happenings:
        sequence += 1
        body = json_values.canonical(
            {
                "at": moment,
                "data": happening.data,
                "execution": execution_id,
                "previous": head.hex(),
                "sequence": sequence,
                "step": happening.step,
                "type": happening.type,
            }
        )
        head = hashlib.sha256(body).digest()
        rows.append(EventRow(sequence, happening.type, happening.step, body.decode(), head, at))
    return rows, head


def digest(text: str) -> str:
    """The SHA-256, in hex, of a payload's exact stored bytes, wherever they stand."""
    return digest_of(text)
