"""Pages of a list, newest first: `limit` with `offset`, or with an opaque keyset `cursor` bound to its list.

The key is a UUIDv7, so newest first is the primary key backwards and a page costs the same at any depth.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.utils.crypto import salted_hmac

from contract.problems import FieldProblem, InvalidInput

T = TypeVar("T")
U = TypeVar("U")
M = TypeVar("M", bound=Model)

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
MAX_OFFSET = 10_000
_SEAL_BYTES = 12


@dataclass(frozen=True, slots=True)
class Window:
    """What of a list is wanted; `cursor` is as the caller sent it."""

    limit: int = DEFAULT_LIMIT
    offset: int = 0
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page; `next_cursor` is None on the last one."""

    items: list[T]
    limit: int
    offset: int
    next_cursor: str | None

    @property
    def has_more(self) -> bool:
        """Whether another page follows."""
        return self.next_cursor is not None

    def map(self, show: Callable[[T], U]) -> Page[U]:
        """The same page of what `show` makes of each item."""
        return Page([show(item) for item in self.items], self.limit, self.offset, self.next_cursor)


@dataclass(frozen=True, slots=True)
class Keys:
    """Some of a list's keys: those in `column` of `rows`, of any model, read in its order from one index.

    `same` is a column of another table, joined by `rows`, that holds the same key.
    """

    rows: QuerySet[Any]
    column: str = "id"
    same: str | None = None

    def newest(self, last: UUID | None, count: int) -> QuerySet[Any]:
        """The first `count` of them, newest first, that come after `last`."""
        bounds = {f"{column}__lt": last for column in (self.column, self.same) if column and last is not None}
        rows = self.rows.filter(**bounds)
        return rows.order_by(f"-{self.column}").values_list(self.column, flat=True)[:count]


def newest_first(
    rows: QuerySet[M], window: Window, *, binding: str, key: str = "id", among: Sequence[Keys] = ()
) -> Page[M]:
    """The page of `rows` by the UUIDv7 column `key`, descending.

    `binding` names the list: a cursor of another one is refused with InvalidInput. `among`: where to find the keys of
    the list, in parts that exclude each other; left out, in `rows` themselves.
    """
    last = None if window.cursor is None else open_cursor(window.cursor, binding)
    parts = [part.newest(last, window.offset + window.limit + 1) for part in among or [Keys(rows, key)]]
    # One statement, and so one snapshot: what moves from one part to another meanwhile is in one of them.
    keys = parts[0] if len(parts) == 1 else parts[0].union(*parts[1:], all=True).order_by(f"-{among[0].column}")
    wanted = keys[window.offset : window.offset + window.limit + 1]
    found = list(rows.filter(**{f"{key}__in": wanted}).order_by(f"-{key}"))
    items = found[: window.limit]
    more = len(found) > window.limit
    return Page(items, window.limit, window.offset, seal_cursor(_key_of(items[-1], key), binding) if more else None)


def seal_cursor(last: UUID, binding: str) -> str:
    """The opaque cursor that goes on after `last` in the list `binding`."""
    return base64.urlsafe_b64encode(last.bytes + _seal(last.bytes, binding)).decode().rstrip("=")


def open_cursor(cursor: str, binding: str) -> UUID:
    """The id after which the list `binding` goes on. Raises InvalidInput for a cursor that is not its own."""
    try:
        content = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise _foreign() from error
    if len(content) != 16 + _SEAL_BYTES or not hmac.compare_digest(content[16:], _seal(content[:16], binding)):
        raise _foreign()
    return UUID(bytes=content[:16])


def _seal(key: bytes, binding: str) -> bytes:
    return salted_hmac("contract.pages", key + binding.encode(), algorithm="sha256").digest()[:_SEAL_BYTES]


def _foreign() -> InvalidInput:
    message = "this cursor is not one of this list"
    return InvalidInput(message, fields=[FieldProblem("query.cursor", "invalid_cursor", message)])


def _key_of(row: Any, key: str) -> UUID:
    value = getattr(row, key)
    assert isinstance(value, UUID)
    return value
