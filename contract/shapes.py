"""Shapes of request bodies: strict DRF serializers and fields. Nothing is coerced, nothing unknown is let through.

    class CreateThing(Shape):
        name = Text()                                     # required, not empty, at most 255 characters
        externalRef = Text(required=False, empty=ABSENT)  # null and "" are the same as leaving it out
        data = FreeObject(required=False, default=dict)

`CreateThing.read(body)` is the dict of what was given (and of defaults); it raises InvalidInput with every problem.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, ClassVar, Final, Protocol, cast

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.fields import empty as nothing_given

from contract import schema, timestamps
from contract.json_values import JSON, MAX_INTEGER, escape
from contract.problems import FieldProblem, InvalidInput
from contract.schema import Schema

ABSENT: Final = "absent"
ALLOWED: Final = "allowed"
REFUSED: Final = "refused"

_WHOLE_OBJECT = "non_field_errors"


class Described(Protocol):
    """What every field of a Shape is, and the Shape itself: it says in a JSON Schema what it takes."""

    def described(self) -> Schema:
        """The JSON Schema of what is taken, but for null, which is the same as leaving an optional member out."""


class Shape(serializers.Serializer[Any]):
    """An object with exactly these members. `ignored` names members that are accepted and dropped."""

    ignored: ClassVar[frozenset[str]] = frozenset()
    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": "an object is wanted"}

    @classmethod
    def read(cls, body: JSON) -> dict[str, Any]:
        """The members of `body`. Raises InvalidInput naming each member that is missing, wrong or unknown."""
        try:
            return dict(_shape(cls).run_validation(body))
        except ValidationError as error:
            raise invalid(list(_problems(error.detail, ""))) from error

    def described(self) -> Schema:
        """The object."""
        return self.record()

    def record(self) -> dict[str, Any]:
        """Its members as a JSON Schema: `ignored` ones may be anything, an optional one may be null."""
        ignored = dict.fromkeys(sorted(self.ignored), schema.JSON_VALUE)
        members = {name: _described(field) for name, field in self.fields.items()}
        required = {name: members.pop(name) for name, field in self.fields.items() if field.required}
        return schema.record(required, optional={**members, **ignored})

    def run_validation(self, data: Any = nothing_given) -> Any:
        """As DRF's, but what is given must be an object, and null is no object."""
        if data is not nothing_given and not isinstance(data, dict):
            raise ValidationError({_WHOLE_OBJECT: ["an object is wanted"]}, code="invalid_type")
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> Any:
        """As DRF's, with absent members dropped first and unknown ones refused beside every other problem."""
        problems: dict[str, Any] = {
            name: [ErrorDetail(f"there is no member {name!r} here", "unknown_member")]
            for name in data
            if name not in self.fields and name not in self.ignored
        }
        given = {name: value for name, value in data.items() if not self._absent(name, value)}
        try:
            members = super().to_internal_value(given)
        except ValidationError as error:
            problems.update(cast("dict[str, Any]", error.detail))
        if problems:
            raise ValidationError(problems)
        return members

    def _absent(self, name: str, value: Any) -> bool:
        field = self.fields.get(name)
        if field is None or field.required:
            return field is None
        return value is None or (value == "" and isinstance(field, Text) and field.empty == ABSENT)


class Text(serializers.Field[Any, Any, Any, Any]):
    """A string of at most `longest` characters (None: any number); "" by `empty`: REFUSED, ALLOWED or ABSENT."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid_type": "a string is wanted",
        "null": "a string is wanted",
        "blank": "this must not be empty",
        "too_long": "at most {longest} characters are allowed",
    }

    def __init__(self, *, longest: int | None = 255, empty: str = REFUSED, **options: Any) -> None:
        super().__init__(**options)
        self.longest = longest
        self.empty = empty

    def described(self) -> Schema:
        """A string within its bounds."""
        return schema.text(self.longest, 1 if self.empty == REFUSED else 0)

    def to_internal_value(self, data: Any) -> str:
        """The string itself."""
        if not isinstance(data, str):
            self.fail("invalid_type")
        if not data and self.empty == REFUSED:
            self.fail("blank")
        if self.longest is not None and len(data) > self.longest:
            self.fail("too_long", longest=self.longest)
        return data


class OneOf(Text):
    """One of the given words."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid_choice": "one of {words} is wanted"}

    def __init__(self, *words: str, **options: Any) -> None:
        super().__init__(**options)
        self.words = words

    def described(self) -> Schema:
        """One of the words."""
        return schema.words(*self.words)

    def to_internal_value(self, data: Any) -> str:
        """The word itself."""
        word = super().to_internal_value(data)
        if word not in self.words:
            self.fail("invalid_choice", words=", ".join(self.words))
        return word


