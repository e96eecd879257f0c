"""JSON Schemas that definitions hold: what is refused, what a violation says, how numbers are bound."""

from __future__ import annotations

from typing import Any

import pytest

from workflows.schemas import SchemaInvalid, bind_numbers, compile_schema, violations


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        ({"type": "nothing"}, "/type"),
        ({"properties": {"a": {"minimum": "x"}}}, "/properties/a/minimum"),
        ({"$ref": "http://example.com/s"}, "/$ref"),
        ({"items": [], "prefixItems": [{"$ref": "other.json"}]}, "/prefixItems/0/$ref"),
        ({"properties": {"a/b": {"anyOf": [{"$ref": "file:///etc/passwd"}]}}}, "/properties/a~1b/anyOf/0/$ref"),
        ({"$dynamicRef": "http://example.com/s#x"}, "/$dynamicRef"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema"),
        ({"$schema": 5}, "/$schema"),
        ({"$ref": "#/$defs/gone"}, ""),
        ({"$ref": "#/x", "x": {"$ref": "http://example.com/s"}}, ""),
        ({"$ref": "#/x", "x": {"properties": 5}}, "/x/properties"),
        ({"pattern": "(?=a)"}, "/pattern"),
        ({"pattern": "(a{1000}){1000}"}, "/pattern"),
        (5, ""),
        ("x", ""),
        (None, ""),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_with_its_place(schema: Any, field: str) -> None:
    with pytest.raises(SchemaInvalid) as caught:
        compile_schema(schema)
    assert field in {problem.field for problem in caught.value.problems}
    assert {problem.code for problem in caught.value.problems} == {"bad_schema"}


def test_everything_that_is_wrong_with_a_schema_is_told_at_once() -> None:
    schema = {"type": "strin", "minimum": "x", "properties": {"a": {"$ref": "http://example.com/s", "required": 1}}}
    with pytest.raises(SchemaInvalid) as caught:
        compile_schema(schema)
    fields = {"/type", "/minimum", "/properties/a/$ref", "/properties/a/required"}
    assert {problem.field for problem in caught.value.problems} == fields


def test_words_of_references_are_data_where_no_schema_stands() -> None:
    schema = {"properties": {"$ref": {"type": "string"}}, "const": {"$ref": "http://example.com"}, "$ref": "#/$defs/a"}
    compile_schema(schema | {"$defs": {"a": {"$schema": "https://json-schema.org/draft/2020-12/schema"}}})


def test_violations_point_at_the_member_and_never_repeat_the_value() -> None:
    schema = {
        "type": "object",
        "required": ["a", "b/c"],
        "properties": {"n": {"type": "integer"}},
        "additionalProperties": False,
    }
    found = violations(schema, {"n": "secret text", "x": 1}, "/input")
    assert {(problem.field, problem.code) for problem in found} == {
        ("/input/a", "missing"),
        ("/input/b~1c", "missing"),
        ("/input/n", "invalid"),
        ("/input", "unknown_member"),
    }
    assert not any("secret" in problem.message for problem in found)


def test_formats_are_checked() -> None:
    assert violations({"format": "date"}, "2024-02-30")
    assert not violations({"format": "date"}, "2024-02-29")


def test_the_violations_of_one_value_have_a_bound() -> None:
    assert len(violations({"items": {"type": "string"}}, [1] * 1_000)) == 100


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"type": "number"}, 1169, 1169.0),
        ({"type": "integer"}, 1169.0, 1169),
        ({"type": ["number", "null"]}, 1, 1.0),
        ({"type": ["number", "integer"]}, 1, 1),
        ({}, 1, 1),
        ({"type": "number"}, True, True),
        (
            {"properties": {"a": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "number"}}},
            {"a": 1, "b": 1},
            {"a": 1.0, "b": 1},
        ),
        ({"additionalProperties": {"type": "number"}, "properties": {"b": {}}}, {"a": 1, "b": 1}, {"a": 1.0, "b": 1}),
        ({"items": {"type": "number"}, "prefixItems": [{"type": "integer"}]}, [1, 1], [1, 1.0]),
        ({"anyOf": [{"type": "number"}, {"type": "string"}]}, 1, 1.0),
        ({"allOf": [{"properties": {"a": {"type": "number"}}}]}, {"a": 1}, {"a": 1.0}),
        ({"$ref": "#"}, 1, 1),
        ({"type": "number", "items": {"$ref": "#"}}, [1, [2]], [1.0, [2.0]]),
        (True, 1, 1),
    ],
)
def test_numbers_are_bound_by_the_schema(schema: Any, value: Any, expected: Any) -> None:
    assert repr(bind_numbers(schema, value)) == repr(expected)
