"""What each step type computes or resolves to, and how it fails."""

from __future__ import annotations

from typing import Any

import pytest

from contract.json_values import JSON
from workflows.definition import DefinitionInvalid, parse_definition
from workflows.spec import Effect, EffectfulProgram, Evaluation, PureProgram, StepFailed, TaskProgram
from workflows.tools import ToolContext, ToolRegistry

TOOLS = ToolRegistry()
SCOPE: dict[str, Any] = {"input": {"amount": 1169, "name": "Ada", "list": [1, 2]}, "steps": {}}


@TOOLS.tool("charge", arguments={"properties": {"cents": {"type": "integer"}}}, effect=Effect.AT_MOST_ONCE)
def charge(arguments: dict[str, JSON], _context: ToolContext) -> JSON:
    return arguments


def program(kind: str, config: dict[str, Any]) -> Any:
    return (
        parse_definition({"name": "w", "steps": [{"name": "s", "type": kind, "config": config}]}, TOOLS)
        .steps[0]
        .program
    )


def run(kind: str, config: dict[str, Any], scope: dict[str, Any] = SCOPE) -> Evaluation:
    compiled = program(kind, config)
    assert isinstance(compiled, PureProgram)
    return compiled.run(scope)


def resolve(kind: str, config: dict[str, Any]) -> dict[str, Any]:
    compiled = program(kind, config)
    assert isinstance(compiled, EffectfulProgram)
    return compiled.resolve(SCOPE)


def fields(kind: str, config: Any) -> set[str]:
    with pytest.raises(DefinitionInvalid) as caught:
        program(kind, config)
    return {problem.field.removeprefix("/steps/0/config") for problem in caught.value.problems}


def test_a_transform_yields_the_resolved_json_and_tells_what_it_read() -> None:
    evaluation = run("transform", {"output": {"double": "${{ input.amount * 2 }}", "who": "Dr ${{ input.name }}"}})
    assert evaluation == Evaluation({"input.amount": 1169, "input.name": "Ada"}, {"double": 2338, "who": "Dr Ada"})


def test_a_transform_that_errors_fails_with_the_expression_in_the_message() -> None:
    with pytest.raises(StepFailed, match=r"`input\.gone`") as caught:
        run("transform", {"output": "${{ input.gone }}"})
    assert caught.value.kind == "expression_error"


DECISION: dict[str, Any] = {
    "rules": [
        {"when": "input.amount > 2000", "outcome": "fail"},
        {
            "when": "${{ input.name == 'Ada' }}",
            "outcome": "refer-${{ input.list[0] }}",
            "output": {"n": "${{ input.list }}"},
        },
        {"when": "input.gone", "outcome": "never"},
    ],
    "default": {"outcome": "pass", "output": {"outcome": "hidden", "x": 1}},
}


def test_the_first_rule_that_holds_decides_and_later_ones_are_not_read() -> None:
    evaluation = run("decision", DECISION)
    assert evaluation.output == {"n": [1, 2], "outcome": "refer-1", "rule": 1}
    assert evaluation.read == {"input.amount": 1169, "input.name": "Ada", "input.list[0]": 1, "input.list": [1, 2]}


def test_without_a_rule_that_holds_the_default_decides() -> None:
    config = {**DECISION, "rules": DECISION["rules"][:1]}
    assert run("decision", config).output == {"outcome": "pass", "x": 1, "rule": None}


def test_a_condition_that_is_no_boolean_fails_the_step() -> None:
    with pytest.raises(StepFailed, match="true or false"):
        run("decision", {"rules": [{"when": "input.amount", "outcome": "x"}], "default": {"outcome": "y"}})


CHECKS = {
    "checks": [
        {"name": "small", "assert": "input.amount < 100", "message": "too much"},
        {"assert": "input.amount > 100"},
    ],
    "schema": {"properties": {"name": {"type": "integer"}}},
    "value": "${{ input }}",
}


def test_a_guardrail_that_is_violated_fails_with_every_violation() -> None:
    with pytest.raises(StepFailed, match="too much") as caught:
        run("guardrail_check", CHECKS)
    assert caught.value.kind == "guardrail_failed"
    assert caught.value.output["passed"] is False
    assert [violation["check"] for violation in caught.value.output["violations"]] == ["small", "schema"]
    assert caught.value.output["violations"][1]["field"] == "/name"


