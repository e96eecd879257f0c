"""`${{ secrets.NAME }}`: where it may stand and how, what stands in for it, and what takes its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contract.json_values import JSON, InvalidJson, check
from tests.unit.workflows.writing import parse, told
from workflows.expressions import SECRET_ROOTS, STEP_ROOTS, ExpressionInvalid, compile_expression
from workflows.failures import StepFailed
from workflows.programs import EffectfulProgram
from workflows.secret_references import filled_in, hidden, stand_in

NAMED = "${{ secrets.TOKEN }}"
CALLS: dict[str, dict[str, JSON]] = {
    "http": {"method": "GET", "url": "http://h.example/"},
    "webhook": {"url": "http://h.example/", "payload": {}},
    "llm_inference": {"model": "m", "messages": [{"role": "user", "content": "x"}]},
}
MEMBERS = [
    ("http", {"url": f"http://h.example/{NAMED}"}),
    ("http", {"url": NAMED}),
    ("http", {"url": f"https://{NAMED}/"}),
    ("http", {"headers": {"X": f"Bearer {NAMED}"}}),
    ("http", {"query": {"a": ["1", NAMED]}}),
    ("http", {"body": {"a": [{"b": NAMED}]}}),
    ("http", {"body": f"<a>{NAMED}</a>"}),
    ("webhook", {"url": f"http://h.example/{NAMED}"}),
    ("webhook", {"payload": [NAMED]}),
    ("webhook", {"secret": NAMED}),
    ("webhook", {"event": f"e.{NAMED}"}),
    ("llm_inference", {"api_key": NAMED}),
    ("llm_inference", {"model": NAMED}),
    ("llm_inference", {"base_url": f"http://h.example/{NAMED}"}),
    ("llm_inference", {"messages": [{"role": "user", "content": f"use {NAMED}"}]}),
]


def step(kind: str, config: Any = None, **members: Any) -> dict[str, Any]:
    return {"name": "s", "type": kind, "config": CALLS.get(kind, {}) | (config or {}), **members}


@pytest.mark.parametrize(("kind", "member"), MEMBERS)
def test_a_secret_is_named_in_any_member_of_a_step_that_calls_out_and_recorded_as_three_stars(
    kind: str, member: dict[str, JSON]
) -> None:
    program = parse(step(kind, member)).steps[0].program
    assert isinstance(program, EffectfulProgram)
    resolved = program.resolve({})
    shown = json.dumps(program.recorded(resolved))
    assert "***" in shown
    assert "TOKEN" not in shown
    with pytest.raises(InvalidJson):
        check(resolved)
    filled = program.checked(
        filled_in(resolved, {"TOKEN": "h.example" if "https" in str(member) else "http://v.example/"}, 1000)
    )
    assert "v.example" in str(filled) or "https://h.example/" in str(filled)


@pytest.mark.parametrize("name", ["T", "_", "a1_B", "in", "for", "x" * 100])
def test_any_name_of_a_secret_can_be_written(name: str) -> None:
    expression = compile_expression(f" secrets.{name} ", SECRET_ROOTS)
    assert expression.evaluate({}) == stand_in(name)
    assert [(found.root, found.path) for found in expression.references] == [("secrets", (name,))]


@pytest.mark.parametrize(
    "text",
    ["secrets.A + secrets.B", "secrets", 'secrets["A"]', "secrets.A.b", "size(secrets.A)", "has(secrets.A)",
     "secrets.A == input.x", "input.x ? secrets.A : secrets.B", '"Bearer " + secrets.A'],
)  # fmt: skip
def test_a_secret_stands_alone_in_its_expression(text: str) -> None:
    with pytest.raises(ExpressionInvalid, match="stands alone between the braces"):
        compile_expression(text, STEP_ROOTS | SECRET_ROOTS)


@pytest.mark.parametrize("text", ["secrets.1A", "secrets.A-B", "secrets." + "x" * 101, "secrets.ä", "secrets."])
def test_what_names_no_secret_is_refused(text: str) -> None:
    with pytest.raises(ExpressionInvalid):
        compile_expression(text, STEP_ROOTS | SECRET_ROOTS)


@pytest.mark.parametrize(
    ("steps", "members", "field"),
    [
        ([step("transform", {"output": NAMED})], {}, "/steps/0/config/output"),
        ([step("tool_call", {"tool": "noop", "arguments": {"a": NAMED}})], {}, "/steps/0/config/arguments/a"),
        ([step("agent", {"task": "t", "arguments": {"a": NAMED}})], {}, "/steps/0/config/arguments/a"),
        ([step("wait", {"seconds": NAMED})], {}, "/steps/0/config/seconds"),
        ([step("workflow", {"workflow_id": "w", "input": {"a": NAMED}})], {}, "/steps/0/config/input/a"),
        ([step("map", {"over": [NAMED], "step": step("http")})], {}, "/steps/0/config/over/0"),
        ([step("guardrail_check", {"checks": [{"assert": "secrets.A == ''"}]})], {}, "/steps/0/config/checks/0/assert"),
        ([step("http", when="secrets.A == ''")], {}, "/steps/0/when"),
        ([step("http")], {"output": NAMED}, "/output"),
    ],
)
def test_anywhere_else_a_secret_is_refused_and_why_is_told(steps: Any, members: Any, field: str) -> None:
    (found,) = [(code, message) for at, code, message in told(*steps, **members) if at == field]
    assert found[0] == "bad_expression"
    assert "only known in the config of an http, a webhook or an llm_inference step" in found[1]


def test_steps_inside_a_map_a_loop_and_a_compensation_name_secrets_too() -> None:
    call = {"type": "http", "config": CALLS["http"] | {"headers": {"X": NAMED}}}
    steps = [
        {"name": "each", "type": "map", "config": {"over": [1], "step": call}},
        {
            "name": "again",
            "type": "loop",
            "config": {"body": [{"name": "b", **call}], "until": "true", "max_iterations": 1},
        },
        {"name": "done", **call, "compensate": call},
    ]
    assert sum(found.type == "http" for found in parse(*steps).all_steps()) == 4


def test_what_is_given_cannot_stand_in_for_a_secret() -> None:
    with pytest.raises(InvalidJson):
        check(stand_in("A"))
    with pytest.raises(StepFailed):
        compile_expression(r'"\x00A\x00"').evaluate({})


def test_what_stands_in_is_hidden_and_filled_wherever_it_stands() -> None:
    value = {"a": [f"x{stand_in('A')}y{stand_in('B')}", 1, None], "b": {"c": stand_in("A")}, "d": "plain"}
    assert hidden(value) == {"a": ["x***y***", 1, None], "b": {"c": "***"}, "d": "plain"}
    assert filled_in(value, {"A": "1", "B": "\\1"}, 99) == {"a": ["x1y\\1", 1, None], "b": {"c": "1"}, "d": "plain"}


def test_a_secret_that_there_is_not_is_named_and_too_much_of_one_is_refused_before_it_is_built() -> None:
    with pytest.raises(StepFailed, match="there is no secret `B`") as missing:
        filled_in(stand_in("B"), {"A": "x"}, 99)
    assert missing.value.kind == "secret_missing"
    with pytest.raises(StepFailed) as large:
        filled_in([stand_in("A")] * 1_000_000, {"A": "x" * 65_536}, 1_000_000)
    assert large.value.kind == "input_too_large"