class Moment(Text):
    """An RFC 3339 timestamp, as a datetime in UTC."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid_timestamp": "{reason}"}

    def described(self) -> Schema:
        """A date-time."""
        return {"type": "string", "format": "date-time"}

    def to_internal_value(self, data: Any) -> Any:
        """The moment as a datetime."""
        text = super().to_internal_value(data)
        try:
            return timestamps.parse(text)
        except ValueError as error:
            self.fail("invalid_timestamp", reason=str(error))


class Flag(serializers.Field[Any, Any, Any, Any]):
    """true or false."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid_type": "true or false is wanted",
        "null": "true or false is wanted",
    }

    def described(self) -> Schema:
        """A boolean."""
        return schema.FLAG

    def to_internal_value(self, data: Any) -> bool:
        """The boolean itself."""
        if not isinstance(data, bool):
            self.fail("invalid_type")
        return data


class Whole(serializers.Field[Any, Any, Any, Any]):
    """A whole number from `low` to `high`; 1.0 is the same number as 1 (as JSON Schema has it), "1" is none."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid_type": "a whole number is wanted",
        "null": "a whole number is wanted",
        "out_of_range": "a whole number from {low} to {high} is wanted",
    }

    def __init__(self, *, low: int = -MAX_INTEGER, high: int = MAX_INTEGER, **options: Any) -> None:
        super().__init__(**options)
        self.low, self.high = low, high

    def described(self) -> Schema:
        """A whole number within its bounds."""
        return schema.whole(self.low, self.high)

    def to_internal_value(self, data: Any) -> int:
        """The number itself."""
        if isinstance(data, float) and data.is_integer():
            data = int(data)
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid_type")
        if not self.low <= data <= self.high:
            self.fail("out_of_range", low=self.low, high=self.high)
        return data


class Number(serializers.Field[Any, Any, Any, Any]):
    """A number from `low` to `high`, whole or not."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid_type": "a number is wanted",
        "null": "a number is wanted",
        "out_of_range": "a number from {low} to {high} is wanted",
    }

    def __init__(self, *, low: float, high: float, **options: Any) -> None:
        super().__init__(**options)
        self.low, self.high = low, high

    def described(self) -> Schema:
        """A number within its bounds."""
        return {"type": "number", "minimum": self.low, "maximum": self.high}

    def to_internal_value(self, data: Any) -> float:
        """The number itself."""
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid_type")
        if not self.low <= data <= self.high:
            self.fail("out_of_range", low=self.low, high=self.high)
        return float(data)


class FreeObject(serializers.Field[Any, Any, Any, Any]):
    """An object whose members are the caller's own."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid_type": "an object is wanted",
        "null": "an object is wanted",
    }

    def described(self) -> Schema:
        """Any object."""
        return schema.FREE_OBJECT

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """The object itself."""
        if not isinstance(data, dict):
            self.fail("invalid_type")
        return data


class Anything(serializers.Field[Any, Any, Any, Any]):
    """Any JSON; null too, where `allow_null` is given."""

    default_error_messages: ClassVar[dict[str, Any]] = {"null": "a value is wanted"}

    def described(self) -> Schema:
        """Any value, null only where it is allowed."""
        return schema.JSON_VALUE

    def to_internal_value(self, data: Any) -> JSON:
        """The value itself."""
        return data


class Several(serializers.ListField):
    """A list of what `child` takes, of at most `max_length` items."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "not_a_list": "a list is wanted",
        "null": "a list is wanted",
        "empty": "at least one is wanted",
    }

    def described(self) -> Schema:
        """A list within its bounds."""
        bounds = {} if self.max_length is None else {"maxItems": int(self.max_length)}
        bounds |= {} if self.allow_empty else {"minItems": 1}
        return schema.listed(cast("Described", self.child).described(), **bounds)


def _described(field: serializers.Field[Any, Any, Any, Any]) -> Schema:
    found = cast("Described", field).described()
    if isinstance(found, dict) and not (field.required or field.default in (nothing_given, None)):
        found = {**found, "default": field.default() if callable(field.default) else field.default}
    return found if field.required else schema.maybe(found)


@cache
def _shape(kind: type[Shape]) -> Shape:
    """One for all bodies: making its fields costs more than reading a body, and reading leaves nothing in it."""
    return kind()


nothing = Shape.read
"""Of a request that takes no member."""


def invalid(problems: list[FieldProblem]) -> InvalidInput:
    """The refusal for these problems; its message is the first one, so that a log line says something."""
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return InvalidInput(f"{first.field or 'the body'}: {first.message}{more}", fields=problems)


def _problems(detail: Any, pointer: str) -> Iterator[FieldProblem]:
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from _problems(inner, pointer if name == _WHOLE_OBJECT else f"{pointer}/{escape(str(name))}")
    elif isinstance(detail, ErrorDetail):
        yield FieldProblem(pointer, _code(detail), str(detail))
    else:
        for index, inner in enumerate(detail):
            yield from _problems(inner, pointer if isinstance(inner, ErrorDetail) else f"{pointer}/{index}")


def _code(detail: ErrorDetail) -> str:
    code = str(detail.code)
    return {"not_a_list": "invalid_type", "null": "invalid_type", "empty": "blank"}.get(code, code)