def test_a_guardrail_that_reports_yields_its_violations() -> None:
    output = run("guardrail_check", {**CHECKS, "mode": "report"}).output
    assert (output["passed"], len(output["violations"])) == (False, 2)


def test_the_message_of_a_check_may_hold_expressions() -> None:
    checks = [
        {"assert": "false", "message": "${{ input.amount }} of ${{ input.name }}"},
        {"assert": "false", "message": "${{ input.amount }}"},
    ]
    evaluation = run("guardrail_check", {"checks": checks, "mode": "report"})
    assert [violation["message"] for violation in evaluation.output["violations"]] == ["1169 of Ada", "1169"]
    assert evaluation.read == {"input.amount": 1169, "input.name": "Ada"}


def test_a_guardrail_that_holds_passes() -> None:
    evaluation = run("guardrail_check", {"checks": [{"assert": "input.amount > 100"}]})
    assert evaluation == Evaluation({"input.amount": 1169}, {"passed": True, "violations": []})


def test_a_tool_call_has_the_effect_of_its_tool_and_checks_its_arguments_late_too() -> None:
    config = {"tool": "charge", "arguments": {"cents": "${{ input.amount }}"}}
    assert program("tool_call", config).effect is Effect.AT_MOST_ONCE
    assert resolve("tool_call", config) == {"tool": "charge", "arguments": {"cents": 1169}}
    with pytest.raises(StepFailed) as caught:
        resolve("tool_call", {"tool": "charge", "arguments": {"cents": "${{ input.name }}"}})
    assert caught.value.kind == "invalid_arguments"
    assert caught.value.details[0]["field"] == "/arguments/cents"
    assert fields("tool_call", {"tool": "charge", "arguments": {"cents": "5"}}) == {"/arguments/cents"}


def test_an_http_step_resolves_with_its_defaults() -> None:
    assert resolve("http", {"method": "get", "url": "https://example.com/${{ input.name }}"}) == {
        "method": "GET",
        "url": "https://example.com/Ada",
        "headers": {},
        "query": {},
        "expected_status": [[200, 299]],
        "timeout_seconds": 30.0,
    }


def test_an_http_step_resolves_what_it_says() -> None:
    config = {
        "method": "POST",
        "url": "${{ 'http://example.com' }}",
        "headers": {"Authorization": "Bearer ${{ input.name }}", "X-N": "${{ input.amount }}"},
        "query": {"q": "${{ input.list }}", "b": True},
        "body": {"a": "${{ input.amount }}"},
        "expected_status": [200, [400, 404]],
        "timeout_seconds": 2,
        "effect": "at_most_once",
    }
    resolved = resolve("http", config)
    assert resolved["headers"] == {"Authorization": "Bearer Ada", "X-N": "1169"}
    assert resolved["query"] == {"q": ["1", "2"], "b": "true"}
    assert (resolved["body"], resolved["expected_status"]) == ({"a": 1169}, [[200, 200], [400, 404]])
    compiled = program("http", config)
    assert compiled.effect is Effect.AT_MOST_ONCE
    assert compiled.recorded(resolved)["headers"] == {"Authorization": "***", "X-N": "1169"}
    assert resolved["headers"]["Authorization"] == "Bearer Ada"


def test_one_expected_status_may_stand_alone() -> None:
    config = {"method": "GET", "url": "https://example.com"}
    assert resolve("http", {**config, "expected_status": 204})["expected_status"] == [[204, 204]]
    assert fields("http", {**config, "expected_status": 99}) == {"/expected_status"}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, {"/method", "/url"}),
        ({"method": "GET", "url": "file:///etc/passwd"}, {"/url"}),
        ({"method": "GET", "url": "https://user:password@example.com"}, {"/url"}),
        ({"method": "GET", "url": "ftp://${{ input.name }}"}, {"/url"}),
        ({"method": "GET", "url": "https://example.com", "headers": {"Host": "x"}}, {"/headers"}),
        ({"method": "GET", "url": "https://example.com", "headers": {"a b": "x"}}, {"/headers"}),
        ({"method": "GET", "url": "https://example.com", "expected_status": [[300, 200]]}, {"/expected_status"}),
        ({"method": "GET", "url": "https://example.com", "expected_status": [99]}, {"/expected_status"}),
        ({"method": "GET", "url": "https://example.com", "effect": "pure"}, {"/effect"}),
        ({"method": "GET", "url": "https://example.com", "retries": 1}, {"/retries"}),
    ],
)
def test_an_http_config_that_is_wrong_says_where(config: Any, expected: set[str]) -> None:
    assert fields("http", config) == expected


