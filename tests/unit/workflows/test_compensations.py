"""compensate: the step that undoes a step, what it may be and read, and where it stands in the spec."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.workflows.writing import named, parse, problems, told, typed, yielding
from workflows.spec import COMPENSATIONS, Effect, EffectfulProgram, StepSpec

UNDO: dict[str, Any] = {"action": "charge", "parameters": {"cents": "${{ steps.pay.output.cents }}"}}
CALL = {"method": "POST", "url": "https://example.com"}


def compensation(undo: Any = UNDO, **members: Any) -> StepSpec:
    """That of a step `pay` which comes after a step `a`."""
    spec = parse(yielding("a", 1), named("pay", compensate=undo, depends_on=["a"], **members), named("late"))
    found = spec.steps[1].compensation
    assert found is not None
    return found


def test_a_compensation_stands_apart_under_its_step_s_name() -> None:
    found = compensation()
    assert (found.index, found.name, found.owner) == (COMPENSATIONS + 1, "compensate[pay]", 1)
    assert (found.parents, found.children, found.handles, found.depends_on) == ((), (), (), ())
    assert (found.type, found.action, found.effect) == ("tool_call", "charge", Effect.AT_MOST_ONCE)
    assert (found.body, found.compensation, found.join, found.when) == ((), None, None, None)
    spec = parse(named("pay", compensate=UNDO))
    assert spec.step(COMPENSATIONS) is spec.steps[0].compensation
    assert (spec.by_name, spec.waves, spec.sinks) == ({"pay": 0}, ((0,),), (0,))


def test_a_compensation_reads_its_step_and_what_is_upstream_of_it() -> None:
    undo = {"action": "charge", "parameters": {"cents": "${{ steps.pay.output.cents + steps.a.output }}"}}
    found = compensation(undo)
    assert found.reads == {"pay": 1, "a": 0}
    assert isinstance(found.program, EffectfulProgram)
    scope = {"steps": {"pay": {"output": {"cents": 5}}, "a": {"output": 2}}}
    assert found.program.resolve(scope)["arguments"] == {"cents": 7}
    assert list(found.references_by_field) == ["/parameters/cents"]


def test_a_compensation_reads_nothing_else() -> None:
    def undo(expression: str) -> dict[str, Any]:
        return {"type": "transform", "config": {"output": f"${{{{ {expression} }}}}"}}

    found = problems(
        named("a", compensate=undo("steps.b.output")),
        named("b", compensate=undo("steps.gone.output + item")),
        named("c", compensate=undo("steps.gone.output")),
        named("d", when="steps.d.status == ''"),
    )
    assert found == {
        ("/steps/0/compensate/config/output", "not_upstream"),
        ("/steps/1/compensate/config/output", "bad_expression"),
        ("/steps/2/compensate/config/output", "unknown_step"),
        ("/steps/3/when", "not_upstream"),
    }


def test_a_compensation_has_its_own_retries_and_time_out_and_the_agent_of_its_step() -> None:
    found = compensation({**UNDO, "retry": {"max_attempts": 9}, "timeout_seconds": 7}, agent_id="maip-agent:x")
    assert (found.retry.max_attempts, found.timeout_seconds, found.agent_id) == (9, 7.0, "maip-agent:x")
    assert compensation({**UNDO, "agent_id": "maip-agent:y"}, agent_id="maip-agent:x").agent_id == "maip-agent:y"


@pytest.mark.parametrize(
    "step",
    [
        typed("http", CALL),
        typed("webhook", {"url": "https://example.com", "payload": 1}),
        typed("workflow", {"workflow_id": "w"}),
        typed("map", {"over": [], "step": {"action": "noop"}}),
        typed("loop", {"body": [named("x")], "until": "true", "max_iterations": 1}),
        {"action": "noop"},
    ],
)
def test_what_acts_can_be_compensated(step: Any) -> None:
    assert parse({**step, "compensate": {"type": "http", "config": CALL}}).steps[0].compensation is not None


@pytest.mark.parametrize(
    "step",
    [
        yielding("s", 1),
        typed("decision", {"rules": [{"when": "true", "outcome": "x"}], "default": {"outcome": "y"}}),
        typed("guardrail_check", {"checks": [{"assert": "true"}]}),
        typed("wait", {"seconds": 1}),
    ],
)
def test_what_does_not_act_is_not_compensated(step: Any) -> None:
    assert problems({**step, "compensate": {"action": "noop"}}) == {("/steps/0/compensate", "invalid")}


def test_a_handler_is_not_compensated() -> None:
    assert problems(named("a", on_failure="h"), named("h", compensate={"action": "noop"})) == {
        ("/steps/1/compensate", "invalid")
    }


@pytest.mark.parametrize("kind", ["wait", "workflow", "map", "loop"])
def test_what_compensates_acts_at_once(kind: str) -> None:
    ((field, code, message),) = told(named("a", compensate={"type": kind, "config": {}}))
    assert (field, code) == ("/steps/0/compensate/type", "invalid")
    assert "at once" in message


@pytest.mark.parametrize(
    ("undo", "expected"),
    [
        (5, {("", "wrong_type")}),
        ({}, {("", "invalid")}),
        ({"type": "nope"}, {("/type", "unknown_type")}),
        (
            {"type": "tool_call", "config": {"tool": "gone"}, "retry": 5},
            {("/config/tool", "unknown_tool"), ("/retry", "wrong_type")},
        ),
        ({"action": "noop", "config": {}}, {("/config", "invalid")}),
        (
            {
                "action": "noop",
                "name": "x",
                "depends_on": 5,
                "on_failure": "x",
                "join": 5,
                "compensate": {},
                "when": "1 +",
            },
            {(f"/{name}", "invalid") for name in ("name", "depends_on", "on_failure", "join", "compensate", "when")},
        ),
        ({"action": "noop", "more": 1}, {("/more", "unknown_member")}),
    ],
)
def test_a_compensation_that_is_wrong_says_where(undo: Any, expected: Any) -> None:
    assert problems(named("a", compensate=undo)) == {(f"/steps/0/compensate{field}", code) for field, code in expected}


def test_parameters_that_only_a_compensation_reads_are_read() -> None:
    spec = parse(named("a", compensate={"action": "noop", "parameters": {"x": "${{ parameters.inner }}"}}))
    assert (spec.reads_parameter("inner"), spec.reads_parameter("x")) == (True, False)
