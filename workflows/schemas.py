"""JSON Schemas of definitions, tools and checks: draft 2020-12, referring only inside themselves.

Patterns run on the linear-time engine; `format` is checked. Nothing is ever fetched or read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NoReturn

from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError, ValidationErrorKind

from contract.json_values import JSON, escape
from contract.problems import FieldProblem

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_VIOLATIONS = 100
"""How many violations of one value are told."""

_PATTERNS = RegexOptions(size_limit=1 << 20, dfa_size_limit=1 << 21)
_CODES = {"required": "missing", "additionalProperties": "unknown_member", "unevaluatedProperties": "unknown_member"}
_BY_NAME = frozenset({"$defs", "dependentSchemas", "patternProperties", "properties"})
_IN_LIST = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SINGLE = frozenset({
    "additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then",
    "unevaluatedItems", "unevaluatedProperties",
})  # fmt: skip
_IN_PLACE = ("allOf", "anyOf", "oneOf")
_META_SCHEMA = Draft202012Validator({"$ref": DIALECT}, validate_formats=True, mask="the value")


class SchemaInvalid(Exception):
    """`problems`: all that is wrong with a schema, by JSON Pointers into it."""

    def __init__(self, problems: list[FieldProblem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Schema:
    """A compiled schema."""

    raw: JSON
    _validator: Draft202012Validator

    def violations(self, value: JSON, pointer: str = "") -> list[FieldProblem]:
        """What is wrong with a value that stands at `pointer`: the first 100 things."""
        if self._validator.is_valid(value):
            return []
        return [_problem(error, pointer) for error in islice(self._validator.iter_errors(value), MAX_VIOLATIONS)]

    def bind_numbers(self, value: JSON) -> JSON:
        """The value with what the schema calls `number` as float and what it calls `integer` as int."""
        return bind_numbers(self.raw, value)


def compile_schema(schema: JSON) -> Schema:
    """Raises SchemaInvalid."""
    problems = [*_foreign(schema, ""), *_misshapen(schema)]
    if problems:
        raise SchemaInvalid(problems)
    try:
        validator = _validator(schema)
    except ValidationError as error:
        message = f"not a JSON Schema (2020-12): {error.message}"
        raise SchemaInvalid([FieldProblem(_pointer(error.instance_path), "bad_schema", message)]) from error
    except ValueError as error:
        raise SchemaInvalid([FieldProblem("", "bad_schema", f"not a JSON Schema (2020-12): {error}")]) from error
    return Schema(schema, validator)


def violations(schema: JSON, value: JSON, pointer: str = "") -> list[FieldProblem]:
    """What is wrong with a value, for a schema that is used once. Raises SchemaInvalid."""
    return compile_schema(schema).violations(value, pointer)


def bind_numbers(schema: JSON, value: JSON) -> JSON:
    """The value with what the schema calls `number` as float and what it calls `integer` as int: 1169 as 1169.0."""
    return _bind([schema], value, schema)


def _validator(schema: JSON) -> Draft202012Validator:
    return Draft202012Validator(
        schema, pattern_options=_PATTERNS, retriever=_refuse, validate_formats=True, mask="the value"
    )


def _misshapen(schema: JSON) -> Iterator[FieldProblem]:
    """Where it is no JSON Schema; one problem a place is enough."""
    told = set()
    for error in islice(_META_SCHEMA.iter_errors(schema), MAX_VIOLATIONS):
        pointer = _pointer(error.instance_path)
        if pointer not in told:
            told.add(pointer)
            yield FieldProblem(pointer, "bad_schema", f"not a JSON Schema (2020-12): {error.message}")


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"{uri} is not inside the schema")


def _problem(error: ValidationError, pointer: str) -> FieldProblem:
    field = pointer + _pointer(error.instance_path)
    kind = error.kind
    if isinstance(kind, ValidationErrorKind.Required):
        field += f"/{escape(str(kind.property))}"
    return FieldProblem(field, _CODES.get(kind.name, "invalid"), error.message)


def _pointer(path: list[str | int]) -> str:
    return "".join(f"/{escape(str(part))}" for part in path)


def _foreign(schema: JSON, pointer: str) -> Iterator[FieldProblem]:
    """References that lead out of the schema, wherever a subschema may stand."""
    if not isinstance(schema, dict):
        return
    for keyword in ("$ref", "$dynamicRef"):
        target = schema.get(keyword, "#")
        if not (isinstance(target, str) and target.startswith("#")):
            yield FieldProblem(
                f"{pointer}/{keyword}", "bad_schema", f"`{keyword}` refers only inside the schema, as #/..."
            )
    dialect = schema.get("$schema", DIALECT)
    if not (isinstance(dialect, str) and dialect.rstrip("#") == DIALECT):
        yield FieldProblem(f"{pointer}/$schema", "bad_schema", f"the only `$schema` is {DIALECT}")
    for path, subschema in _subschemas(schema):
        yield from _foreign(subschema, pointer + path)


def _subschemas(schema: dict[str, JSON]) -> Iterator[tuple[str, JSON]]:
    for keyword, value in schema.items():
        if keyword in _SINGLE:
            yield f"/{keyword}", value
        elif keyword in _IN_LIST and isinstance(value, list):
            yield from ((f"/{keyword}/{i}", item) for i, item in enumerate(value))
        elif keyword in _BY_NAME and isinstance(value, dict):
            yield from ((f"/{keyword}/{escape(name)}", member) for name, member in value.items())


def _bind(schemas: list[JSON], value: JSON, root: JSON) -> JSON:
    applicable = _applicable(schemas, root)
    if isinstance(value, dict):
        return {name: _bind(_of_member(applicable, name), member, root) for name, member in value.items()}
    if isinstance(value, list):
        return [_bind(_of_item(applicable, i), item, root) for i, item in enumerate(value)]
    if type(value) is int or type(value) is float:
        return _number(applicable, value)
    return value


def _number(schemas: list[dict[str, JSON]], value: float) -> float:
    types = {name for schema in schemas for name in _types(schema)}
    if type(value) is int and "number" in types and "integer" not in types:
        return float(value)
    if type(value) is float and "integer" in types and "number" not in types and value.is_integer():
        return int(value)
    return value


def _types(schema: dict[str, JSON]) -> list[str]:
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else [name for name in types if isinstance(name, str)]


def _applicable(schemas: list[JSON], root: JSON) -> list[dict[str, JSON]]:
    """The schemas and all that they apply at the same place."""
    found: dict[int, dict[str, JSON]] = {}
    pending = list(schemas)
    while pending:
        schema = pending.pop()
        if not isinstance(schema, dict) or id(schema) in found:
            continue
        found[id(schema)] = schema
        pending.extend(schema[keyword] for keyword in ("then", "else") if keyword in schema)
        pending.extend(part for keyword in _IN_PLACE for part in schema.get(keyword, ()))
        if isinstance(schema.get("$ref"), str):
            pending.append(_target(schema["$ref"], root))
    return list(found.values())


def _target(reference: str, root: JSON) -> JSON:
    """What a reference of the form #/a/b means, None for any other form."""
    current = root
    for token in reference.removeprefix("#").split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(current, list) and re.fullmatch(r"\d{1,9}", name) and int(name) < len(current):
            current = current[int(name)]
        elif isinstance(current, dict):
            current = current.get(name)
        else:
            return None
    return current


def _of_member(schemas: list[dict[str, JSON]], name: str) -> list[JSON]:
    found: list[JSON] = []
    for schema in schemas:
        properties = schema.get("properties", {})
        if name in properties:
            found.append(properties[name])
        elif "additionalProperties" in schema:
            found.append(schema["additionalProperties"])
    return found


def _of_item(schemas: list[dict[str, JSON]], index: int) -> list[JSON]:
    found: list[JSON] = []
    for schema in schemas:
        prefix = schema.get("prefixItems", [])
        if index < len(prefix):
            found.append(prefix[index])
        elif "items" in schema:
            found.append(schema["items"])
    return found
