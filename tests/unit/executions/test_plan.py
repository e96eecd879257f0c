"""The plan's laws, over random graphs and random orders of outcomes."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    initial,
    plan,
    reach,
    roots,
)
from executions.states import STEP_TERMINAL, Intent, Status, StepStatus
from executions.survey import survey
from workflows.definition import parse_definition
from workflows.spec import OnFailure, Spec


@st.composite
def specs(draw: st.DrawFn, on_failure: tuple[str, ...] = ("fail", "continue", "handler")) -> Spec:
    """A random acyclic graph of up to twelve steps, some with handlers."""
    size = draw(st.integers(1, 12))
    steps = []
    handlers: set[int] = set()
    for index in range(size):
        step: dict[str, object] = {"name": f"s{index}", "type": "transform", "config": {"output": index}}
        candidates = list(range(index))
        if candidates and index not in handlers:
            parents = draw(st.lists(st.sampled_from(candidates), unique=True, max_size=3))
            step["depends_on"] = [f"s{parent}" for parent in parents]
        kind = draw(st.sampled_from(on_failure))
        if kind == "handler" and index + 1 < size and index not in handlers:
            handler = draw(st.integers(index + 1, size - 1))
            handlers.add(handler)
            step["on_failure"] = f"s{handler}"
        else:
            step["on_failure"] = "fail" if kind == "handler" else kind
        steps.append(step)
    return parse_definition({"name": "random", "steps": steps})


outcomes = st.dictionaries(st.integers(0, 11), st.sampled_from(["succeed", "fail", "skip"]))


@dataclass
class Run:
    """An execution carried out on the pure plan alone, in an order that a seed chooses."""

    spec: Spec
    outcomes: dict[int, str]
    random: random.Random
    local: bool = False
    situation: Situation = field(init=False)
    ready: list[int] = field(init=False)
    begun: list[int] = field(default_factory=list)
    ending: str | None = None

    def __post_init__(self) -> None:
        self.situation = initial(self.spec)
        self.ready = list(roots(self.spec))
        self.tell()

    def tell(self, *facts: Fact) -> Plan:
        planned = self._plan(facts)
        self.situation = after(self.situation, planned)
        self.ready += planned.ready
        self.ending = planned.ending
        return planned

    def _plan(self, facts: tuple[Fact, ...]) -> Plan:
        if not self.local:
            return plan(self.spec, self.situation, facts)
        indexes = {fact.index for fact in facts if not isinstance(fact, Headed)}
        known = {i for index in indexes for i in reach(self.spec, index, 1)}
        while True:
            steps = {i: self.situation.steps[i] for i in known}
            here = Situation(self.situation.status, self.situation.intent, self.situation.counters, steps)
            try:
                return plan(self.spec, here, facts)
            except NeedsSteps as needs:
                known |= needs.indexes

    def carry_out(self) -> None:
        """To the end: at each turn any ready step begins, or any running one ends."""
        running: list[int] = []
        while self.ending is None:
            startable = self.ready if self.situation.intent is Intent.RUN else []
            choices = [("begin", i) for i in startable] + [("end", i) for i in running]
            what, index = self.random.choice(choices)
            outcome = self.outcomes.get(index, "succeed")
            if what == "end":
                running.remove(index)
                self.tell(Ended(index, outcome))  # type: ignore[arg-type]
            else:
                self.ready.remove(index)
                if outcome == "skip":
                    self.tell(Ended(index, "skip"))
                    continue
                self.begun.append(index)
                running.append(index)
                self.tell(Began(index))

    @property
    def statuses(self) -> dict[int, StepStatus]:
        return {index: state.status for index, state in self.situation.steps.items()}


def carried_out(spec: Spec, results: dict[int, str], seed: int, *, local: bool = False) -> Run:
    run = Run(spec, results, random.Random(seed), local)
    run.carry_out()
    return run


@given(specs(on_failure=("continue", "handler")), outcomes, st.integers(), st.integers())
def test_confluence_any_order_of_outcomes_comes_to_the_same_end(
    spec: Spec, results: dict[int, str], first: int, second: int
) -> None:
    spec_failures = {index for index, step in enumerate(spec.steps) if step.on_failure is OnFailure.FAIL}
    results = {index: word for index, word in results.items() if not (word == "fail" and index in spec_failures)}
    one, other = carried_out(spec, results, first), carried_out(spec, results, second)
    assert one.statuses == other.statuses
    assert one.ending == other.ending == "succeed"


@given(specs(), outcomes, st.integers(), st.integers())
def test_confluence_an_execution_that_fails_fails_in_any_order(
    spec: Spec, results: dict[int, str], first: int, second: int
) -> None:
    assert carried_out(spec, results, first).ending == carried_out(spec, results, second).ending


@given(specs(), outcomes, st.integers())
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


@given(specs(), outcomes, st.integers())
def test_liveness_every_execution_comes_to_an_end(spec: Spec, results: dict[int, str], seed: int) -> None:
    run = carried_out(spec, results, seed)
    assert run.ending in {"succeed", "fail"}
    if run.ending == "succeed":
        assert all(status in STEP_TERMINAL for status in run.statuses.values())


@given(specs(), outcomes, st.integers())
def test_the_counters_equal_a_recount(spec: Spec, results: dict[int, str], seed: int) -> None:
    run = Run(spec, results, random.Random(seed))
    tell = run.tell

    def counting(*facts: Fact) -> Plan:
        planned = tell(*facts)
        counted = survey(spec, run.statuses)
        assert run.situation.counters == counted.counters
        assert dict(run.situation.steps) == dict(counted.steps)
        return planned

    run.tell = counting  # type: ignore[method-assign]
    run.carry_out()


@given(specs(), outcomes, st.integers())
def test_the_steps_found_ready_are_those_that_the_full_plan_finds(
    spec: Spec, results: dict[int, str], seed: int
) -> None:
    run = Run(spec, results, random.Random(seed))
    tell = run.tell

    def comparing(*facts: Fact) -> Plan:
        planned = tell(*facts)
        assert set(run.ready) == survey(spec, run.statuses).ready
        return planned

    run.tell = comparing  # type: ignore[method-assign]
    run.carry_out()


@given(specs(), outcomes, st.integers())
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
