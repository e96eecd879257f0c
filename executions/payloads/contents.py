"""Which texts are large, and the contents that this process has at hand. Knows no Django; objects.py is behind it.

Nothing is stored or fetched inside a transaction: `column` and `text` raise Away there (contract/away.py).
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from contract.away import Away, brought_so_far
from executions.payloads.references import Reference, parse, refer

KEPT_BYTES = 32 * 1024 * 1024
_WIDEST = 4
"""Bytes that one character has at most."""


@dataclass(frozen=True, slots=True)
class Place:
    """Whose contents: no two executions, and so no two tenants, share an object."""

    tenant: UUID
    execution: UUID


class Unavailable(Exception):
    """A content is not to be had: its object is `missing` or `altered`, or it was `dropped`."""

    def __init__(self, place: Place, wanted: Reference, how: str) -> None:
        super().__init__(f"the payload {wanted.digest} of the execution {place.execution} is {how}")
        self.wanted = wanted
        self.how = how


class Objects(Protocol):
    """Where contents are kept. Raises Unreachable where that does not answer."""

    def put(self, place: Place, digest: str, content: bytes) -> None:
        """Keep it durably: all of it or nothing. Once more is the same."""

    def get(self, place: Place, digest: str) -> bytes | None:
        """The content; None where there is none."""


@dataclass(slots=True)
class Contents:
    """What this process knows of the objects: what it wrote and read last, bounded by its bytes. Any thread may ask."""

    objects: Objects
    inline_bytes: int
    kept_bytes: int = KEPT_BYTES
    _kept: OrderedDict[tuple[UUID, str], str] = field(default_factory=OrderedDict)
    _size: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def is_large(self, text: str) -> bool:
        """Whether the text stands in the store, and its column refers to it."""
        return len(text) * _WIDEST > self.inline_bytes and len(text.encode()) > self.inline_bytes

    def columns(self, place: Place, texts: Collection[str]) -> Mapping[str, str]:
        """What stands in the columns of these large texts. Inside an `at_hand` raises Unstored until they are kept."""
        brought = brought_so_far()
        stored = [away for away in brought or () if isinstance(away, Unstored) and away.place == place]
        missing = [text for text in texts if not any(text in away.texts for away in stored)]
        if missing:
            unstored = Unstored(self, place, frozenset(missing))
            if brought is not None:
                raise unstored
            unstored.bring()
        return {text: refer(text).column() for text in texts}

    def column(self, place: Place, text: str) -> str:
        """What stands in the column of this text, large or not. Raises as `columns` does."""
        return self.columns(place, [text])[text] if self.is_large(text) else text

    def text(self, place: Place, column: str) -> str:
        """The text of a column. Raises Unfetched, inside an `at_hand`, until it is at hand; else Unavailable."""
        return self.texts(place, [column])[0]

    def texts(self, place: Place, columns: Collection[str]) -> list[str]:
        """The texts of columns, in their order. Raises as `text` does, once for all that is not at hand."""
        found: dict[str, str] = {}
        wanted: list[Reference] = []
        for column in columns:
            reference = parse(column)
            content = column if reference is None else self._at_hand(place, reference)
            if content is not None:
                found[column] = content
            elif reference is not None:
                wanted.append(reference)
        if wanted:
            unfetched = Unfetched(self, place, wanted)
            if brought_so_far() is not None:
                raise unfetched
            unfetched.bring()
            found |= {reference.column(): unfetched.by_digest[reference.digest] for reference in wanted}
        return [found[column] for column in columns]

    def keep(self, place: Place, text: str) -> None:
        """Store the content, outside of any transaction. Raises Unreachable."""
        digest = refer(text).digest
        self.objects.put(place, digest, text.encode())
        self._remember(place, digest, text)

    def fetch(self, place: Place, wanted: Reference) -> str:
        """The content, checked against its digest, outside of any transaction. Raises Unavailable, Unreachable."""
        content = self.objects.get(place, wanted.digest)
        if content is None:
            raise Unavailable(place, wanted, "missing")
        if len(content) != wanted.bytes or hashlib.sha256(content).hexdigest() != wanted.digest:
            raise Unavailable(place, wanted, "altered")
        text = content.decode()
        self._remember(place, wanted.digest, text)
        return text

    def forget(self, place: Place) -> None:
        """Have nothing of this execution at hand any more."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == place.execution]:
                self._size -= len(self._kept.pop(key))

    def _at_hand(self, place: Place, wanted: Reference) -> str | None:
        if wanted.dropped:
            raise Unavailable(place, wanted, "dropped")
        for away in brought_so_far() or ():
            if isinstance(away, Unfetched | Unstored) and away.place == place and wanted.digest in away.by_digest:
                return away.by_digest[wanted.digest]
        key = place.execution, wanted.digest
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _remember(self, place: Place, digest: str, text: str) -> None:
        key = place.execution, digest
        with self._lock:
            self._size += len(text) - len(self._kept.pop(key, ""))
            self._kept[key] = text
            while self._size > self.kept_bytes:
                self._size -= len(self._kept.popitem(last=False)[1])


class Unstored(Away):
    """Large texts are to be written whose contents are not known to be kept."""

    def __init__(self, contents: Contents, place: Place, texts: frozenset[str]) -> None:
        super().__init__(f"{len(texts)} payloads of the execution {place.execution} are to be stored")
        self.place = place
        self.texts = texts
        self._contents = contents

    @property
    def by_digest(self) -> Mapping[str, str]:
        """Once they are kept they are at hand too, for whoever shows what was made of them."""
        return {refer(text).digest: text for text in self.texts}

    def bring(self) -> None:
        """Raises Unreachable."""
        for text in self.texts:
            self._contents.keep(self.place, text)


class Unfetched(Away):
    """Texts are wanted whose contents are not at hand; `by_digest` they are once they were brought."""

    def __init__(self, contents: Contents, place: Place, wanted: Collection[Reference]) -> None:
        super().__init__(f"{len(wanted)} payloads of the execution {place.execution} are to be fetched")
        self.place = place
        self.by_digest: dict[str, str] = {}
        self._contents = contents
        self._wanted = wanted

    def bring(self) -> None:
        """Raises Unavailable, Unreachable."""
        for wanted in self._wanted:
            self.by_digest[wanted.digest] = self._contents.fetch(self.place, wanted)