@pytest.mark.parametrize(
    "changed",
    [
        {"url": "${{ 'file:///x' }}"},
        {"url": "${{ input.amount }}"},
        {"headers": {"A": "${{ 'a\\nb' }}"}},
        {"query": {"q": {}}},
    ],
)
def test_a_request_that_cannot_be_made_fails_the_step(changed: Any) -> None:
    with pytest.raises(StepFailed) as caught:
        resolve("http", {"method": "GET", "url": "https://example.com", **changed})
    assert caught.value.kind == "invalid_request"


def test_a_webhook_resolves_and_hides_its_secret_from_the_record() -> None:
    config = {"url": "https://example.com", "event": "e", "payload": {"n": "${{ input.name }}"}, "secret": "s3cret"}
    resolved = resolve("webhook", config)
    assert resolved == {"url": "https://example.com", "event": "e", "payload": {"n": "Ada"}, "secret": "s3cret"}
    assert program("webhook", config).recorded(resolved)["secret"] == "***"
    assert program("webhook", config).effect is Effect.IDEMPOTENT
    assert resolve("webhook", {"url": "https://example.com", "payload": 1})["secret"] is None
    assert fields("webhook", {"url": "x"}) == {"/url", "/payload"}


@pytest.mark.parametrize(
    ("kind", "config", "expected"),
    [
        ("transform", {}, {"/output"}),
        ("transform", {"output": 1, "more": 2}, {"/more"}),
        ("decision", {}, {"/rules", "/default"}),
        ("decision", {"rules": [], "default": {}}, {"/rules", "/default/outcome"}),
        (
            "decision",
            {"rules": [{}], "default": {"outcome": "x", "when": "true"}},
            {"/rules/0/when", "/rules/0/outcome", "/default/when"},
        ),
        ("guardrail_check", {}, {"/checks"}),
        ("guardrail_check", {"schema": {}}, {"/value"}),
        ("guardrail_check", {"checks": [{"assert": "true"}], "value": 1}, {"/value"}),
        ("guardrail_check", {"schema": {"type": "x"}, "value": 1, "mode": "warn"}, {"/schema/type", "/mode"}),
        ("tool_call", {}, {"/tool"}),
        ("tool_call", {"tool": "charge", "arguments": []}, {"/arguments"}),
    ],
)
def test_a_config_that_is_wrong_says_where(kind: str, config: Any, expected: set[str]) -> None:
    assert fields(kind, config) == expected


def test_a_tool_is_registered_once_and_touches_the_world() -> None:
    with pytest.raises(ValueError, match="already"):
        TOOLS.tool("charge")
    with pytest.raises(ValueError, match="effect"):
        TOOLS.tool("pure", effect=Effect.PURE)
    with pytest.raises(ValueError, match="effect"):
        TOOLS.tool("wait", effect=Effect.WAIT)
    assert TOOLS.names() == ["charge"]


MESSAGES = [{"role": "user", "content": "Who is ${{ input.name }}?"}]


def test_a_completion_resolves_with_null_for_what_is_not_given() -> None:
    assert resolve("llm_inference", {"model": "m", "messages": MESSAGES}) == {
        "base_url": None,
        "model": "m",
        "messages": [{"role": "user", "content": "Who is Ada?"}],
        "temperature": None,
        "max_tokens": None,
        "api_key": None,
        "schema": None,
    }
    assert program("llm_inference", {"model": "m", "messages": MESSAGES}).effect is Effect.IDEMPOTENT


def test_a_completion_s_members_may_be_expressions() -> None:
    config = {"base_url": "https://${{ input.name }}.example/v1", "model": "m-${{ input.amount }}"}
    config |= {"messages": "${{ [{'role': 'user', 'content': input.name}] }}", "max_tokens": "${{ input.amount }}"}
    resolved = resolve("llm_inference", config)
    assert (resolved["base_url"], resolved["model"]) == ("https://Ada.example/v1", "m-1169")
    assert (resolved["messages"], resolved["max_tokens"]) == ([{"role": "user", "content": "Ada"}], 1169)


