"""Query parameters, read strictly: each is declared with a reader; an unknown or repeated one is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.http import QueryDict

from contract import schema, timestamps
from contract.identifiers import parse_id
from contract.pages import DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET, Window
from contract.problems import FieldProblem, InvalidInput

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the text of one parameter. `read` raises ValueError, whose text the caller is shown."""

    read: Callable[[str], Any]
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list was asked for: the window, and the filters that were given, by their names on the wire."""

    window: Window
    filters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Query(Generic[T]):
    """A reader of the whole query: the parameters it takes, and what is made of those that were given."""

    readers: Mapping[str, Reader]
    made: Callable[[dict[str, Any]], T]

    def __call__(self, query: QueryDict) -> T:
        """What was asked for. Raises InvalidInput naming each parameter that is unknown, repeated or wrong."""
        return self.made(_read(query, self.readers))


def parameters(**readers: Reader) -> Query[dict[str, Any]]:
    """A reader of the whole query: the given parameters by name, each through its own reader."""
    return Query(readers, lambda given: given)


def listing(**filters: Reader) -> Query[Listing]:
    """A reader of a list's query: limit, offset, cursor and the named filters."""
    return Query({**_WINDOW, **filters}, _listing)


def whole(low: int, high: int) -> Reader:
    """A whole number from `low` to `high`, written in ASCII digits."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 17 and low <= int(text) <= high):
            raise ValueError(f"a whole number from {low} to {high} is wanted")
        return int(text)

    return Reader(read, schema.whole(low, high))


def one_of(*words: str) -> Reader:
    """One of the given words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"one of {', '.join(words)} is wanted")
        return text

    return Reader(read, schema.words(*words))


def _identifier(text: str) -> Any:
    found = parse_id(text)
    if found is None:
        raise ValueError("a UUID is wanted")
    return found


def _text(value: str) -> str:
    if not 0 < len(value) <= 255 or "\x00" in value:
        raise ValueError("1 to 255 characters are wanted")
    return value


timestamp = Reader(timestamps.parse, {"type": "string", "format": "date-time"})
"""An RFC 3339 timestamp, as a datetime in UTC."""
identifier = Reader(_identifier, schema.ID)
"""An id, as a UUID."""
text = Reader(_text, schema.text(255, 1))
"""Text of 1 to 255 characters without NUL."""

_WINDOW: Mapping[str, Reader] = {
    "limit": whole(1, MAX_LIMIT),
    "offset": whole(0, MAX_OFFSET),
    "cursor": Reader(_text, {**schema.text(255, 1), "description": "Of the page before; not with `offset`."}),
}


def _listing(given: dict[str, Any]) -> Listing:
    if "cursor" in given and "offset" in given:
        message = "cursor and offset exclude each other"
        raise InvalidInput(message, fields=[FieldProblem("query.cursor", "conflicting", message)])
    window = Window(given.pop("limit", DEFAULT_LIMIT), given.pop("offset", 0), given.pop("cursor", None))
    return Listing(window, given)


def _read(query: QueryDict, readers: Mapping[str, Reader]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    problems: list[FieldProblem] = []
    for name, texts in query.lists():
        try:
            given[name] = _value(name, texts, readers)
        except ValueError as error:
            code = "invalid" if name in readers else "unknown_parameter"
            problems.append(FieldProblem(f"query.{name}", code, str(error)))
    if problems:
        raise InvalidInput("the query is not valid", fields=problems)
    return given


def _value(name: str, texts: list[str], readers: Mapping[str, Reader]) -> Any:
    if name not in readers:
        raise ValueError(f"there is no query parameter {name!r} here")
    if len(texts) != 1:
        raise ValueError("the parameter is given more than once")
    return readers[name].read(texts[0])
