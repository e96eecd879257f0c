"""`${{ }}` in JSON: where an expression ends, what a string becomes, and what a template reads."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.problems import FieldProblem
from workflows.expressions import ExpressionInvalid
from workflows.templating import Template, compile_condition, compile_template, literally

SCOPE: dict[str, Any] = {"input": {"n": 1, "s": "x", "none": None, "list": [1, "a"]}}


def template(value: Any) -> Template:
    problems: list[FieldProblem] = []
    compiled = compile_template(value, "", problems)
    assert problems == []
    return compiled


def problems_of(value: Any) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    compile_template(value, "/steps/0/config/output", problems)
    return problems


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("${{ input.n }}", 1),
        ("${{input.list}}", [1, "a"]),
        ("${{ input.none }}", None),
        (" ${{ input.n }}", " 1"),
        ("${{ input.n }}${{ input.s }}", "1x"),
        ("n=${{ input.n }}, none=${{ input.none }}, list=${{ input.list }}", 'n=1, none=null, list=[1,"a"]'),
        ('${{ {"a": {"b": "}}"}}.a.b }}', "}}"),
        ('${{ {"a": {}}}}', {"a": {}}),
        ("${{ '}}' }}", "}}"),
        (r"${{ 'it\'s }}' }}", "it's }}"),
        (r'${{ r"\" }}', "\\"),
        ('${{ """a "}}" b""" }}', 'a "}}" b'),
        ("${{ 1 // a comment }}", 1),
        ("${{ [1].map(i, {'a': i}) }}", [{"a": 1}]),
        ('a ${{ "${{" }} b }}', "a ${{ b }}"),
        ("no }} template ${ here", "no }} template ${ here"),
        (
            {"${{ input.n }}": ["${{ input.n + 1 }}", 2, {"a": "${{ input.s }}"}]},
            {"${{ input.n }}": [2, 2, {"a": "x"}]},
        ),
        (5, 5),
    ],
)
def test_a_template_resolves(written: Any, expected: Any) -> None:
    assert template(written).resolve(SCOPE) == expected


@pytest.mark.parametrize("text", ["${{ input.n", "${{ 'a }}", "a ${{ {  }}"])
def test_an_expression_that_never_ends_is_a_problem(text: str) -> None:
    (problem,) = problems_of({"a": [text]})
    assert problem.field == "/steps/0/config/output/a/0"
    assert "never closed" in problem.message


def test_every_bad_expression_is_told_with_its_place() -> None:
    problems = problems_of({"a/b": "${{ foo }} ${{ 1 + }}", "c": ["${{ bar() }}"]})
    assert [problem.field for problem in problems] == [
        "/steps/0/config/output/a~1b",
        "/steps/0/config/output/a~1b",
        "/steps/0/config/output/c/0",
    ]
    assert {problem.code for problem in problems} == {"bad_expression"}


def test_references_are_by_the_field_that_reads_them() -> None:
    compiled = template({"a": "${{ input.n }} and ${{ steps.b.output }}", "c": ["${{ input.n }}", "d"]})
    texts = {field: [reference.text for reference in found] for field, found in compiled.references.items()}
    assert texts == {"/a": ["input.n", "steps.b.output"], "/c/0": ["input.n"]}
    assert [reference.text for reference in compiled.all_references()] == ["input.n", "steps.b.output"]


def test_a_value_without_expressions_is_literal() -> None:
    assert template({"a": [1, "b"]}).is_literal
    assert not template({"a": [1, "${{ 1 }}"]}).is_literal


@pytest.mark.parametrize("text", ["input.n > 0", "${{ input.n > 0 }}", "  ${{ input.n > 0 }} "])
def test_a_condition_is_written_with_or_without_braces(text: str) -> None:
    assert compile_condition(text).holds(SCOPE) is True


@pytest.mark.parametrize("text", ["${{ true }} ${{ true }}", "${{ true }} x", "${{ true", "x ${{ true }}"])
def test_a_condition_is_one_expression(text: str) -> None:
    with pytest.raises(ExpressionInvalid):
        compile_condition(text)


_texts = st.text(max_size=20) | st.text("${}'\" a\\/", max_size=20)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=8,
)


@given(value=_json)
def test_what_is_taken_literally_resolves_to_itself(value: Any) -> None:
    assert template(literally(value)).resolve({}) == value


@given(before=st.text("ab {}'", max_size=5), inside=st.text("ab{}' \"", max_size=8), after=st.text("ab }'", max_size=5))
def test_text_around_an_expression_is_kept(before: str, inside: str, after: str) -> None:
    quoted = '"' + inside.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert template(f"{before}x${{{{ {quoted} }}}}{after}").resolve({}) == f"{before}x{inside}{after}"


@given(value=_json)
def test_any_json_is_a_template_or_has_problems(value: Any) -> None:
    problems: list[FieldProblem] = []
    compile_template(value, "", problems)
    assert all(problem.code == "bad_expression" for problem in problems)
