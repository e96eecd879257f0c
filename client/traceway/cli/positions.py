"""JSON files as people write them: the value, and the line that each JSON Pointer stands on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_MARK = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')


class NotJson(ValueError):
    """The text is not JSON; str() says where and why."""


@dataclass(frozen=True, slots=True)
class Document:
    """The value of a text, and where its parts stand."""

    value: Any
    lines: dict[str, int]

    def line(self, pointer: str) -> int | None:
        """The line of what `pointer` names or, where that is missing, of what it would stand in."""
        while pointer and pointer not in self.lines:
            pointer = pointer.rpartition("/")[0]
        return self.lines.get(pointer)


def parse(text: str) -> Document:
    """The document that a text is. Raises NotJson, for member names that stand twice too."""
    try:
        value = json.loads(text, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise NotJson(f"line {error.lineno}, column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise NotJson("it is nested too deeply") from error
    lines: dict[str, int] = {}
    for pointer, line in _places(text):
        if pointer in lines:
            raise NotJson(f"line {line}: {pointer} stands there twice, first on line {lines[pointer]}")
        lines[pointer] = line
    return Document(value, lines)


def _constant(name: str) -> Any:
    raise NotJson(f"{name} is not JSON")


def _places(text: str) -> Iterator[tuple[str, int]]:
    """Every value's pointer and line, in order. `text` is known to be JSON."""
    inside: list[str | int] = []
    line, seen, name_next = 1, 0, False
    yield "", 1
    for found in _MARK.finditer(text):
        mark = found[0]
        line += text.count("\n", seen, found.start())
        seen = found.start()
        if mark in "}]":
            inside.pop()
            name_next = False
        elif mark == ",":
            name_next = isinstance(inside[-1], str)
            if isinstance(inside[-1], int):
                inside[-1] += 1
        elif mark == ":":
            continue
        elif name_next:
            inside[-1] = str(json.loads(mark))
            name_next = False
            yield _pointer(inside), line
        else:
            if inside and isinstance(inside[-1], int):
                yield _pointer(inside), line
            if mark in "{[":
                inside.append("" if mark == "{" else 0)
                name_next = mark == "{"


def _pointer(inside: list[str | int]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in inside)
