"""The form of a column that holds a JSON text, or a reference to one: the one place that knows it. Pure.

A text that is stored elsewhere stands as `@<SHA-256 in hex>:<bytes>`, one that was dropped as
`@dropped:<SHA-256 in hex>:<bytes>`. No JSON text begins with an @.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from contract.json_values import JSON

_MARK = "@"
_DROPPED = "@dropped:"


@dataclass(frozen=True, slots=True)
class Reference:
    """A text that does not stand in its column; `bytes` is its length in UTF-8."""

    digest: str
    bytes: int
    dropped: bool = False

    def column(self) -> str:
        """What stands in the column."""
        return f"{_DROPPED if self.dropped else _MARK}{self.digest}:{self.bytes}"

    def shown(self) -> JSON:
        """What is said of it where its content is not to be had."""
        return {"digest": self.digest, "bytes": self.bytes}


def reference(digest: str, size: int) -> str:
    """The column of a text that is stored under its digest."""
    return Reference(digest, size).column()


def is_reference(column: str) -> bool:
    """Whether the text itself stands elsewhere, or is gone."""
    return column.startswith(_MARK)


def is_dropped(column: str) -> bool:
    """Whether the text is gone, and only its digest is left."""
    return column.startswith(_DROPPED)


def parse(column: str) -> Reference | None:
    """What a column refers to; None for one that holds its text."""
    if not is_reference(column):
        return None
    dropped = is_dropped(column)
    digest, _, size = column.removeprefix(_DROPPED if dropped else _MARK).partition(":")
    return Reference(digest, int(size), dropped)


def refer(text: str) -> Reference:
    """What stands for a text that does not stand in its column."""
    content = text.encode()
    return Reference(hashlib.sha256(content).hexdigest(), len(content))


def digest_of(column: str) -> str:
    """The SHA-256, in hex, of the text, wherever it stands and even if it was dropped."""
    found = parse(column)
    return hashlib.sha256(column.encode()).hexdigest() if found is None else found.digest


def size_of(column: str) -> int:
    """The bytes of the text, wherever it stands and even if it was dropped."""
    found = parse(column)
    return len(column.encode()) if found is None else found.bytes


def drop(column: str) -> str:
    """What is left of a column once its text is gone."""
    found = parse(column) or refer(column)
    return replace(found, dropped=True).column()


def drop_in_sql(column: str) -> str:
    """What `drop` leaves, as PostgreSQL says it."""
    digest = f"encode(sha256(convert_to({column}, 'UTF8')), 'hex')"
    return (
        f"CASE WHEN {column} LIKE '{_DROPPED}%%' THEN {column}"
        f" WHEN {column} LIKE '{_MARK}%%' THEN '{_DROPPED}' || substr({column}, {len(_MARK) + 1})"
        f" ELSE '{_DROPPED}' || {digest} || ':' || octet_length({column}) END"
    )
