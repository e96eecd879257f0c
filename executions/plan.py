"""What follows from what is recorded: facts in, decisions out. No clock, no database, no evaluation.

`plan` looks only at the neighbourhood of what changed, so its cost does not grow with the
execution; `survey` recounts everything from the steps' statuses alone. Tests hold them equal.

Tokens: each parent, when it ends, gives every child one token. The token is live if the
child may still run because of it, dead otherwise. A step whose parents have all ended
becomes ready if one token at least was live (or if it has no parents), else it is skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from executions.states import STEP_TERMINAL, TERMINAL, Intent, Status, StepStatus, step_target, target
from workflows.spec import Effect, OnFailure, Spec

Ending: TypeAlias = Literal["succeed", "fail", "cancel"]


@dataclass(frozen=True, slots=True)
class StepState:
    """What the engine knows of one step. `parents_live` counts the live tokens among those that came."""

    status: StepStatus
    parents_left: int
    parents_live: int = 0


@dataclass(frozen=True, slots=True)
class Counters:
    """Steps not ended; attempts running; steps ready or waiting for a retry; steps waiting for the world."""

    left: int
    running: int = 0
    ready: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Situation:
    """One execution as far as a decision needs it. `steps` may hold only a neighbourhood."""

    status: Status
    intent: Intent
    counters: Counters
    steps: Mapping[int, StepState]


@dataclass(frozen=True, slots=True)
class Began:
    """A worker claimed an attempt at the step."""

    index: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The step came to `move`: succeed, fail or skip (its condition was false)."""

    index: int
    move: Literal["succeed", "fail", "skip"]


@dataclass(frozen=True, slots=True)
class Retrying:
    """The attempt failed, another one follows."""

    index: int


@dataclass(frozen=True, slots=True)
class LostTrack:
    """The worker died in an effect that must not be repeated."""

    index: int


@dataclass(frozen=True, slots=True)
class Headed:
    """The execution is to end: commanded (cancel), or because it cannot succeed any more (fail)."""

    intent: Intent


Fact: TypeAlias = Began | Ended | Retrying | LostTrack | Headed


@dataclass(frozen=True, slots=True)
class StepMove:
    index: int
    move: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the execution stands afterwards; the steps that changed; their moves in order; the steps that became ready.

    `moves` are the execution's moves that need nothing more (start, wait, wake). `ending` is left to the
    caller to apply, for the output of an execution that succeeds has to be computed first and may fail it.
    """

    status: Status
    intent: Intent
    counters: Counters
    steps: Mapping[int, StepState]
    step_moves: tuple[StepMove, ...]
    ready: tuple[int, ...]
    moves: tuple[str, ...]
    ending: Ending | None


def after(situation: Situation, planned: Plan) -> Situation:
    """The whole situation once a plan is applied to it."""
    return Situation(planned.status, planned.intent, planned.counters, {**situation.steps, **planned.steps})


class NeedsSteps(Exception):
    """The neighbourhood is too small: these steps have to be loaded, then plan again."""

    def __init__(self, indexes: frozenset[int]) -> None:
        super().__init__(f"steps {sorted(indexes)} are not loaded")
        self.indexes = indexes


def initial(spec: Spec, status: Status = Status.QUEUED) -> Situation:
    """An execution of which nothing has run yet."""
    steps = {step.index: StepState(StepStatus.PENDING, len(step.parents) + len(step.handles)) for step in spec.steps}
    roots = sum(1 for state in steps.values() if state.parents_left == 0)
    return Situation(status, Intent.RUN, Counters(left=len(steps), ready=roots), steps)


def roots(spec: Spec) -> tuple[int, ...]:
    """The steps that are ready when nothing has run yet, in definition order."""
    return tuple(step.index for step in spec.steps if step.is_root)


def plan(spec: Spec, situation: Situation, facts: Iterable[Fact]) -> Plan:
    """What follows from `facts`. Raises NeedsSteps when a step it has to look at is not in the situation."""
    draft = _Draft(spec, situation)
    for fact in facts:
        draft.take(fact)
    draft.conclude()
    return Plan(
        draft.status,
        draft.intent,
        draft.counters,
        draft.changed,
        tuple(draft.step_moves),
        tuple(sorted(draft.ready)),
        tuple(draft.moves),
        draft.ending,
    )


@dataclass(slots=True)
class _Draft:
    """The situation while facts are worked in; owned by one call of plan."""

    spec: Spec
    before: Situation
    status: Status = field(init=False)
    intent: Intent = field(init=False)
    counters: Counters = field(init=False)
    changed: dict[int, StepState] = field(default_factory=dict)
    step_moves: list[StepMove] = field(default_factory=list)
    ready: list[int] = field(default_factory=list)
    moves: list[str] = field(default_factory=list)
    ending: Ending | None = None

    def __post_init__(self) -> None:
        self.status, self.intent = self.before.status, self.before.intent
        self.counters = self.before.counters

    def take(self, fact: Fact) -> None:
        match fact:
            case Began(index):
                self._count(ready=-1, running=+1)
                self._move_step(index, "begin")
            case Retrying(index):
                self._count(running=-1, ready=+1)
                self._move_step(index, "retry")
            case LostTrack(index):
                self._count(running=-1, waiting=+1)
                self._move_step(index, "lose_track")
            case Ended(index, move):
                self._end(index, move)
            case Headed(intent):
                if self.intent is Intent.RUN:
                    self.intent = intent

    def conclude(self) -> None:
        if self.status in TERMINAL:
            return
        if self.status is Status.QUEUED:
            self._move("start")
        counters = self.counters
        if self.intent is Intent.RUN:
            self.ending = "succeed" if counters.left == 0 else None
        elif counters.running == 0:
            self.ending = "cancel" if self.intent is Intent.CANCEL else "fail"
        if self.status is Status.WAITING and (counters.running or counters.ready or self.ending == "succeed"):
            self._move("wake")
        elif self.status is Status.RUNNING and self.ending is None and not counters.running and not counters.ready:
            self._move("wait")

    def _end(self, index: int, move: Literal["succeed", "fail", "skip"]) -> None:
        began = self._state(index).status is StepStatus.RUNNING
        self._count(left=-1, running=-1 if began else 0, ready=0 if began else -1)
        self._move_step(index, move)
        pending = [index]
        while pending:
            ended = pending.pop()
            pending.extend(self._hand_on(ended))

    def _hand_on(self, index: int) -> list[int]:
        """Give the ended step's tokens to its children; the children that this skips."""
        step, status = self.spec.steps[index], self._state(index).status
        if status is StepStatus.FAILED and step.on_failure is OnFailure.FAIL:
            self.take(Headed(Intent.FAIL))
        skipped = [child for child in step.children if self._give(child, live=continues(step.on_failure, status))]
        if step.handler is not None and self._give(step.handler, live=status is StepStatus.FAILED):
            skipped.append(step.handler)
        return skipped

    def _give(self, index: int, *, live: bool) -> bool:
        """One token for a step; True if it is thereby skipped."""
        state = self._state(index)
        state = replace(state, parents_left=state.parents_left - 1, parents_live=state.parents_live + live)
        self.changed[index] = state
        if state.parents_left:
            return False
        if state.parents_live:
            self.ready.append(index)
            self._count(ready=+1)
            return False
        self._count(left=-1)
        self._move_step(index, "skip")
        return True

    def _state(self, index: int) -> StepState:
        state = self.changed.get(index) or self.before.steps.get(index)
        if state is None:
            raise NeedsSteps(frozenset({index}))
        return state

    def _move_step(self, index: int, move: str) -> None:
        state = self._state(index)
        self.changed[index] = replace(state, status=step_target(move, state.status))
        self.step_moves.append(StepMove(index, move))

    def _move(self, move: str) -> None:
        self.status = target(move, self.status)
        self.moves.append(move)

    def _count(self, *, left: int = 0, running: int = 0, ready: int = 0, waiting: int = 0) -> None:
        now = self.counters
        self.counters = Counters(now.left + left, now.running + running, now.ready + ready, now.waiting + waiting)


