"""What an expression yields, what it refuses, and that nothing in it can hurt the process."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import cel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.json_values import dump
from workflows.expressions import ExpressionError, ExpressionInvalid, compile_expression, read_values

SCOPE: dict[str, Any] = {
    "input": {
        "amount": 1169,
        "rate": 1.5,
        "name": "Ada",
        "none": None,
        "items": [{"p": 1, "q": 2.5}, {"p": 3, "q": 1}],
    },
    "steps": {
        "bureau": {"output": {"body": {"score": 612}}, "status": "succeeded"},
        "noop-2": {"output": {"in": 5}, "status": "failed"},
    },
    "execution": {"id": "0190"},
    "parameters": {},
}


def value(text: str, scope: dict[str, Any] = SCOPE) -> Any:
    return compile_expression(text).evaluate(scope)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("input.amount * 1.5", 1753.5),
        ("input.amount / 2", 584),
        ("-7 / 2", -3),
        ("-7 % 3", -1),
        ("7.5 % 2", 1.5),
        ("7 / 2 * 2.0", 6.0),
        ("10 - 3 - 2", 5),
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("-(input.rate)", -1.5),
        ('input.name + "!"', "Ada!"),
        ("[1] + [2]", [1, 2]),
        ("input.amount == 1169.0", True),
        ("steps.bureau.output.body.score >= 600 && input.rate < 2", True),
        ('steps["noop-2"].output["in"] + 1', 6),
        ('steps["noop-2"].status', "failed"),
        ("input.items.map(i, i.p * i.q)", [2.5, 3]),
        ("input.items.map(i, i.p * i.q).sum()", 5.5),
        ("input.items.filter(i, i.p > 1).size()", 1),
        ("size('é€😀') + 'né'.size()", 5),
        ("size([1, 2]) + {'a': 1}.size() + size(b'abc')", 6),
        ("input.items.exists(i, input.items.all(j, i.p >= j.p))", True),
        ("input.items.map(i, i.p > 1, i.p)", [3]),
        ("input.items.map(item, item.p)", [1, 3]),
        ("has(input.amount) && !has(input.missing)", True),
        ("input.none == null", True),
        ("true || 1 / 0 == 1", True),
        ("input.amount > 1000 ? 'large' : 'small'", "large"),
        ('timestamp("2024-01-01T00:00:00+02:00")', "2023-12-31T22:00:00Z"),
        ('timestamp("2024-01-01T00:00:00Z") + duration("90m")', "2024-01-01T01:30:00Z"),
        ('timestamp("2024-01-02T00:00:00Z") - timestamp("2024-01-01T00:00:00Z")', "86400s"),
        ('duration("-1500ms")', "-1.5s"),
        ("timestamp(0).getFullYear()", 1970),
        ("int(timestamp(5))", 5),
        ("string(true) + string(1) + string(2.0) + string(0.5) + string('x') + string(b'y')", "true120.5xy"),
        ("string(timestamp(0)) + string(duration('90s'))", "1970-01-01T00:00:00Z90s"),
        ('{"for": 1}.for', 1),
        ('b"ab"', "YWI="),
        ("7u + 1", 8),
        ('"a,b".split(",").join("-").upperAscii()', "A-B"),
        ("math.round(2.5) + math.abs(-1)", 4.0),
        ("type(1) == int", True),
        ("'''a\"b'''", 'a"b'),
        (r'r"\d"', r"\d"),
        ("{'a': [1, 2,], }", {"a": [1, 2]}),
        ("1 // a comment", 1),
    ],
)
def test_an_expression_yields_json(text: str, expected: Any) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("input.amont", "no member `input.amont`"),
        ("parameters.x", "no member `parameters.x`"),
        ("1 / 0", "division by zero"),
        ("1.0 / 0", "division by zero"),
        ("1 % 0", "division by zero"),
        ("9223372036854775807 + 1", "64 bits"),
        ("-(-9223372036854775807 - 1)", "64 bits"),
        ("9007199254740992", "2^53-1"),
        ('"a" + 1', "`+` does not take string and int"),
        ("true + 1", "`+` does not take bool and int"),
        ('double("nan")', "NaN"),
        ("1e308 * 10", "infinity"),
        ('"\\x00"', "NUL"),
        ("{1: 2}", "keys"),
        ("size(5)", "`size` does not take"),
        ('"a".matches("(")', "regex"),
        ("input.items[7]", "no member `input.items[7]`"),
        ("input.items[input.amount]", "out of bounds"),
        ("input.amount.x", "no member `input.amount.x`"),
        ("input.items.map(i, i.zz)", 'no member "zz"'),
        ("input.amount.map(i, i)", "only a list or a map"),
        ("has(input.gone.x)", "no member `input.gone.x`"),
    ],
)
def test_an_expression_that_errors_says_why_and_holds_its_text(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        value(text)
    assert caught.value.kind == "expression_error"
    assert reason in caught.value.message
    assert f"`{text}`" in caught.value.message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "ends too early"),
        ("1 +", "ends too early"),
        ("a b", "'b' at character 3"),
        ("foo.x", "unknown name `foo` at character 1; known here: `application`, `execution`, `input`"),
        ("foo(1)", "unknown function `foo`"),
        ("input.f()", "unknown function `f`"),
        ("__add(1, 2)", "unknown function `__add`"),
        ("size(1, 2)", "wrong number of values for `size`"),
        ("steps", "only by its name"),
        ("steps[input.name].output", "only by its name"),
        ("steps.bureau", "names neither"),
        ("has(steps.bureau)", "names neither"),
        ("steps.bureau.error", "names neither"),
        ("execution.tenant", "execution.id"),
        ("secrets.KEY", "secrets are only known in the config of an http"),
        ("item.x", "only known in a map"),
        ("for", "reserved word"),
        ("input.in", "keyword"),
        ("has(input)", "takes one member"),
        ("[1].map(1, 2)", "takes a variable"),
        ("[1].map(input, 2)", "cannot be the variable"),
        ("[1].map(__x, 2)", "cannot be the variable"),
        ("[1].map(a, [1].map(b, [1].map(c, c)))", "more than one level inside"),
        ("9223372036854775808", "int literal"),
        ("Message{a: 1}", "unexpected '{'"),
        ("input?.a", "unexpected '.'"),
        ("1 + " * 1100 + "1", "4096 characters"),
        ("!" * 40 + "true", "32 levels"),
        ("[" * 40 + "]" * 40, "32 levels"),
        ("input" + ".a" * 40, "32 levels"),
    ],
)
def test_a_text_that_is_no_expression_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ExpressionInvalid) as caught:
        compile_expression(text)
    assert reason in str(caught.value)


def refusal(text: str) -> str:
    """Why the text is refused, "" if it is not."""
    try:
        compile_expression(text)
    except ExpressionInvalid as invalid:
        return str(invalid)
    return ""


def test_parentheses_alone_are_not_deep() -> None:
    assert value("(" * 200 + "1" + ")" * 200) == 1


def test_every_problem_of_an_expression_is_told() -> None:
    with pytest.raises(ExpressionInvalid) as caught:
        compile_expression("foo + bar(1)")
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    "shape", ["[{}]", "(1 + {} * 2)", "(true ? {} : 0)", "size([{}])", "[[1].map(x, x), {}]", "-({})"]
)
def test_whatever_is_accepted_in_depth_also_compiles(shape: str) -> None:
    text = "1"
    for _ in range(40):
        text = shape.replace("{}", text)
        if refusal(text):
            break
    assert "32 levels" in refusal(text)


def test_long_chains_of_operators_are_not_deep() -> None:
    assert value(" + ".join(["1"] * 900)) == 900
    assert value(" && ".join(["true"] * 500)) is True


def test_references_are_the_fixed_paths_in_their_order() -> None:
    text = (
        'steps["noop-2"].output.a[0].b > input[input.name] && has(input.x.y) '
        "&& input.items.exists(i, i.p == steps.bureau.status)"
    )
    assert [reference.text for reference in compile_expression(text).references] == [
        'steps["noop-2"].output.a[0].b',
        "input",
        "input.name",
        "input.x.y",
        "input.items",
        "steps.bureau.status",
    ]


def test_a_reference_has_the_json_pointer_of_its_path() -> None:
    (reference,) = compile_expression('input["a/b"].c[2]').references
    assert reference.pointer == "/a~1b/c/2"


def test_what_was_read_is_told_by_the_references_text() -> None:
    references = compile_expression(
        "input.amount > 1 && steps.bureau.output.body.score > 2 && has(input.gone)"
    ).references
    assert read_values(references, SCOPE) == {"input.amount": 1169, "steps.bureau.output.body.score": 612}


def test_only_named_members_are_bound() -> None:
    class Unreadable(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            assert key == "amount", f"{key} was read"
            return super().__getitem__(key)

    assert compile_expression("input.amount + 1").evaluate({"input": Unreadable(amount=1, huge=object())}) == 2


def test_lists_in_comprehensions_have_a_bound() -> None:
    scope = {"input": {"fits": [1] * 10_000, "long": [1] * 10_001, "inner": [1] * 1_000, "wide": [1] * 1_001}}
    assert value("input.fits.all(x, x == 1)", scope) is True
    assert value("input.inner.all(x, input.inner.all(y, x == y))", scope) is True
    for text in (
        "input.long.all(x, x == 1)",
        "input.inner.all(x, input.wide.all(y, x == y))",
        "input.wide.all(x, [1].all(y, x == y))",
    ):
        with pytest.raises(ExpressionError, match="items is too long"):
            value(text, scope)


def test_the_work_of_map_grows_with_the_list_and_not_with_its_square() -> None:
    scope = {"input": {"items": list(range(10_000))}}
    before = time.process_time()
    assert value("input.items.map(x, {'a': x}).filter(y, y.a > 9)[9989].a", scope) == 9_999
    assert time.process_time() - before < 10


def test_an_evaluation_cannot_fill_the_memory() -> None:
    scope = {"input": {"text": "x" * 1_000_000, "items": [1] * 10_000}}
    for text in (
        "input.items.map(i, input.text)",
        "[" + ", ".join(["input.text"] * 200) + "]",
        'input.text.replace("x", input.text)',
        "input.items.map(i, string(i)).join(input.text)",
    ):
        with pytest.raises(ExpressionError):
            value(text, scope)


_numbers = st.integers(-(2**40), 2**40) | st.floats(-1e12, 1e12, allow_nan=False).filter(
    lambda number: number == 0 or abs(number) > 1e-6
)


def _python(operator: str, left: float, right: float) -> float:
    both = isinstance(left, int) and isinstance(right, int)
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case _ if both:
            return int(left) // int(right) if (left < 0) == (right < 0) else -(-int(left) // int(right))
        case _:
            return left / right


@given(left=_numbers, right=_numbers, operator=st.sampled_from("+-*/"))
def test_mixed_arithmetic_is_done_in_double_and_that_of_ints_in_int(left: float, right: float, operator: str) -> None:
    expression = compile_expression(f"input.a {operator} input.b == input.c")
    if operator == "/" and right == 0:
        with pytest.raises(ExpressionError, match="division by zero"):
            expression.evaluate({"input": {"a": left, "b": right, "c": 0}})
        return
    expected = _python(operator, left, right)
    if isinstance(expected, int) and abs(expected) >= 2**63:
        return
    assert expression.evaluate({"input": {"a": left, "b": right, "c": expected}}) is True


_ints = st.integers(0, 1000).map(str)
_bools = st.sampled_from(["true", "false", "1 < 2", "'a' in ['b']"])
_ints = st.recursive(
    _ints | st.sampled_from(["input.a", "input.list.size()", "input.list[0]"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" + ", " - ", " * ", " / ", " % "]), inner).map("".join),
        inner.map("({})".format),
        inner.map("-({})".format),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} < {pair[1]} ? {pair[0]} : {pair[1]})"),
    ),
    max_leaves=12,
)
_expressions = st.one_of(
    _ints,
    st.tuples(_ints, st.sampled_from(["<", "<=", "==", "!=", ">"]), _ints, st.sampled_from(["&&", "||"]), _bools).map(
        " ".join
    ),
    _ints.map("input.list.map(x, x * ({}))".format),
    _ints.map("input.list.filter(x, x > {}).size()".format),
    st.lists(_ints, max_size=3).map(lambda items: f"{{'a': [{', '.join(items)}], 'b': !(1 == 2)}}"),
)


@given(text=_expressions)
def test_rendering_keeps_the_meaning_where_no_arithmetic_is_mixed(text: str) -> None:
    scope = {"input": {"a": 7, "list": [3, -4, 5]}}
    try:
        expected = cel.evaluate(text, scope)
    except (ArithmeticError, ValueError, RuntimeError):
        expected = None
    try:
        found = value(text, scope)
    except (ExpressionError, ExpressionInvalid):
        found = None
    too_big = expected is not None and any(abs(number) > 2**53 - 1 for number in _all_ints(expected))
    assert found == (None if too_big else expected)


def _all_ints(found: Any) -> list[int]:
    return [
        int(text)
        for text in json.dumps(found).replace(",", " ").translate(str.maketrans("[]{}:", "     ")).split()
        if text.lstrip("-").isdigit()
    ]


@given(text=st.text(max_size=60) | st.text("input.steps[](){}+-*/%<>=!&|?:,'\"0123456789 \\rbmap", max_size=60))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    with contextlib.suppress(ExpressionInvalid, ExpressionError):
        compile_expression(text).evaluate(SCOPE)


def test_the_members_of_an_object_come_in_the_same_order_every_time() -> None:
    expression = compile_expression("{'b': input.x, 'a': {'d': 1, 'c': 2}, 'e': 3}")
    for _ in range(20):
        assert dump(expression.evaluate({"input": {"x": 0}})) == '{"a":{"c":2,"d":1},"b":0,"e":3}'
