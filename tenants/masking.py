"""Finding the values of secrets in whatever comes back, as they are and as they get encoded on their way.

Who knows which values are in use says so with hiding(); what log lines show of them meanwhile is none.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

from contract.json_values import JSON, dump

MASK: Final = "***"
LEAST_CHARACTERS: Final = 4
"""A value of fewer is not looked for: what it is made of stands in any text."""
CERTAIN_CHARACTERS: Final = 12
"""So many first characters of a value tell it wherever a text was cut."""

MOST_SPELLED: Final = 1_024
"""Characters of a value that can be escaped; of more, only the usual ways are looked for: a pattern takes its time."""

_BITS_OF_CHARACTER, _BITS_OF_BYTE = 6, 8
_LEAST_INSIDE = 6
"""Characters of base64 by which a value is told that stands in the middle of what was encoded."""
_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_ESCAPED = {"\b": "b", "\t": "t", "\n": "n", "\f": "f", "\r": "r"}
_ADDRESS = re.compile(r"(?i:https?)://([^/?#:]+)(?::\d+)?(([^?#]*)(?:[?#](.*))?)")
"""Its host, all behind that, the path, the query."""
_RUN: Final = r"(?<!\\)\\++"
"""Backslashes, from the first of them on: begun at each, a long run would take the square of its length."""
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")


class Masker:
    """Puts *** in the place of these values, in any letter case: raw, percent-encoded, JSON- or HTML-escaped, base64.

    Also of what a value is the encoded form of.
    """

    def __init__(self, values: frozenset[str]) -> None:
        forms = {form for value in values for form in _forms(value) if len(form) >= LEAST_CHARACTERS}
        patterns = [pattern for form in sorted(forms, key=len, reverse=True) for pattern in _patterns(form)]
        self._found = re.compile("|".join(patterns), re.IGNORECASE) if patterns else None
        self._beginnings = {_lowered(spelled) for form in forms for spelled in _spelled(form)}

    def __bool__(self) -> bool:
        return self._found is not None

    def text(self, text: str) -> str:
        """The text without any of the values."""
        return text if self._found is None else self._found.sub(MASK, text)

    def cut_text(self, text: str) -> str:
        """The same for a text that may have been cut short, and a value with it."""
        text = self.text(text)
        lowered, shown, position = _lowered(text), "", 0
        for start, end in sorted(span for spelled in self._beginnings for span in _cut_spans(lowered, spelled)):
            if end > position:
                shown += text[position:start] + MASK if start >= position else ""
                position = end
        return shown + text[position:]

    def json(self, value: JSON, *, cut: bool = False) -> JSON:
        """The JSON without any of the values, in names of members and in numbers neither."""
        if self._found is None:
            return value
        if isinstance(value, str):
            return self.cut_text(value) if cut else self.text(value)
        if isinstance(value, dict):
            return {self.text(name): self.json(member, cut=cut) for name, member in value.items()}
        if isinstance(value, list):
            return [self.json(item, cut=cut) for item in value]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return MASK if is_number and self._found.fullmatch(dump(value)) else value


@lru_cache(maxsize=64)
def masker(values: frozenset[str]) -> Masker:
    """The masker of these values, made once for as long as they are in use."""
    return Masker(values)


_hidden: list[Masker] = []


@contextmanager
def hiding(found: Masker) -> Iterator[None]:
    """Meanwhile no log line of this process shows what `found` finds."""
    _hidden.append(found)
    try:
        yield
    finally:
        _hidden.remove(found)


def hide(text: str) -> str:
    """The text without any value that is in use in this process."""
    for found in tuple(_hidden):
        text = found.text(text)
    return text


def _forms(value: str) -> Iterator[str]:
    """The value; the parts of an address, which come back one by one; what it encodes, if it is an encoded text."""
    yield value
    if address := _ADDRESS.match(value):
        yield from filter(None, address.groups())
    yield _PERCENT.sub(lambda found: bytes([int(found[1], 16)]), value.encode()).decode("utf-8", "replace")
    try:
        padded = value.strip().rstrip("=")
        yield base64.b64decode(padded + "=" * (-len(padded) % 4), altchars=b"+/", validate=True).decode()
    except (binascii.Error, ValueError):
        return


def _patterns(form: str) -> Iterator[str]:
    """Regular expressions for the text itself in any escaping, and for base64 of it, alone or in a longer text."""
    content = form.encode()
    if sum(not (character.isascii() and character.isalnum()) for character in form) > MOST_SPELLED:
        yield from map(re.escape, _spelled(form))
    else:
        yield "".join(_any_spelling(piece) for piece in re.findall(r"\\+|.", form, re.DOTALL))
    yield "".join(map(_in_base64, base64.b64encode(content).decode().rstrip("="))) + "(?:=|%3D)*"
    for before in range(3):
        inside = _inside(content, before)
        if len(inside) >= _LEAST_INSIDE:
            yield "".join(map(_in_base64, inside))


def _spelled(form: str) -> Iterator[str]:
    """The forms of which the beginning is looked for at a cut."""
    yield form
    yield dump(form)[1:-1]
    yield "".join(c if c.isalnum() and c.isascii() else "".join(f"%{b:02X}" for b in c.encode()) for c in form)
    yield base64.b64encode(form.encode()).decode()


def _any_spelling(piece: str) -> str:
    """A character, or a run of backslashes, however often it was escaped. Nothing here can be matched in two ways."""
    if piece.isalnum() and piece.isascii():
        return piece
    if piece[0] == "\\":
        return rf"(?:{_RUN}(?:u005c)?|%(?:25)*+5C)"
    spellings = [f"&{_ENTITIES[piece]};"] if piece in _ENTITIES else []
    spellings.append(r"%(?:25)++" if piece == "%" else "".join(f"%(?:25)*+{byte:02X}" for byte in piece.encode()))
    units = piece.encode("utf-16-be").hex()
    spellings.append("".join(_RUN + "u" + units[at : at + 4] for at in range(0, len(units), 4)))
    spellings.insert(0, f"&#(?:0*{ord(piece)}|x0*{ord(piece):x});")
    if piece in _ESCAPED:
        spellings.append(_RUN + _ESCAPED[piece])
    if piece == " ":
        spellings.append(r"\+")
    if not piece.isascii():
        spellings.append(re.escape(piece.encode().decode("latin-1")))
    # Last, for with & and % other spellings begin.
    spellings.append(f"(?:{_RUN})?{re.escape(piece)}")
    return f"(?:{'|'.join(spellings)})"


def _inside(content: bytes, before: int) -> str:
    """The characters of base64 that stand for `content` whatever follows it and the `before` bytes in front of it."""
    encoded = base64.b64encode(bytes(before) + content).decode()
    first = -(-before * _BITS_OF_BYTE // _BITS_OF_CHARACTER)
    return encoded[first : (before + len(content)) * _BITS_OF_BYTE // _BITS_OF_CHARACTER]


def _in_base64(character: str) -> str:
    """The character in either alphabet, percent-encoded too."""
    return {"+": r"(?:[+\-]|%2B)", "/": rf"(?:(?:{_RUN})?/|_|%2F)"}.get(character, character)


def _cut_spans(text: str, spelled: str) -> Iterator[tuple[int, int]]:
    """Where `spelled` begins in a text and is cut: anywhere, if enough of it is there, and at the end."""
    certain = spelled[:CERTAIN_CHARACTERS]
    start = text.find(certain) if len(certain) == CERTAIN_CHARACTERS else -1
    while start >= 0:
        end = start + _common(text[start:], spelled)
        yield start, end
        start = text.find(certain, end)
    kept = text.rstrip(".")
    lengths = range(min(len(spelled), len(kept)), LEAST_CHARACTERS - 1, -1)
    if longest := next((length for length in lengths if kept.endswith(spelled[:length])), None):
        yield len(kept) - longest, len(kept)


def _common(text: str, other: str) -> int:
    """How many first characters are the same."""
    pairs = enumerate(zip(text, other, strict=False))
    return next((at for at, (one, two) in pairs if one != two), min(len(text), len(other)))


def _lowered(text: str) -> str:
    """In lower case, where that leaves every character at its place."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else text
