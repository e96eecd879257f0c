"""What follows from what is recorded: facts in, decisions out. No clock, no database, no evaluation.

`plan` looks only at the neighbourhood of what changed, so its cost does not grow with the
execution; survey.py recounts everything from the steps' statuses alone. Tests hold them equal.

Tokens: each parent, when it ends, gives every child one token. The token is live if the
child may still run because of it, dead otherwise. A step whose parents have all ended
becomes ready if one token at least was live (or if it has no parents), else it is skipped;
one that joins n parents becomes ready with the n-th live token, and is skipped once too few
can come. What begins only when it is opened (the items of a map, the first steps of a
loop's round, a compensation) waits for one token more, which opening it gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from executions.states import STEP_TERMINAL, TERMINAL, Intent, Status, StepStatus, step_target, target
from workflows.spec import COMPENSATIONS, PARTS, OnFailure, Spec, StepSpec

Ending: TypeAlias = Literal["succeed", "fail", "cancel"]
StepEnding: TypeAlias = Literal["succeed", "complete", "fail", "skip", "cancel"]

_UNDECIDED = frozenset({Intent.RUN, Intent.PAUSE})
"""What an execution heads for while it may still succeed."""


class StepState(NamedTuple):
    """What the engine knows of one step. `parents_live` counts the live tokens among those that came.

    Of a step that has parts: how many of those made have not ended, how many of them were opened, how many failed
    without anybody else to mind it.
    """

    status: StepStatus
    parents_left: int
    parents_live: int = 0
    parts_left: int = 0
    parts_open: int = 0
    parts_failed: int = 0


class Counters(NamedTuple):
    """Steps of the definition not ended; and of these, parts and compensations: running, ready or retrying, waiting."""

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
    compensating: bool = False


@dataclass(frozen=True, slots=True)
class Began:
    """A worker claimed an attempt at the step."""

    index: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The step came to its end by `move`."""

    index: int
    move: StepEnding


@dataclass(frozen=True, slots=True)
class Opened:
    """What begins only when it is opened, a part or a compensation, may begin."""

    index: int


@dataclass(frozen=True, slots=True)
class Waits:
    """The attempt holds no worker any more: something else will end it."""

    index: int


@dataclass(frozen=True, slots=True)
class Retrying:
    """The attempt failed, another one follows."""

    index: int


@dataclass(frozen=True, slots=True)
class LostTrack:
    """Nobody knows whether an effect that must not be repeated came about."""

    index: int


@dataclass(frozen=True, slots=True)
class Headed:
    """The execution is to end: commanded (cancel), or because it cannot succeed any more (fail)."""

    intent: Intent


Fact: TypeAlias = Began | Ended | Opened | Waits | Retrying | LostTrack | Headed


@dataclass(frozen=True, slots=True)
class StepMove:
    index: int
    move: str


class Plan(NamedTuple):
    """Where the execution stands afterwards; the steps that changed; their moves in order; the steps that became ready.

    `moves` are the execution's moves that need nothing more (start, wait, wake). `ending` is left to the
    caller to apply: the output of an execution that succeeds has to be computed first and may fail it, and before
    any other end compensations may have to run. `parted`: the steps of which a part ended. `superfluous`: the parents
    that a join goes on without and wants cancelled. `failed_by`: the step whose failure made the execution head for its
    own.
    """

    status: Status
    intent: Intent
    counters: Counters
    steps: Mapping[int, StepState]
    step_moves: tuple[StepMove, ...]
    ready: tuple[int, ...]
    moves: tuple[str, ...]
    ending: Ending | None
    compensating: bool = False
    parted: tuple[int, ...] = ()
    superfluous: tuple[int, ...] = ()
    failed_by: int | None = None


def after(situation: Situation, planned: Plan) -> Situation:
    """The whole situation once a plan is applied to it."""
    steps = {**situation.steps, **planned.steps}
    return Situation(planned.status, planned.intent, planned.counters, steps, planned.compensating)


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
        Counters(draft.left, draft.running, draft.startable, draft.waiting),
        draft.changed,
        tuple(draft.step_moves),
        tuple(sorted(draft.ready)),
        tuple(draft.moves),
        draft.ending,
        draft.compensating,
        tuple(dict.fromkeys(draft.parted)),
        tuple(dict.fromkeys(draft.superfluous)),
        draft.failed_by,
    )


