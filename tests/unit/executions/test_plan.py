"""The plan's laws, over random graphs and random orders of outcomes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executions.neighbourhood import reach
from executions.plan import (
    Began,
    Ended,
    Fact,
    Headed,
    LostTrack,
    NeedsSteps,
    Plan,
    Retrying,
    Situation,
    after,
    continues,
    plan,
)
from executions.states import STEP_TERMINAL, Intent, Status, StepStatus
from executions.survey import survey
from tests.unit.executions.plans import Run, anything, carried_out, outcomes, specs
from workflows.definition import parse_definition
from workflows.spec import OnFailure, Spec

JOINS = ("leave", "cancel")


@given(specs(on_failure=("continue", "handler"), rest=("leave",)), anything, st.integers(), st.integers())
def test_confluence_any_order_of_outcomes_comes_to_the_same_end(
    spec: Spec, results: dict[int, str], first: int, second: int
) -> None:
    spec_failures = {index for index, step in enumerate(spec.steps) if step.on_failure is OnFailure.FAIL}
    results = {index: word for index, word in results.items() if not (word == "fail" and index in spec_failures)}
    one, other = carried_out(spec, results, first), carried_out(spec, results, second)
    assert one.statuses == other.statuses
    assert one.ending == other.ending == "succeed"


@given(specs(rest=("leave",)), anything, st.integers(), st.integers())
def test_confluence_an_execution_that_fails_fails_in_any_order(
    spec: Spec, results: dict[int, str], first: int, second: int
) -> None:
    assert carried_out(spec, results, first).ending == carried_out(spec, results, second).ending


@given(specs(rest=JOINS), anything, st.integers())
def test_fixpoint_planning_again_decides_nothing(spec: Spec, results: dict[int, str], seed: int) -> None:
    run = Run(spec, results, random.Random(seed))
    tell = run.tell

    def twice(*facts: Fact) -> Plan:
        planned = tell(*facts)
        again = plan(spec, run.situation, ())
        assert (again.steps, again.step_moves, again.ready, again.moves) == ({}, (), (), ())
        assert (again.counters, again.ending) == (planned.counters, planned.ending)
        return planned

    run.tell = twice  # type: ignore[method-assign]
    run.carry_out()


@given(specs(), outcomes, st.integers())
def test_safety_no_step_begins_before_its_needs(spec: Spec, results: dict[int, str], seed: int) -> None:
    run = Run(spec, results, random.Random(seed))
    tell = run.tell

    def watching(*facts: Fact) -> Plan:
        for fact in facts:
            if isinstance(fact, Began):
                step = spec.steps[fact.index]
                needs = [*step.parents, *step.handles]
                assert all(run.statuses[need] in STEP_TERMINAL for need in needs)
                live = [p for p in step.parents if run.statuses[p] in {StepStatus.SUCCEEDED, StepStatus.FAILED}]
                assert not needs or live or any(run.statuses[h] is StepStatus.FAILED for h in step.handles)
        return tell(*facts)

    run.tell = watching  # type: ignore[method-assign]
    run.carry_out()
    assert len(run.begun) == len(set(run.begun))


@given(specs(rest=JOINS), anything, st.integers())
def test_safety_a_join_begins_with_as_many_live_parents_as_it_needs(
    spec: Spec, results: dict[int, str], seed: int
) -> None:
    run = Run(spec, results, random.Random(seed))
    tell = run.tell

    def live(index: int) -> int:
        parents = ((spec.steps[p].on_failure, run.statuses[p]) for p in spec.steps[index].parents)
        return sum(continues(*parent) for parent in parents)

    def watching(*facts: Fact) -> Plan:
        planned = tell(*facts)
        for index in planned.ready:
            assert live(index) == (spec.steps[index].join or live(index))
        skipped = (
            move.index for move in planned.step_moves if move.move == "skip" and Ended(move.index, "skip") not in facts
        )
        for index in skipped:
            assert live(index) < (spec.steps[index].join or 1)
        for index, state in run.situation.steps.items():
            if state.status is StepStatus.PENDING and spec.steps[index].join:
                assert state.parents_live + state.parents_left >= (spec.steps[index].join or 0), (
                    "it can come to nothing"
                )
        return planned

    run.tell = watching  # type: ignore[method-assign]
    run.carry_out()


@given(specs(rest=JOINS), anything, st.integers())
def test_liveness_every_execution_comes_to_an_end(spec: Spec, results: dict[int, str], seed: int) -> None:
    run = carried_out(spec, results, seed)
    assert run.ending in {"succeed", "fail"}
    if run.ending == "succeed":
        assert all(status in STEP_TERMINAL for status in run.statuses.values())


@given(specs(rest=JOINS), anything, st.integers())
def test_the_counters_equal_a_recount(spec: Spec, results: dict[int, str], seed: int) -> None:
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


@given(specs(rest=JOINS), anything, st.integers())
def test_the_steps_found_ready_are_those_that_the_full_plan_finds(
    spec: Spec, results: dict[int, str], seed: int
) -> None:
    run = Run(spec, results, random.Random(seed))
    tell = run.tell

    def comparing(*facts: Fact) -> Plan:
        planned = tell(*facts)
        assert set(run.ready) == run.counted().ready
        return planned

    run.tell = comparing  # type: ignore[method-assign]
    run.carry_out()


@given(specs(rest=JOINS), anything, st.integers())
def test_the_local_plan_equals_the_full_one(spec: Spec, results: dict[int, str], seed: int) -> None:
    local, full = carried_out(spec, results, seed, local=True), carried_out(spec, results, seed)
    assert local.statuses == full.statuses
    assert (local.begun, local.ending) == (full.begun, full.ending)


def chain(length: int) -> Spec:
    steps = [{"name": f"s{i}", "type": "transform", "config": {"output": i}} for i in range(length)]
    for index in range(1, length):
        steps[index]["depends_on"] = [f"s{index - 1}"]
    return parse_definition({"name": "chain", "steps": steps})


def situation(spec: Spec, **statuses: StepStatus) -> Situation:
    """A running execution whose steps stand so; those not named are pending."""
    named = {spec.by_name[name]: status for name, status in statuses.items()}
    found = survey(spec, {step.index: named.get(step.index, StepStatus.PENDING) for step in spec.steps})
    return Situation(Status.RUNNING, Intent.RUN, found.counters, found.steps)


def test_a_step_that_waits_for_a_retry_keeps_the_execution_running() -> None:
    planned = plan(chain(2), situation(chain(2), s0=StepStatus.RUNNING), [Retrying(0)])
    assert planned.moves == ()
    assert planned.status is Status.RUNNING


def test_an_effect_of_unknown_outcome_leaves_the_execution_waiting_for_an_operator() -> None:
    planned = plan(chain(2), situation(chain(2), s0=StepStatus.RUNNING), [LostTrack(0)])
    assert planned.moves == ("wait",)
    assert planned.status is Status.WAITING


def test_a_cancelled_execution_ends_only_when_nothing_runs() -> None:
    spec = chain(2)
    running = situation(spec, s0=StepStatus.RUNNING)
    told = plan(spec, running, [Headed(Intent.CANCEL)])
    assert told.ending is None
    ended = plan(spec, after(running, told), [Ended(0, "succeed")])
    assert ended.ending == "cancel"


def test_the_first_intent_stands() -> None:
    spec = chain(1)
    planned = plan(spec, situation(spec), [Headed(Intent.CANCEL), Headed(Intent.FAIL)])
    assert planned.ending == "cancel"


def test_a_failure_that_fails_the_execution_leaves_what_never_began_pending() -> None:
    spec = chain(1)
    pair = parse_definition(
        {"name": "pair", "steps": [{"name": n, "type": "transform", "config": {"output": 1}} for n in "ab"]}
    )
    planned = plan(pair, situation(pair, a=StepStatus.RUNNING), [Ended(0, "fail")])
    assert planned.ending == "fail"
    assert 1 not in planned.steps
    assert len(spec.steps) == 1


def test_a_plan_names_the_steps_it_has_to_see() -> None:
    spec = chain(2)
    whole = situation(spec, s0=StepStatus.RUNNING)
    with pytest.raises(NeedsSteps) as raised:
        plan(spec, Situation(whole.status, whole.intent, whole.counters, {0: whole.steps[0]}), [Ended(0, "succeed")])
    assert raised.value.indexes == {1}


def test_reach_goes_through_pure_steps_and_ends_at_its_limit() -> None:
    spec = chain(40)
    assert reach(spec, 0, 100) == frozenset(range(40))
    assert len(reach(spec, 0, 10)) == 10
