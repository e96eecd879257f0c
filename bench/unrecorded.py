"""The engine without its record, for as long as it is measured against itself: no events, no hashes, no payloads.

What is left is what moves an execution: its row, its steps, its attempts without what went in and came out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from executions import draft, transitions
from executions.change import Change


@contextmanager
def unrecorded() -> Iterator[None]:
    """Nothing is recorded meanwhile. Steps that read outputs of others have none to read."""
    apply = transitions.apply
    bare = {
        (draft, "chain"): lambda _id, _sequence, head, _happenings, _at: ([], head),
        (draft, "commit_begun"): lambda *_: None,
        (draft, "commit_ends"): lambda *_: None,
        (transitions, "apply"): lambda cursor, change, *carrier: apply(cursor, _bare(change), *carrier),
    }
    kept = {place: getattr(*place) for place in bare}
    try:
        for place, function in bare.items():
            setattr(*place, function)
        yield
    finally:
        for place, function in kept.items():
            setattr(*place, function)


def _bare(change: Change) -> Change:
    gone: dict[str, Any] = {"output": None, "error": None}
    return replace(
        change,
        attempts=[replace(row, input=None, **gone) for row in change.attempts],
        ends=[replace(end, **gone) for end in change.ends],
    )
