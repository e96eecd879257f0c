"""Timestamps on the wire: RFC 3339 in UTC with milliseconds and `Z`; on record, with microseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def wire(moment: datetime | None) -> str | None:
    """`2024-05-01T12:00:00.123Z`; the rest of the microseconds is cut, not rounded, so that order is kept."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def precise(moment: datetime) -> str:
    """`2024-05-01T12:00:00.123456Z`: all that the database keeps of a moment."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse(text: str) -> datetime:
    """The moment that an RFC 3339 text names. Raises ValueError for anything else, a missing offset too."""
    if not _RFC3339.fullmatch(text):
        raise ValueError("an RFC 3339 timestamp with an offset, as 2024-05-01T12:00:00Z, is wanted")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the timestamp is out of range") from error
