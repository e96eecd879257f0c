"""Shapes of JSON values: what members there are and of which kind. A shape gives the problems of a value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from traceway.records.texts import DIGEST, MOMENT


@dataclass(frozen=True, slots=True)
class Misfit:
    """One thing wrong with a value: `pointer` is a JSON Pointer into it, "" for itself."""

    pointer: str
    wanted: str
    found: str


Shape = Callable[[Any, str], Iterator[Misfit]]


def text(pattern: re.Pattern[str] | None = None, wanted: str = "a string") -> Shape:
    """A string, of that pattern."""

    def check(value: Any, at: str) -> Iterator[Misfit]:
        if not isinstance(value, str) or (pattern is not None and not pattern.fullmatch(value)):
            yield Misfit(at, wanted, _told(value))

    return check


def integer(value: Any, at: str) -> Iterator[Misfit]:
    """A whole number, not negative."""
    if type(value) is not int or value < 0:
        yield Misfit(at, "a whole number", _told(value))


def signed_integer(value: Any, at: str) -> Iterator[Misfit]:
    """A whole number."""
    if type(value) is not int:
        yield Misfit(at, "a whole number", _told(value))


def true(value: Any, at: str) -> Iterator[Misfit]:
    """`true` and nothing else."""
    if value is not True:
        yield Misfit(at, "true", _told(value))


def scalar(value: Any, at: str) -> Iterator[Misfit]:
    """A string, a number, true, false or null."""
    if isinstance(value, dict | list):
        yield Misfit(at, "no object and no list", _told(value))


def maybe(shape: Shape) -> Shape:
    """That, or null."""

    def check(value: Any, at: str) -> Iterator[Misfit]:
        if value is not None:
            yield from shape(value, at)

    return check


def items(shape: Shape) -> Shape:
    """A list of such."""

    def check(value: Any, at: str) -> Iterator[Misfit]:
        if not isinstance(value, list):
            yield Misfit(at, "a list", _told(value))
            return
        for index, item in enumerate(value):
            yield from shape(item, f"{at}/{index}")

    return check


def members(
    wanted: Mapping[str, Shape], *, optional: Mapping[str, Shape] | None = None, others: Shape | None = None
) -> Shape:
    """An object with these members and no other ones; `others` is the shape of those beside them, where they may be."""

    known = {**wanted, **(optional or {})}

    def check(value: Any, at: str) -> Iterator[Misfit]:
        if not isinstance(value, dict):
            yield Misfit(at, "an object", _told(value))
            return
        yield from (Misfit(f"{at}/{name}", "to be there", "nothing") for name in wanted if name not in value)
        for name, member in value.items():
            shape = known.get(name, others)
            if shape is None:
                yield Misfit(f"{at}/{name}", "no such member", _told(member))
            else:
                yield from shape(member, f"{at}/{name}")

    return check


sha256 = text(DIGEST, "a SHA-256 in hex")
moment = text(MOMENT, "a time in UTC with microseconds")


def _told(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", type(None): "null"}
    return kinds.get(type(value)) or repr(value)[:100]