def test_a_completion_s_key_is_not_recorded() -> None:
    compiled = program("llm_inference", {"model": "m", "messages": MESSAGES, "api_key": "sk-1", "schema": {}})
    resolved = compiled.resolve(SCOPE)
    assert (resolved["api_key"], resolved["schema"]) == ("sk-1", {})
    assert compiled.recorded(resolved)["api_key"] == "***"
    assert compiled.recorded({**resolved, "api_key": None})["api_key"] is None


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("base_url", "ftp://a.example"),
        ("base_url", "https://user:word@a.example"),
        ("model", ""),
        ("model", 5),
        ("messages", []),
        ("messages", "hello"),
        ("messages", ["hello"]),
        ("messages", [{"content": "no role"}]),
        ("temperature", 2.1),
        ("temperature", "hot"),
        ("temperature", True),
        ("max_tokens", 0),
        ("max_tokens", 1.5),
        ("api_key", "two\nlines"),
        ("api_key", "käse"),
        ("schema", {"type": "nope"}),
        ("stream", True),
    ],
)
def test_a_completion_that_cannot_be_asked_for_is_refused_at_once(member: str, value: Any) -> None:
    [field] = fields("llm_inference", {"model": "m", "messages": MESSAGES, member: value})
    assert field.startswith(f"/{member}")


def test_a_completion_names_its_model_and_has_messages() -> None:
    assert fields("llm_inference", {}) == {"/model", "/messages"}


@pytest.mark.parametrize(
    ("member", "expression"),
    [
        ("base_url", "${{ input.name }}"),
        ("model", "${{ input.amount }}"),
        ("messages", "${{ input.list }}"),
        ("temperature", "${{ input.amount }}"),
        ("max_tokens", "${{ input.name }}"),
        ("api_key", "${{ input.list }}"),
    ],
)
def test_what_a_completion_is_asked_with_is_checked_once_it_is_known(member: str, expression: str) -> None:
    with pytest.raises(StepFailed, match=f"`{member}`") as caught:
        resolve("llm_inference", {"model": "m", "messages": MESSAGES, member: expression})
    assert caught.value.kind == "invalid_request"


def test_an_agent_s_task_resolves_to_a_text_and_arguments() -> None:
    compiled = program("agent", {"task": "Greet ${{ input.name }}", "arguments": {"n": "${{ input.amount }}"}})
    assert isinstance(compiled, TaskProgram)
    assert compiled.effect is Effect.WAIT
    assert compiled.resolve(SCOPE) == {"task": "Greet Ada", "arguments": {"n": 1169}}
    assert program("agent", {"task": "t"}).resolve(SCOPE) == {"task": "t", "arguments": {}}


@pytest.mark.parametrize(
    ("config", "wrong"),
    [
        ({}, {"/task"}),
        ({"task": ""}, {"/task"}),
        ({"task": 5}, {"/task"}),
        ({"task": "x" * 10_001}, {"/task"}),
        ({"task": "t", "arguments": []}, {"/arguments"}),
        ({"task": "t", "tool": "x"}, {"/tool"}),
        ({"task": "${{ secrets.KEY }}"}, {"/task"}),
    ],
)
def test_what_is_no_task_is_refused(config: Any, wrong: set[str]) -> None:
    assert fields("agent", config) == wrong


def test_a_task_that_comes_to_no_text_fails_its_step() -> None:
    with pytest.raises(StepFailed, match="`task` is no text") as caught:
        program("agent", {"task": "${{ input.amount }}"}).resolve(SCOPE)
    assert caught.value.kind == "invalid_arguments"


def test_an_agent_s_task_may_take_a_year_and_a_model_the_usual_time() -> None:
    steps = [
        {"name": "a", "type": "agent", "config": {"task": "t"}},
        {"name": "l", "type": "llm_inference", "config": {"model": "m", "messages": MESSAGES}},
    ]
    spec = parse_definition({"name": "w", "steps": steps}, TOOLS)
    assert [step.timeout_seconds for step in spec.steps] == [366 * 86_400, 300]
