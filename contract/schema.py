"""JSON Schemas (2020-12), in the pieces that bodies, query parameters and answers are declared with. Pure.

A Component may stand wherever a schema may; config/openapi gives it a place in the document and refers to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from contract.json_values import MAX_INTEGER


@dataclass(frozen=True, slots=True)
class Component:
    """A schema with a name of its own. It may refer to itself by `ref(name)`."""

    name: str
    schema: dict[str, Any]


Schema: TypeAlias = dict[str, Any] | Component


def ref(name: str) -> dict[str, Any]:
    """A reference to the component of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(members: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> dict[str, Any]:
    """An object with exactly these members; those of `optional` may be left out."""
    return {
        "type": "object",
        "required": list(members),
        "properties": {**members, **(optional or {})},
        "additionalProperties": False,
    }


def listed(items: Schema, **bounds: int) -> dict[str, Any]:
    """A list; `bounds` are minItems and maxItems."""
    return {"type": "array", "items": items, **bounds}


def by_name(values: Schema) -> dict[str, Any]:
    """An object whose members' names are not known beforehand."""
    return {"type": "object", "additionalProperties": values}


def words(*values: str) -> dict[str, Any]:
    """One of these strings."""
    return {"type": "string", "enum": [str(value) for value in values]}


def whole(low: int = -MAX_INTEGER, high: int = MAX_INTEGER) -> dict[str, Any]:
    """A whole number within these bounds."""
    return {"type": "integer", "minimum": low, "maximum": high}


def either(*schemas: Schema) -> dict[str, Any]:
    """What one of these describes."""
    return {"anyOf": list(schemas)}


def maybe(schema: Schema) -> dict[str, Any]:
    """What `schema` describes, or null."""
    if schema == ANYTHING or isinstance(schema, Component):
        return {} if schema == ANYTHING else either(schema, {"type": "null"})
    if not isinstance(schema.get("type"), str):
        return either(schema, {"type": "null"})
    nullable = {**schema, "type": [schema["type"], "null"]}
    return nullable | {"enum": [*schema["enum"], None]} if "enum" in schema else nullable


def text(longest: int | None = None, shortest: int = 0) -> dict[str, Any]:
    """A string of a request: no NUL is taken in any."""
    bounds = {"minLength": shortest} if shortest else {}
    return {"type": "string", "pattern": WITHOUT_NUL, **bounds, **({"maxLength": longest} if longest else {})}


WITHOUT_NUL: Final = "^[^\\u0000]*$"
_UUID: Final = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_ULID: Final = "[0-7][0-9A-HJKMNP-TV-Z]{25}"
_EITHER_CASE: Final = "[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}"

ANYTHING: Final[dict[str, Any]] = {}
TEXT: Final[dict[str, Any]] = {"type": "string"}
FLAG: Final[dict[str, Any]] = {"type": "boolean"}
COUNT: Final[dict[str, Any]] = {"type": "integer", "minimum": 0}
OBJECT: Final[dict[str, Any]] = {"type": "object"}
ID: Final[dict[str, Any]] = {"type": "string", "format": "uuid"}
RUN_NAME: Final[dict[str, Any]] = {"type": "string", "pattern": f"^maip-orch:{_ULID}$"}
AGENT_NAME: Final[dict[str, Any]] = {"type": "string", "pattern": f"^maip-agent:{_ULID}$"}
ID_OR_RUN_NAME: Final[dict[str, Any]] = {"type": "string", "pattern": f"^({_UUID}|maip-orch:{_EITHER_CASE})$"}
ID_OR_AGENT_NAME: Final[dict[str, Any]] = {"type": "string", "pattern": f"^({_UUID}|maip-agent:{_EITHER_CASE})$"}
MOMENT: Final[dict[str, Any]] = {
    "type": "string",
    "format": "date-time",
    "pattern": "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$",
    "description": "RFC 3339, UTC, milliseconds.",
}
ADDRESS: Final[dict[str, Any]] = {"type": "string", "format": "uri"}
SHA256: Final[dict[str, Any]] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}

_JSON: Final = ref("Json")
_FREE: Final[dict[str, Any]] = {
    "type": "object",
    "propertyNames": {"pattern": WITHOUT_NUL},
    "additionalProperties": _JSON,
}
JSON_VALUE: Final = Component(
    "Json",
    {
        "description": (
            "Any JSON value: integers within +-(2^53-1), no NUL characters, no lone surrogates, no member twice, "
            "at most 64 levels in the whole body."
        ),
        "anyOf": [
            {"type": ["null", "boolean"]},
            whole(),
            {"type": "number"},
            text(),
            {"type": "array", "items": _JSON},
            _FREE,
        ],
    },
)
"""Any JSON of a request."""
FREE_OBJECT: Final[dict[str, Any]] = {**_FREE, "additionalProperties": JSON_VALUE}
"""An object of a request whose members are the caller's own."""
