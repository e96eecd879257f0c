"""How answers become dataclasses: members by name, snake_case or camelCase on the wire; unknown ones stay in `raw`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Self, Union, get_args, get_origin, get_type_hints

from traceway.errors import UnexpectedAnswer

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the API answered. `raw` is the JSON object itself, with members that this version does not know."""

    raw: Json = field(repr=False)

    @classmethod
    def of(cls, raw: Any, **given: Any) -> Self:
        """The answer that `raw` is; `given` are members that do not stand in it. Raises UnexpectedAnswer."""
        if not isinstance(raw, dict):
            raise UnexpectedAnswer(f"a {cls.__name__} is no JSON object")
        kind: Any = cls
        read = {member.name: member.read(raw) for member in _members(kind) if member.name not in given}
        return cls(raw=raw, **given, **read)


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    wire: str
    optional: bool
    default: Callable[[], Any] | None
    convert: Callable[[Any], Any]

    def read(self, raw: Mapping[str, Any]) -> Any:
        value = raw.get(self.name, raw.get(self.wire))
        if value is not None:
            return self.convert(value)
        if self.default is not None:
            return self.default()
        if self.optional:
            return None
        raise UnexpectedAnswer(f"the answer lacks `{self.wire}`")


@cache
def _members(cls: type[Any]) -> tuple[_Member, ...]:
    hints = get_type_hints(cls)
    own = [one for one in fields(cls) if one.name != "raw" and not one.name.startswith("_")]
    return tuple(_member(one, hints[one.name]) for one in own)


def _member(one: Field[Any], hint: Any) -> _Member:
    wire = re.sub(r"_([a-z])", lambda found: found[1].upper(), one.name)
    return _Member(one.name, wire, NoneType in get_args(hint) or hint is Any, _default(one), _converter(hint))


def _default(one: Field[Any]) -> Callable[[], Any] | None:
    if one.default_factory is not MISSING:
        return one.default_factory
    return None if one.default is MISSING else lambda: one.default


def _converter(hint: Any) -> Callable[[Any], Any]:
    if get_origin(hint) in {Union, UnionType}:
        return _converter(next(kind for kind in get_args(hint) if kind is not NoneType))
    if get_origin(hint) in {list, tuple}:
        convert = _converter(get_args(hint)[0])
        return lambda values: [convert(value) for value in values]
    if hint is datetime:
        return datetime.fromisoformat
    if isinstance(hint, type) and issubclass(hint, Answer):
        return hint.of
    return lambda value: value
