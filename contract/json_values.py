"""JSON as Traceway takes it and stores it: strict on the way in, exact on the way out.

Refused everywhere: duplicate member names, NaN and infinities, integers beyond
+-(2^53-1), NUL characters, lone surrogates, more than 64 levels of nesting.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

import orjson

JSON = Any
"""None, bool, int, float, str, list[JSON] or dict[str, JSON]."""

_Place = tuple["_Place", str] | None
"""Where a value stands in the document, from the inside out: made into a pointer only where one is told."""

MAX_DEPTH = 64
MAX_INTEGER = 2**53 - 1


class InvalidJson(ValueError):
    """The text, or the value, is not JSON that Traceway takes; str() says why.

    `pointer` is the JSON Pointer of the offending value, "" for the document.
    """

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer


def parse(text: bytes | str) -> JSON:
    """The value of a JSON text. Raises InvalidJson for everything that check() refuses."""
    try:
        decoded = text if isinstance(text, str) else text.decode("utf-8")
        value = json.loads(decoded, object_pairs_hook=_object, parse_constant=_constant)
    except UnicodeDecodeError as error:
        raise InvalidJson("the text is not UTF-8") from error
    except RecursionError as error:
        raise InvalidJson(f"more than {MAX_DEPTH} levels of nesting") from error
    except InvalidJson:
        raise
    except ValueError as error:
        raise InvalidJson(f"not JSON: {error}") from error
    check(value)
    return value


def check(value: object) -> None:
    """Raise InvalidJson, with the pointer, unless `value` can be stored and sent as JSON."""
    pending: list[tuple[object, _Place, int]] = [(value, None, 0)]
    while pending:
        current, place, depth = pending.pop()
        if isinstance(current, dict):
            _check_depth(depth, place)
            for name, member in current.items():
                _check_name(name, place)
                pending.append((member, (place, name), depth + 1))
        elif isinstance(current, list):
            _check_depth(depth, place)
            pending.extend((item, (place, str(i)), depth + 1) for i, item in enumerate(current))
        else:
            _check_scalar(current, place)


def dump(value: JSON) -> str:
    """The compact text of a checked value; members in the order they have."""
    return orjson.dumps(value).decode()


def canonical(value: JSON) -> bytes:
    """Sorted, compact bytes: equal values give equal bytes.

    For ASCII keys, strings, booleans, null and small integers this is RFC 8785.
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def stored(value: JSON) -> str:
    """The text of a checked value as it goes on record: canonical, so that equal values have equal digests.

    A double keeps its point (1.0), unlike in RFC 8785: expressions tell doubles from integers.
    """
    return canonical(value).decode()


def load(text: str | bytes) -> JSON:
    """The value of a text that this product wrote itself."""
    return orjson.loads(text)


def escape(name: str) -> str:
    """`name` as one token of a JSON Pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _object(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise InvalidJson(f"the member {twice!r} is given twice")
    return members


def _constant(word: str) -> NoReturn:
    raise InvalidJson(f"{word} is not JSON")


def _pointer(place: _Place) -> str:
    tokens = []
    while place is not None:
        place, name = place
        tokens.append(f"/{escape(name)}")
    return "".join(reversed(tokens))


def _check_depth(depth: int, place: _Place) -> None:
    if depth >= MAX_DEPTH:
        raise InvalidJson(f"more than {MAX_DEPTH} levels of nesting", _pointer(place))


def _check_name(name: object, place: _Place) -> None:
    if not isinstance(name, str):
        raise InvalidJson(f"a member name is {type(name).__name__}, not a string", _pointer(place))
    _check_text(name, place)


def _check_scalar(value: object, place: _Place) -> None:
    if isinstance(value, str):
        _check_text(value, place)
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise InvalidJson("an integer beyond +-(2^53-1)", _pointer(place))
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidJson("NaN and infinity are not JSON", _pointer(place))
    else:
        raise InvalidJson(f"a value of type {type(value).__name__} is not JSON", _pointer(place))


def _check_text(text: str, place: _Place) -> None:
    if "\x00" in text:
        raise InvalidJson("a NUL character", _pointer(place))
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InvalidJson("a lone surrogate", _pointer(place)) from error
