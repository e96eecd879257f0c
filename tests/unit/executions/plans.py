"""Executions carried out on the pure plan alone: random graphs, what comes of their steps, and in which order."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from executions.neighbourhood import reach
from executions.plan import (
    Began,
    Ended,
    Fact,
    Headed,
    LostTrack,
    NeedsSteps,
    Opened,
    Plan,
    Retrying,
    Situation,
    StepState,
    Waits,
    after,
    initial,
    latched,
    plan,
    roots,
)
from executions.states import STEP_TERMINAL, Intent, StepStatus
from executions.survey import Survey, survey
from workflows.definition import parse_definition
from workflows.spec import COMPENSATIONS, PARTS, Spec


@st.composite
def specs(
    draw: st.DrawFn,
    on_failure: tuple[str, ...] = ("fail", "continue", "handler"),
    rest: tuple[str, ...] = (),
) -> Spec:
    """A random acyclic graph of up to twelve steps, some with handlers; some join a few parents if `rest` is given."""
    size = draw(st.integers(1, 12))
    steps = []
    handlers: set[int] = set()
    for index in range(size):
        step: dict[str, Any] = {"name": f"s{index}", "type": "transform", "config": {"output": index}}
        candidates = list(range(index))
        if candidates and index not in handlers:
            parents = draw(st.lists(st.sampled_from(candidates), unique=True, max_size=3))
            step["depends_on"] = [f"s{parent}" for parent in parents]
            if rest and len(parents) > 1 and draw(st.booleans()):
                step["join"] = {"n": draw(st.integers(1, len(parents))), "rest": draw(st.sampled_from(rest))}
        kind = draw(st.sampled_from(on_failure))
        if kind == "handler" and index + 1 < size and index not in handlers:
            handler = draw(st.integers(index + 1, size - 1))
            handlers.add(handler)
            step["on_failure"] = f"s{handler}"
        else:
            step["on_failure"] = "fail" if kind == "handler" else kind
        steps.append(step)
    return parse_definition({"name": "random", "steps": steps})


AT_ONCE = {"skip", "complete", "cancel"}
"""What ends a step that has not begun."""
WORDS = ["succeed", "fail", "stop", "wait", "unknown", "again", "drop", *sorted(AT_ONCE)]

outcomes = st.dictionaries(st.integers(0, 11), st.sampled_from(["succeed", "fail", "skip"]))
anything = st.dictionaries(st.integers(0, 11), st.sampled_from(WORDS))


def facts(index: int, word: str) -> list[Fact]:
    """What is told, one after another, of a step that began and comes to this."""
    match word:
        case "fail":
            return [Ended(index, "fail")]
        case "stop":
            return [Ended(index, "cancel")]
        case "wait":
            return [Waits(index), Ended(index, "succeed")]
        case "unknown":
            return [LostTrack(index), Ended(index, "complete")]
        case _:
            return [Ended(index, "succeed")]


@dataclass
class Run:
    """An execution carried out in an order that a seed chooses; `outcomes` by step, or by a part's number."""

    spec: Spec
    outcomes: Mapping[int, str]
    random: random.Random
    local: bool = False
    situation: Situation = field(init=False)
    ready: list[int] = field(init=False)
    open: dict[int, list[Fact]] = field(default_factory=dict)
    superfluous: list[int] = field(default_factory=list)
    unopened: list[int] = field(default_factory=list)
    tried: set[int] = field(default_factory=set)
    begun: list[int] = field(default_factory=list)
    ending: str | None = None

    def __post_init__(self) -> None:
        self.situation = initial(self.spec)
        self.ready = list(roots(self.spec))
        self.tell()

    @property
    def statuses(self) -> dict[int, StepStatus]:
        return {index: state.status for index, state in self.situation.steps.items()}

    def counted(self) -> Survey:
        """Everything recounted from the statuses, and from what has been opened."""
        steps = self.situation.steps
        opened = {i for i, state in steps.items() if state.parents_live and latched(self.spec.step(i))}
        return survey(self.spec, self.statuses, opened)

    def tell(self, *told: Fact) -> Plan:
        planned = self._plan(told)
        self.situation = after(self.situation, planned)
        self.ready += planned.ready
        self.superfluous += planned.superfluous
        self.ending = planned.ending
        return planned

    def make(self, rows: Mapping[int, StepState]) -> None:
        """Rows for parts or compensations."""
        self.situation = replace(self.situation, steps={**self.situation.steps, **rows})

    def carry_out(self) -> None:
        """To the end: at each turn any ready step begins, or something becomes of one that is open."""
        while self.ending is None:
            if self.superfluous:
                self._cancel(self.superfluous.pop(0))
                continue
            new = self.situation.intent is Intent.RUN
            choices = [(self._begin, i) for i in self.ready if new] + [(self._go_on, i) for i in self.open]
            choices += [(self._open, i) for i in self.unopened if new]
            what, index = self.random.choice(choices)
            what(index)

    def undo(self) -> None:
        """Carry out every compensation of what succeeded, one after another."""
        done = [i for i, status in self.statuses.items() if i < PARTS and status is StepStatus.SUCCEEDED]
        for index in (i + COMPENSATIONS for i in done if self.spec.step(i).compensation is not None):
            self.make({index: StepState(StepStatus.PENDING, 1)})
            self.tell(Opened(index))
            assert self.ending is None, "it ends when what took effect is undone"
            self.ready.remove(index)
            self.tell(Began(index))
            for fact in facts(index, self._word(index)):
                self.tell(fact)

    def _word(self, index: int) -> str:
        return self.outcomes.get(index % PARTS, "succeed")

    def _begin(self, index: int) -> None:
        self.ready.remove(index)
        word = self._word(index)
        if word in AT_ONCE and index not in self.tried:
            self._end(Ended(index, word))  # type: ignore[arg-type]
            return
        if word == "drop" and index in self.tried:
            self._end(Ended(index, "skip"))
            return
        self.begun.append(index)
        self.tell(Began(index))
        if self.spec.step(index).body:
            self._make_parts(index)
        elif word in {"again", "drop"} and index not in self.tried:
            self.tried.add(index)
            self.ready.append(index)
            self.tell(Retrying(index))
        else:
            self.open[index] = facts(index, word)

    def _go_on(self, index: int) -> None:
        fact = self.open[index].pop(0)
        if self.open[index]:
            self.tell(fact)
        else:
            del self.open[index]
            self._end(fact)

    def _end(self, fact: Fact) -> None:
        for owner in self.tell(fact).parted:
            state = self.situation.steps[owner]
            if state.parts_left == 0 and state.status is StepStatus.WAITING:
                self.tell(Ended(owner, "fail" if state.parts_failed else "succeed"))

    def _cancel(self, index: int) -> None:
        if self.statuses[index] not in STEP_TERMINAL | {StepStatus.OUTCOME_UNKNOWN}:
            self.open.pop(index, None)
            self.ready = [i for i in self.ready if i != index]
            self.tell(Ended(index, "cancel"))

    def _make_parts(self, owner: int) -> None:
        step = self.spec.step(owner)
        count = len(step.body) if len(step.body) > 1 else 4
        parts = [self.spec.step(self.spec.part(owner, number)) for number in range(count)]
        self.tell(Waits(owner))
        rows = {p.index: StepState(StepStatus.PENDING, len(p.parents) + len(p.handles) + latched(p)) for p in parts}
        self.make({**rows, owner: self.situation.steps[owner]._replace(parts_left=count)})
        self.unopened += [part.index for part in parts if latched(part)]

    def _open(self, index: int) -> None:
        self.unopened.remove(index)
        self.tell(Opened(index))

    def _plan(self, told: tuple[Fact, ...]) -> Plan:
        if not self.local:
            return plan(self.spec, self.situation, told)
        indexes = {fact.index for fact in told if not isinstance(fact, Headed)}
        known = {i for index in indexes for i in reach(self.spec, index, 1)}
        while True:
            steps = {i: self.situation.steps[i] for i in known}
            try:
                return plan(self.spec, replace(self.situation, steps=steps), told)
            except NeedsSteps as needs:
                known |= needs.indexes


def carried_out(spec: Spec, results: Mapping[int, str], seed: int, *, local: bool = False) -> Run:
    """A whole run, undone where it did not succeed."""
    run = Run(spec, results, random.Random(seed), local)
    run.carry_out()
    if run.ending != "succeed":
        run.undo()
    return run