@dataclass(slots=True)
class _Draft:
    """The situation while facts are worked in; owned by one call of plan. `startable` is what Counters call ready."""

    spec: Spec
    before: Situation
    status: Status = field(init=False)
    intent: Intent = field(init=False)
    left: int = field(init=False)
    running: int = field(init=False)
    startable: int = field(init=False)
    waiting: int = field(init=False)
    compensating: bool = field(init=False)
    changed: dict[int, StepState] = field(default_factory=dict)
    step_moves: list[StepMove] = field(default_factory=list)
    ready: list[int] = field(default_factory=list)
    moves: list[str] = field(default_factory=list)
    ending: Ending | None = None
    parted: list[int] = field(default_factory=list)
    superfluous: list[int] = field(default_factory=list)
    failed_by: int | None = None

    def __post_init__(self) -> None:
        self.status, self.intent = self.before.status, self.before.intent
        self.left, self.running, self.startable, self.waiting = self.before.counters
        self.compensating = self.before.compensating

    def take(self, fact: Fact) -> None:
        match fact:
            case Began(index):
                self.startable -= 1
                self.running += 1
                self._move_step(index, "begin")
            case Ended(index, move):
                self._end(index, move)
            case Waits(index):
                self.running -= 1
                self.waiting += 1
                self._move_step(index, "wait")
            case Retrying(index):
                self._leave(index)
                self.startable += 1
                self._move_step(index, "retry")
            case LostTrack(index):
                self.running -= 1
                self.waiting += 1
                self._move_step(index, "lose_track")
            case Opened(index):
                self._open(index)
            case Headed(intent):
                if self.intent in _UNDECIDED:
                    self.intent = intent

    def conclude(self) -> None:
        if self.status in TERMINAL:
            return
        if self.status is Status.QUEUED and (self.intent is not Intent.PAUSE or self.left == 0):
            self._move("start")
        if self.intent in _UNDECIDED:
            self.ending = "succeed" if self.left == 0 else None
        elif self.running == 0 and not self.compensating:
            self.ending = "cancel" if self.intent is Intent.CANCEL else "fail"
        busy = self.running or self.startable
        if self.status is Status.WAITING and (busy or self.ending == "succeed"):
            self._move("wake")
        elif self.status is Status.RUNNING and self.ending is None and not busy:
            self._move("wait")

    def _end(self, index: int, move: StepEnding) -> None:
        self._leave(index)
        self._move_step(index, move)
        pending = [index]
        while pending:
            ended = pending.pop()
            self._account(ended)
            pending.extend(self._hand_on(ended))

    def _leave(self, index: int) -> None:
        """Take the step out of the counter that it stands in."""
        state = self._state(index)
        match state.status:
            case StepStatus.RUNNING:
                self.running -= 1
            case StepStatus.WAITING | StepStatus.OUTCOME_UNKNOWN:
                self.waiting -= 1
            case StepStatus.RETRYING:
                self.startable -= 1
            case StepStatus.PENDING if is_ready(self.spec.written(index), state):
                self.startable -= 1

    def _open(self, index: int) -> None:
        owner = self.spec.written(index).owner
        assert owner is not None, "what is opened belongs to a step"
        if index >= COMPENSATIONS:
            self.compensating = True
        else:
            state = self._state(owner)
            self.changed[owner] = state._replace(parts_open=state.parts_open + 1)
        self._give(index, live=True)

    def _account(self, index: int) -> None:
        """What the end of a step means to what it belongs to: the execution, or the step that it is a part of."""
        if index < PARTS:
            self.left -= 1
        elif index >= COMPENSATIONS:
            self.compensating = False
        else:
            step = self.spec.written(index)
            assert step.owner is not None, "a part belongs to a step"
            state, owner = self._state(index), self._state(step.owner)
            failed = state.status is StepStatus.FAILED and step.on_failure is OnFailure.FAIL
            self.changed[step.owner] = owner._replace(
                parts_left=owner.parts_left - 1,
                parts_open=owner.parts_open - (latched(step) and state.parents_left == 0),
                parts_failed=owner.parts_failed + failed,
            )
            self.parted.append(step.owner)

    def _hand_on(self, index: int) -> list[int]:
        """Give the ended step's tokens to its children; the children that this skips."""
        step, status = self.spec.step(index), self._state(index).status
        if index < PARTS and status is StepStatus.FAILED and step.on_failure is OnFailure.FAIL:
            if self.intent in _UNDECIDED:
                self.failed_by = index
            self.take(Headed(Intent.FAIL))
        live = continues(step.on_failure, status)
        skipped = [child for child in step.children if self._give(child, live=live)]
        if step.handler is not None and self._give(step.handler, live=status is StepStatus.FAILED):
            skipped.append(step.handler)
        return skipped

    def _give(self, index: int, *, live: bool) -> bool:
        """One token for a step; True if it is thereby skipped."""
        step, before = self.spec.written(index), self._state(index)
        state = before._replace(parents_left=before.parents_left - 1, parents_live=before.parents_live + live)
        self.changed[index] = state
        if state.status is not StepStatus.PENDING or is_ready(step, before):
            return False
        if is_ready(step, state):
            self.ready.append(index)
            self.startable += 1
            if step.cancels_rest:
                parents = self.spec.step(index).parents
                self.superfluous += [p for p in parents if self._state(p).status not in STEP_TERMINAL]
            return False
        if not _is_hopeless(step, state):
            return False
        self._move_step(index, "skip")
        return True

    def _state(self, index: int) -> StepState:
        if index in self.changed:
            return self.changed[index]
        try:
            return self.before.steps[index]
        except KeyError:
            raise NeedsSteps(frozenset({index})) from None

    def _move_step(self, index: int, move: str) -> None:
        state = self._state(index)
        self.changed[index] = state._replace(status=step_target(move, state.status))
        self.step_moves.append(StepMove(index, move))

    def _move(self, move: str) -> None:
        self.status = target(move, self.status)
        self.moves.append(move)


def is_ready(step: StepSpec, state: StepState) -> bool:
    """Whether a step that is pending may begin."""
    if step.join is not None and step.parents:
        return state.parents_live >= step.join
    rooted = not step.parents and not step.handles
    return state.parents_left == 0 and (state.parents_live > 0 or rooted)


def _is_hopeless(step: StepSpec, state: StepState) -> bool:
    """Whether a step that is pending, and not ready, can never become so."""
    if step.join is not None and step.parents:
        return state.parents_live + state.parents_left < step.join
    return state.parents_left == 0


def latched(step: StepSpec) -> bool:
    """Whether a step begins only when it is opened."""
    return step.owner is not None and not step.parents and not step.handles


def continues(on_failure: OnFailure, status: StepStatus) -> bool:
    """Whether a step that ended so lets its ordinary children run."""
    return status is StepStatus.SUCCEEDED or (status is StepStatus.FAILED and on_failure is OnFailure.CONTINUE)
