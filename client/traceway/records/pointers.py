"""Where a value stands in a JSON text: its exact bytes, so that its digest is that of what was written."""

from __future__ import annotations

import json
from json.decoder import scanstring  # type: ignore[attr-defined] # the stubs leave it out
from typing import Any

from traceway.records.texts import digest

_DECODER = json.JSONDecoder()
Span = tuple[int, int]


class Located:
    """One compact JSON text, in which values are found by JSON Pointer; each container and value is read once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._inner: dict[int, dict[str, Span]] = {}
        self._digests: dict[Span, str] = {}

    def digest(self, pointer: str, mask: str) -> str | None:
        """The digest of the value there: None where there is none, "" where it holds the mask.

        Raises ValueError for what is no compact JSON.
        """
        span = self._find(pointer)
        if span is not None and span not in self._digests:
            value = self._text[slice(*span)]
            self._digests[span] = "" if mask in value else digest(value)
        return None if span is None else self._digests[span]

    def _find(self, pointer: str) -> Span | None:
        if pointer and not pointer.startswith("/"):
            raise ValueError("a JSON Pointer begins with /")
        start, end = 0, len(self._text)
        for token in pointer.split("/")[1:]:
            span = self._inside(start).get(token.replace("~1", "/").replace("~0", "~"))
            if span is None:
                return None
            start, end = span
        return start, end

    def _inside(self, start: int) -> dict[str, Span]:
        """The members or items of the container that begins there; nothing where none does."""
        if start not in self._inner:
            opening = self._text[start : start + 1]
            self._inner[start] = self._spans(start + 1, named=opening == "{") if opening in {"{", "["} else {}
        return self._inner[start]

    def _spans(self, at: int, *, named: bool) -> dict[str, Span]:
        found: dict[str, Span] = {}
        closing = "}" if named else "]"
        while self._at(at) != closing:
            at = at + 1 if found else at
            name = str(len(found))
            if named:
                name, at = self._name(at)
            end = self._end(at)
            found[name] = (at, end)
            at = end
            if self._at(at) not in {",", closing}:
                raise ValueError("this is no compact JSON")
        return found

    def _name(self, at: int) -> tuple[str, int]:
        name, end = scanstring(self._text, at + 1)
        if self._at(end) != ":":
            raise ValueError("this is no compact JSON")
        return name, end + 1

    def _end(self, at: int) -> int:
        _: Any
        _, end = _DECODER.raw_decode(self._text, at)
        return end

    def _at(self, at: int) -> str:
        if at >= len(self._text):
            raise ValueError("the JSON ends too early")
        return self._text[at]