def continues(on_failure: OnFailure, status: StepStatus) -> bool:
    """Whether a step that ended so lets its ordinary children run."""
    return status is StepStatus.SUCCEEDED or (status is StepStatus.FAILED and on_failure is OnFailure.CONTINUE)


@dataclass(frozen=True, slots=True)
class Survey:
    """Everything recounted: the counters, each step's tokens, the steps that are ready or due a retry."""

    counters: Counters
    steps: Mapping[int, StepState]
    ready: frozenset[int]


def survey(spec: Spec, statuses: Mapping[int, StepStatus]) -> Survey:
    """The full plan, from the statuses of all steps alone. Cost grows with the execution: for tests and redrives."""
    steps = {step.index: _recount(spec, statuses, step.index) for step in spec.steps}
    ready = frozenset(
        index
        for index, state in steps.items()
        if state.status is StepStatus.RETRYING or (state.status is StepStatus.PENDING and state.parents_left == 0)
    )
    standing = [state.status for state in steps.values()]
    counters = Counters(
        left=sum(status not in STEP_TERMINAL for status in standing),
        running=standing.count(StepStatus.RUNNING),
        ready=len(ready),
        waiting=standing.count(StepStatus.WAITING) + standing.count(StepStatus.OUTCOME_UNKNOWN),
    )
    return Survey(counters, steps, ready)


def _recount(spec: Spec, statuses: Mapping[int, StepStatus], index: int) -> StepState:
    step = spec.steps[index]
    tokens = [continues(spec.steps[p].on_failure, statuses[p]) for p in step.parents if statuses[p] in STEP_TERMINAL]
    tokens += [statuses[h] is StepStatus.FAILED for h in step.handles if statuses[h] in STEP_TERMINAL]
    edges = len(step.parents) + len(step.handles)
    return StepState(statuses[index], edges - len(tokens), sum(tokens))


def reach(spec: Spec, index: int, limit: int) -> frozenset[int]:
    """The steps that an end of `index` can touch with no outcome from outside: breadth first, about `limit` at most."""
    seen: dict[int, None] = {index: None}
    pending = [index]
    while pending and len(seen) < limit:
        step = spec.steps[pending.pop(0)]
        for child in (*step.children, *(() if step.handler is None else (step.handler,))):
            if child not in seen:
                seen[child] = None
                if spec.steps[child].effect is Effect.PURE:
                    pending.append(child)
    return frozenset(seen)
