"""One look at one execution under its lock: what came in, what follows, what is evaluated now, what is claimed.

Decides and evaluates; carrying a claim out, and everything about transactions, is engine.py.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice

from contract import json_values
from executions.change import Change
from executions.plan import Began, Ended, is_ready
from executions.retry import Failure
from executions.states import DEADLINE, IN_LINE, Intent, Status, StepStatus
from orchestrator import agents, arriving, attempts, cancelling, composites, endings, waits
from orchestrator.look import Look
from orchestrator.outcomes import Claim, Failed, Outcome, encode
from workflows.expressions import Scope
from workflows.failures import StepFailed
from workflows.spec import (
    COMPENSATIONS,
    PARTS,
    EffectfulProgram,
    LoopProgram,
    MapProgram,
    PureProgram,
    StepSpec,
    TaskProgram,
    WaitProgram,
)

AT_ONCE = 200
"""Steps without an action that are seen to under one lock; what is left is due at once, for the next advance."""
AT_ONCE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Decided:
    """What to write, what this process then has to carry out, and whether anyone else could act at once."""

    change: Change
    claim: Claim | None
    more_due: bool


@dataclass(slots=True)
class Advance:
    """Owned by one look at one execution."""

    look: Look
    _seen_to: int = 0
    _prefetched: set[int] = field(default_factory=set)
    _began: float = field(default_factory=time.monotonic)

    def decide(self, outcome: Outcome | None, *, may_claim: bool) -> Decided:
        """Work in the outcome and everything that is due; claim one effectful step if `may_claim`."""
        look = self.look
        if self._is_in_line():
            return Decided(self._stay_in_line(), None, more_due=False)
        self._set_deadline()
        if outcome is None:
            look.settle()
        else:
            arriving.take_in_outcome(look, outcome)
        arriving.take_in_arrivals(look)
        self._check_deadline()
        self._take_due()
        self._work_off(may_claim)
        endings.make_output(look)
        self._end_early(may_claim)
        change = endings.conclude(look)
        due_at = change.standing.due_at
        others = bool(change.notices) or change.frees is not None
        return Decided(change, look.claim, others or (due_at is not None and due_at <= look.draft.now))

    def _is_in_line(self) -> bool:
        row, concurrency = self.look.loaded.row, self.look.spec.concurrency
        if concurrency is None or row.concurrency_key is None or row.standing.status is not Status.QUEUED:
            return False
        cancelled = any(arrival.kind == "cancel" for arrival in self.look.loaded.arrivals)
        if cancelled or row.standing.intent is not Intent.RUN:
            return False
        return not self.look.session.admitted(row, concurrency.limit)

    def _stay_in_line(self) -> Change:
        draft = self.look.draft
        draft.blocked = True
        draft.standing = draft.standing._replace(status_reason=IN_LINE)
        return draft.change()

    def _set_deadline(self) -> None:
        draft, asked = self.look.draft, self.look.loaded.row.asked
        limits = [seconds for seconds in (self.look.spec.timeout_seconds, asked.timeout_seconds) if seconds is not None]
        seconds = min(limits, default=None)
        standing = draft.standing
        if standing.status is Status.QUEUED and standing.intent is Intent.RUN and seconds is not None:
            draft.standing = standing._replace(deadline_at=draft.now + timedelta(seconds=seconds))

    def _check_deadline(self) -> None:
        deadline = self.look.draft.standing.deadline_at
        if deadline is not None and deadline <= self.look.draft.now and not self.look.draft.ending_early:
            arriving.head(self.look, Intent.FAIL, DEADLINE)

    def _take_due(self) -> None:
        look, loaded = self.look, self.look.loaded
        known = loaded.due[:-1] if loaded.due_is_cut else loaded.due
        due = [row.index for row in known if row.due_at <= loaded.now]
        if not loaded.row.standing.steps_made:
            due = [step.index for step in look.spec.steps if step.is_root]
        look.ready.extendleft(reversed([index for index in due if index not in look.ready]))

    def _work_off(self, may_claim: bool) -> None:
        look = self.look
        while look.ready or look.parted or look.superfluous:
            if look.superfluous:
                cancelling.cancel(look, look.superfluous.popleft(), "enough other steps ended")
            elif look.ready:
                self._see_to(look.ready.popleft(), may_claim)
            else:
                owners = list(dict.fromkeys(look.parted))
                look.parted.clear()
                for owner in owners:
                    composites.go_on(look, owner)

    def _end_early(self, may_claim: bool) -> None:
        """Of an execution that will not succeed: let go what is open, then undo what took effect, one by one."""
        look = self.look
        while look.draft.ending_early:
            endings.let_go(look)
            self._work_off(may_claim)
            ended = look.draft.ending in {"cancel", "fail"}
            if not ended or not endings.compensate_next(look):
                return
            self._work_off(may_claim)

    def _see_to(self, index: int, may_claim: bool) -> None:
        """Take the step up now or, if that has to wait, have it stand as due."""
        look = self.look
        if look.claim is not None and index in look.draft.due and self._acts(index):
            return
        may_begin = look.draft.may_begin(index)
        if may_begin and self._may_take_up(look.spec.written(index), may_claim):
            self._prefetch(index)
            step, state = look.spec.step(index), look.row(index).state
            ready = state.status is StepStatus.PENDING and is_ready(step, state)
            if ready or state.status in {StepStatus.RETRYING, StepStatus.WAITING}:
                self._take_up(step, state.status)
            else:
                look.draft.unschedule(index)
        elif index not in look.draft.due and (may_begin or look.draft.resumable):
            look.draft.schedule(index, look.draft.now)

    def _may_take_up(self, step: StepSpec, may_claim: bool) -> bool:
        if isinstance(step.program, EffectfulProgram):
            return may_claim and self.look.claim is None
        return self._seen_to < AT_ONCE and time.monotonic() - self._began < AT_ONCE_SECONDS

    def _prefetch(self, index: int) -> None:
        """Have at hand, by few queries, what this step and those that follow it need: each would ask for itself."""
        look = self.look
        if not look.ready or index in self._prefetched or self._acts(index):
            return
        following = (i for i in look.ready if not self._acts(i))
        indexes = [index, *islice(following, AT_ONCE - self._seen_to)]
        self._prefetched.update(indexes)
        look.load(indexes)
        look.values.load_items(i for i in indexes if PARTS <= i < COMPENSATIONS)
        look.values.load(read for i in indexes for read in look.spec.step(i).reads.values())

    def _acts(self, index: int) -> bool:
        return isinstance(self.look.spec.written(index).program, EffectfulProgram)

    def _take_up(self, step: StepSpec, status: StepStatus) -> None:
        """Begin a step that is ready: evaluate it, claim it, or have it wait."""
        look = self.look
        if status is StepStatus.WAITING:
            waits.fire(look, step.index)
            return
        look.draft.unschedule(step.index)
        try:
            scope = look.values.of(step)
            if status is StepStatus.PENDING and not step.condition_holds(scope):
                look.draft.note(step.index, reason="condition_false")
                look.settle(Ended(step.index, "skip"))
            else:
                self._begin(step, scope)
        except StepFailed as failed:
            self._fail_at_once(step, failed)

    def _begin(self, step: StepSpec, scope: Scope) -> None:
        self._seen_to += 1
        agents.check(self.look, step)
        match step.program:
            case PureProgram():
                self._evaluate(step, step.program, scope)
            case EffectfulProgram():
                self._claim(step, step.program, scope)
            case WaitProgram():
                waits.begin(self.look, step, step.program, scope)
            case TaskProgram():
                agents.begin(self.look, step, step.program, scope)
            case MapProgram():
                composites.begin_map(self.look, step, step.program, scope)
            case LoopProgram():
                composites.begin_loop(self.look, step)
            case _:
                raise AssertionError(f"nobody begins a {type(step.program).__name__}")

    def _evaluate(self, step: StepSpec, program: PureProgram, scope: Scope) -> None:
        look = self.look
        evaluation = program.run(scope)
        output = encode(evaluation.output, look.limits, "output")
        attempt = look.draft.begin(step.index, encode(evaluation.read, look.limits, "input"))
        look.draft.note(step.index, attempt=attempt.number)
        look.settle(Began(step.index), attempts.succeed(look, step.index, attempt.number, output))

    def _claim(self, step: StepSpec, program: EffectfulProgram, scope: Scope) -> None:
        look = self.look
        config = program.resolve(scope)
        attempt = look.draft.begin(step.index, encode(program.recorded(config), look.limits, "input"))
        look.draft.note(step.index, attempt=attempt.number)
        row = look.draft.rows[step.index]
        look.claim = Claim(
            look.loaded.row.id, look.runnable, step, attempt.number, config, row.generation, row.failures
        )
        look.settle(Began(step.index))

    def _fail_at_once(self, step: StepSpec, failed: StepFailed) -> None:
        """What a step was given makes it fail before anything is carried out: trying again would change nothing."""
        look = self.look
        attempt = look.draft.begin(step.index, None)
        look.draft.note(step.index, attempt=attempt.number)
        output = None if failed.output is None else json_values.stored(failed.output)
        result = Failed(Failure(failed.kind, failed.message, retryable=False), failed.details, output)
        look.settle(Began(step.index), attempts.fail(look, step.index, attempt.number, result))
