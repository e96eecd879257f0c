"""The plan's laws for what belongs to a step: the items of a map, the steps of a loop's round, compensations."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from executions.plan import Fact, Plan
from executions.states import STEP_TERMINAL, StepStatus
from tests.unit.executions.plans import Run, anything, carried_out
from workflows.definition import parse_definition
from workflows.spec import COMPENSATIONS, PARTS, Spec
from workflows.tools import ToolRegistry

tools = ToolRegistry()
TOOL: dict[str, Any] = {"type": "tool_call", "config": {"tool": "effect"}}


@tools.tool("effect")
def effect(arguments: Any, context: Any) -> Any:
    """Never called: these tests say what comes of a step."""


@st.composite
def wholes(draw: st.DrawFn, on_failure: tuple[str, ...] = ("fail", "continue")) -> Spec:
    """Some steps that can be undone, a map or a loop after the first of them, and a step after that."""
    steps = [{"name": f"s{i}", **TOOL, "compensate": TOOL} for i in range(draw(st.integers(1, 3)))]
    whole = {"name": "whole", "depends_on": ["s0"], **draw(st.one_of(st.just(MAPPED), loops()))}
    last = {"name": "last", **TOOL, "depends_on": ["whole"]}
    for step in (*steps, whole, last):
        step["on_failure"] = draw(st.sampled_from(on_failure))
    return parse_definition({"name": "wholes", "steps": [*steps, whole, last]}, tools)


MAPPED: dict[str, Any] = {"type": "map", "config": {"over": [0, 1, 2, 3], "step": TOOL}}


@st.composite
def loops(draw: st.DrawFn) -> dict[str, Any]:
    """A loop over a random graph of two to five steps."""
    body = []
    for index in range(draw(st.integers(2, 5))):
        before = [f"b{i}" for i in range(index)]
        parents = draw(st.lists(st.sampled_from(before), unique=True, max_size=2)) if before else []
        on_failure = draw(st.sampled_from(["fail", "continue"]))
        body.append({"name": f"b{index}", **TOOL, "depends_on": parents, "on_failure": on_failure})
    return {"type": "loop", "config": {"body": body, "until": "true", "max_iterations": 1}}


@given(wholes(), anything, st.integers())
def test_counters_and_tokens_equal_a_recount_while_parts_are_made_opened_ended_and_undone(
    spec: Spec, results: dict[int, str], seed: int
) -> None:
    run = Run(spec, results, random.Random(seed))
    tell = run.tell

    def counting(*facts: Fact) -> Plan:
        planned = tell(*facts)
        counted = run.counted()
        assert run.situation.counters == counted.counters
        assert dict(run.situation.steps) == dict(counted.steps)
        return planned

    run.tell = counting  # type: ignore[method-assign]
    run.carry_out()
    if run.ending != "succeed":
        run.undo()


@given(wholes(), anything, st.integers())
def test_the_local_plan_of_a_part_equals_the_full_one(spec: Spec, results: dict[int, str], seed: int) -> None:
    local, full = carried_out(spec, results, seed, local=True), carried_out(spec, results, seed)
    assert local.situation == full.situation
    assert (local.begun, local.ending) == (full.begun, full.ending)


@given(wholes(on_failure=("continue",)), anything, st.integers(), st.integers())
def test_confluence_any_order_of_parts_comes_to_the_same_end(
    spec: Spec, results: dict[int, str], first: int, second: int
) -> None:
    one, other = carried_out(spec, results, first), carried_out(spec, results, second)
    assert one.situation == other.situation
    assert one.ending == other.ending == "succeed"


@given(wholes(), anything, st.integers(), st.integers())
def test_confluence_what_is_undone_for_one_failure_is_undone_in_any_order(
    spec: Spec, results: dict[int, str], first: int, second: int
) -> None:
    runs = carried_out(spec, results, first), carried_out(spec, results, second)
    for run in runs:
        done = {i for i, status in run.statuses.items() if i < PARTS and status is StepStatus.SUCCEEDED}
        undone = {i - COMPENSATIONS for i in run.statuses if i >= COMPENSATIONS}
        assert undone == (set() if run.ending == "succeed" else {i for i in done if spec.steps[i].compensation})
        assert all(run.statuses[i + COMPENSATIONS] in STEP_TERMINAL for i in undone)
    assert runs[0].ending == runs[1].ending


@given(wholes(), anything, st.integers())
def test_a_step_ends_by_its_parts_only_when_each_has_ended(spec: Spec, results: dict[int, str], seed: int) -> None:
    run = carried_out(spec, results, seed)
    owner = spec.by_name["whole"]
    parts = [status for index, status in run.statuses.items() if PARTS <= index < COMPENSATIONS]
    if parts and run.statuses[owner] in STEP_TERMINAL:
        assert all(status in STEP_TERMINAL for status in parts)
        failed = any(
            status is StepStatus.FAILED and spec.step(index).on_failure.value == "fail"
            for index, status in run.statuses.items()
            if PARTS <= index < COMPENSATIONS
        )
        assert (run.statuses[owner] is StepStatus.FAILED) == failed
