"""The tools that ship with the product, refused early and late, and carried out."""

from __future__ import annotations

import time
from typing import Any

import pytest

from contract import json_values
from orchestrator.actions import tools as shipped
from orchestrator.actions.action import Attempted
from orchestrator.actions.tool_call import ToolCallAction
from orchestrator.outcomes import Succeeded
from tests.unit.orchestrator.attempts import attempted, failing
from tests.unit.orchestrator.claims import carrier, claim_on, failed
from workflows.definition import DefinitionInvalid, parse_definition
from workflows.failures import StepFailed
from workflows.spec import EffectfulProgram
from workflows.tools import ToolContext, ToolRegistry, registry


def step(tool: str, arguments: Any) -> dict[str, Any]:
    return {
        "name": "w",
        "steps": [{"name": "s", "type": "tool_call", "config": {"tool": tool, "arguments": arguments}}],
    }


def call(tool: str, arguments: dict[str, Any], attempt: Attempted | None = None) -> Any:
    return ToolCallAction(registry)({"tool": tool, "arguments": arguments}, attempt or attempted())


def test_noop_returns_its_arguments() -> None:
    assert call("noop", {"any": [1, None]}) == {"any": [1, None]}


def test_sleep_holds_the_worker_as_long_as_it_says() -> None:
    began = time.monotonic()
    assert call("sleep", {"seconds": 0.1}) == {"seconds": 0.1}
    assert time.monotonic() - began >= 0.1


@pytest.mark.parametrize(("n", "value"), [(0, 0), (1, 1), (2, 1), (10, 55), (20, 6765)])
def test_fib_computes_the_number(n: int, value: int) -> None:
    assert call("fib", {"n": n}) == {"n": n, "value": value}


def test_fail_fails_as_many_attempts_as_it_is_told_then_returns() -> None:
    for number in (1, 2):
        with failing() as raised:
            call("fail", {"message": "not yet", "times": 2}, attempted(number=number))
        assert (raised[0].kind, raised[0].message, raised[0].retryable) == ("failed_on_purpose", "not yet", True)
    assert call("fail", {"times": 2}, attempted(number=3)) == {"attempts": 3}


def test_fail_without_times_always_fails() -> None:
    with failing() as raised:
        call("fail", {}, attempted(number=1_000))
    assert raised[0].message == "this tool fails on purpose"


@pytest.mark.parametrize(
    ("tool", "arguments", "field"),
    [
        ("sleep", {"seconds": -1}, "/seconds"),
        ("sleep", {"seconds": 3601}, "/seconds"),
        ("sleep", {"seconds": "1"}, "/seconds"),
        ("sleep", {"seconds": 1, "more": 1}, ""),
        ("fib", {"n": -1}, "/n"),
        ("fib", {"n": shipped.MAX_FIB + 1}, "/n"),
        ("fib", {"n": 1.5}, "/n"),
        ("fib", {"n": True}, "/n"),
        ("fail", {"times": 0}, "/times"),
        ("fail", {"message": 1}, "/message"),
        ("fail", {"other": 1}, ""),
    ],
)
def test_arguments_out_of_range_are_refused_in_the_definition_and_when_they_are_computed(
    tool: str, arguments: dict[str, Any], field: str
) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        parse_definition(step(tool, arguments))
    assert any(problem.field.startswith(f"/steps/0/config/arguments{field}") for problem in refused.value.problems)

    program = parse_definition(step(tool, {name: f"${{{{ input.{name} }}}}" for name in arguments})).steps[0].program
    assert isinstance(program, EffectfulProgram)
    with pytest.raises(StepFailed) as failed_step:
        program.resolve({"input": arguments})
    assert failed_step.value.kind == "invalid_arguments"
    assert failed_step.value.details[0]["field"].startswith(f"/arguments{field}")


@pytest.mark.parametrize("tool", ["sleep", "fib"])
def test_arguments_that_are_missing_are_refused_in_the_definition(tool: str) -> None:
    with pytest.raises(DefinitionInvalid, match="1 problem"):
        parse_definition(step(tool, {}))


def test_the_shipped_tools_are_those_of_the_contract() -> None:
    assert {"noop", "sleep", "fib", "fail"} <= set(registry.names())
    for tool, arguments in [("noop", {}), ("sleep", {"seconds": 0}), ("fib", {"n": 40}), ("fail", {"times": 1})]:
        parse_definition(step(tool, arguments))


def test_a_tool_is_told_which_attempt_at_which_effect_it_is() -> None:
    tools, told = ToolRegistry(), []

    @tools.tool("tell")
    def tell(_arguments: dict[str, Any], context: ToolContext) -> Any:
        told.append(context)
        return None

    claim = claim_on(tools, "tell")
    assert carrier({"tool_call": ToolCallAction(tools)})(claim) == Succeeded("null")
    (context,) = told
    assert (context.attempt, context.step, context.cancelled()) == (1, "only", False)
    assert context.execution_id == str(claim.execution_id)
    assert context.idempotency_key == f"{claim.execution_id}:only:1"


def test_a_tool_that_this_worker_does_not_have_fails_the_attempt_and_may_be_tried_elsewhere() -> None:
    tools = ToolRegistry()

    @tools.tool("newer")
    def newer(_arguments: dict[str, Any], _context: ToolContext) -> Any:
        return None

    failure = failed(carrier({"tool_call": ToolCallAction(ToolRegistry())})(claim_on(tools, "newer"))).failure
    assert (failure.kind, failure.message, failure.retryable) == (
        "unknown_tool", "this worker has no tool 'newer'", True,
    )  # fmt: skip


def test_what_a_tool_does_to_its_arguments_stays_in_that_attempt() -> None:
    tools = ToolRegistry()

    @tools.tool("spoil")
    def spoil(arguments: dict[str, Any], _context: ToolContext) -> Any:
        arguments["list"].append(1)
        return arguments

    outcome = carrier({"tool_call": ToolCallAction(tools)})(claim_on(tools, "spoil", {"list": []}))
    assert isinstance(outcome, Succeeded)
    assert json_values.load(outcome.output) == {"list": [1]}
