"""One look at one execution under its lock: what came in, what follows, what is evaluated now, what is claimed.

Decides and evaluates; carrying a claim out, and everything about transactions, is engine.py.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from contract import json_values
from contract.json_values import JSON
from executions import retry
from executions.change import ArrivalRow, AttemptEnd, Change, Loaded
from executions.draft import Draft
from executions.events import digest
from executions.plan import Began, Ended, Fact, Headed, LostTrack, NeedsSteps, Retrying, reach
from executions.retry import Failure
from executions.states import AttemptStatus, Intent, Status, StepStatus
from executions.store import DUE_WINDOW, Session
from orchestrator.outcomes import Claim, Failed, Limits, NotBegun, Outcome, Succeeded, encode
from workflows.bindings import compile_outcome
from workflows.expressions import ExpressionInvalid, Reference, Scope
from workflows.failures import StepFailed
from workflows.spec import Effect, EffectfulProgram, PureProgram, Runnable, Spec, StepSpec

PURE_STEPS = 200
"""Pure steps evaluated under one lock; what is left is due at once and taken up by the next advance."""
PURE_SECONDS = 0.05
NEIGHBOURHOOD = 256


@dataclass(frozen=True, slots=True)
class Decided:
    """What to write, what this process then has to carry out, and whether anyone else could act at once."""

    change: Change
    claim: Claim | None
    more_due: bool


@dataclass(slots=True)
class Advance:
    """Owned by one look at one execution."""

    session: Session
    loaded: Loaded
    runnable: Runnable
    limits: Limits
    draft: Draft = field(init=False)
    claim: Claim | None = None
    _results: dict[int, dict[str, JSON]] = field(default_factory=dict)
    _roots: dict[str, JSON] = field(default_factory=dict)
    _evaluated: int = 0
    _began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.draft = Draft(self.runnable.spec, self.loaded)

    @property
    def spec(self) -> Spec:
        return self.runnable.spec

    def decide(self, outcome: Outcome | None, *, may_claim: bool) -> Decided:
        """Work in the outcome and everything that is due; claim one effectful step if `may_claim`."""
        self._set_deadline()
        ready = self._take_in(outcome)
        due = [row.index for row in self.loaded.due[: DUE_WINDOW - 1] if row.due_at <= self.draft.now]
        if not self.loaded.row.standing.steps_made:
            due = [step.index for step in self.spec.steps if step.is_root]
        self._load(due)
        self._work_off(deque([*due, *(index for index in ready if index not in due)]), may_claim=may_claim)
        change = self._conclude()
        due_at = change.standing.due_at
        return Decided(change, self.claim, due_at is not None and due_at <= self.draft.now)

    def _set_deadline(self) -> None:
        standing = self.draft.standing
        if standing.status is Status.QUEUED and self.spec.timeout_seconds is not None:
            deadline = self.draft.now + timedelta(seconds=self.spec.timeout_seconds)
            self.draft.standing = replace(standing, deadline_at=deadline)

    def _take_in(self, outcome: Outcome | None) -> tuple[int, ...]:
        facts: list[Fact] = []
        if outcome is not None:
            facts += self._fact_of(outcome)
        for arrival in self.loaded.arrivals:
            facts += self._facts_arrived(arrival)
            self.draft.consume(arrival)
        deadline = self.draft.standing.deadline_at
        if deadline is not None and deadline <= self.draft.now:
            facts.append(self._head(Intent.FAIL, "deadline_exceeded"))
        return self._settle(*facts)

    def _fact_of(self, outcome: Outcome) -> list[Fact]:
        index, number, result = outcome.index, outcome.number, outcome.result
        if not self._is_current(index, number):
            self.draft.tell("step.late_outcome", self.spec.steps[index].name, attempt=number)
            return []
        match result:
            case Succeeded(output):
                return [self._succeed(index, number, output)]
            case Failed():
                return [self._fail(index, number, result)]
            case NotBegun():
                return [self._lose(index, number, Effect.IDEMPOTENT)]

    def _facts_arrived(self, arrival: ArrivalRow) -> list[Fact]:
        payload = json_values.load(arrival.payload)
        if arrival.kind == "cancel":
            return [self._head(Intent.CANCEL, payload.get("reason") or f"cancelled by {arrival.actor}")]
        index, number = payload["index"], payload["number"]
        self._load([index])
        return [self._lose(index, number, self.spec.steps[index].effect)] if self._is_current(index, number) else []

    def _is_current(self, index: int, number: int) -> bool:
        """Whether this attempt is the running one; not any more once this look has put down how it ended."""
        row = self.draft.rows[index]
        ended = any((end.index, end.number) == (index, number) for end in self.draft.ends)
        return row.state.status is StepStatus.RUNNING and row.attempts == number and not ended

    def _head(self, intent: Intent, reason: str) -> Headed:
        if self.draft.standing.intent is Intent.RUN and self.draft.reason is None:
            self.draft.reason = reason
        return Headed(intent)

    def _succeed(self, index: int, number: int, output: str) -> Fact:
        self.draft.end(AttemptEnd(index, number, AttemptStatus.SUCCEEDED, output))
        self.draft.note(index, attempt=number, output=digest(output))
        self._results[index] = {"status": StepStatus.SUCCEEDED.value, "output": json_values.load(output)}
        return Ended(index, "succeed")

    def _fail(self, index: int, number: int, result: Failed) -> Fact:
        step, failure = self.spec.steps[index], result.failure
        error = {"kind": failure.kind, "message": failure.message, "details": result.details}
        self.draft.end(AttemptEnd(index, number, AttemptStatus.FAILED, result.output, json_values.dump(error)))
        seed = f"{self.loaded.row.id}:{index}"
        seconds = retry.delay(step.retry, self.draft.rows[index].failures, failure, seed)
        return self._again_or_fail(index, number, failure, None if step.effect is Effect.PURE else seconds)

    def _lose(self, index: int, number: int, effect: Effect) -> Fact:
        """The attempt's worker is gone. What must not be repeated is for an operator to resolve."""
        if effect is Effect.AT_MOST_ONCE:
            self.draft.end(AttemptEnd(index, number, AttemptStatus.OUTCOME_UNKNOWN, error=_LOST))
            self.draft.note(index, attempt=number, kind="lost")
            return LostTrack(index)
        self.draft.end(AttemptEnd(index, number, AttemptStatus.LOST, error=_LOST))
        losses = self.draft.rows[index].losses
        failure = Failure("lost", f"{losses} workers died while they carried this step out")
        return self._again_or_fail(index, number, failure, retry.lost_delay(losses))

    def _again_or_fail(self, index: int, number: int, failure: Failure, seconds: float | None) -> Fact:
        self.draft.note(index, attempt=number, kind=failure.kind, message=failure.message[:500])
        if seconds is not None and self.draft.running:
            self.draft.schedule(index, self.draft.now + timedelta(seconds=seconds))
            return Retrying(index)
        if self.draft.reason is None:
            self.draft.reason = f"step {self.spec.steps[index].name} failed: {failure.message}"[:2000]
        return Ended(index, "fail")

    def _work_off(self, queue: deque[int], *, may_claim: bool) -> None:
        while queue and self.draft.running:
            index = queue.popleft()
            pure = self.spec.steps[index].effect is Effect.PURE
            if (pure and self._within_bounds()) or (not pure and may_claim and self.claim is None):
                self._load_results([index, *queue][: PURE_STEPS if pure else 1])
                queue.extend(self._take_up(index))
            elif index not in self.draft.due:
                self.draft.schedule(index, self.draft.now)

    def _within_bounds(self) -> bool:
        return self._evaluated < PURE_STEPS and time.monotonic() - self._began < PURE_SECONDS

    def _take_up(self, index: int) -> tuple[int, ...]:
        """Begin a step that is ready: evaluate it, or claim it. The steps that this makes ready."""
        step = self.spec.steps[index]
        self.draft.unschedule(index)
        try:
            scope = self._scope(step)
            if not step.condition_holds(scope):
                self.draft.note(index, reason="condition_false")
                return self._settle(Ended(index, "skip"))
            if isinstance(step.program, PureProgram):
                return self._evaluate(step, step.program, scope)
            assert isinstance(step.program, EffectfulProgram)
            return self._claim(step, step.program, scope)
        except StepFailed as failed:
            return self._fail_at_once(step, failed)

    def _evaluate(self, step: StepSpec, program: PureProgram, scope: Scope) -> tuple[int, ...]:
        self._evaluated += 1
        evaluation = program.run(scope)
        output = encode(evaluation.output, self.limits, "output")
        attempt = self.draft.begin(step.index, encode(evaluation.read, self.limits, "input"))
        self.draft.note(step.index, attempt=attempt.number, input=digest(attempt.input or ""))
        return self._settle(Began(step.index), self._succeed(step.index, attempt.number, output))

    def _claim(self, step: StepSpec, program: EffectfulProgram, scope: Scope) -> tuple[int, ...]:
        config = program.resolve(scope)
        attempt = self.draft.begin(step.index, encode(program.recorded(config), self.limits, "input"))
        self.draft.note(step.index, attempt=attempt.number, input=digest(attempt.input or ""))
        self.claim = Claim(self.loaded.row.id, self.runnable, step, attempt.number, config)
        return self._settle(Began(step.index))

    def _fail_at_once(self, step: StepSpec, failed: StepFailed) -> tuple[int, ...]:
        """What a step was given makes it fail before anything is carried out: trying again would change nothing."""
        attempt = self.draft.begin(step.index, None)
        self.draft.note(step.index, attempt=attempt.number)
        output = None if failed.output is None else json_values.dump(failed.output)
        result = Failed(Failure(failed.kind, failed.message, retryable=False), failed.details, output)
        return self._settle(Began(step.index), self._fail(step.index, attempt.number, result))

    def _conclude(self) -> Change:
        if self.draft.ending != "succeed":
            return self.draft.change()
        try:
            value = self._output()
            output = encode(value, self.limits, "output")
        except StepFailed as failed:
            self.draft.ending = "fail"
            self.draft.reason = f"the output could not be made: {failed.message}"[:2000]
            return self.draft.change()
        return self.draft.change(output, self._outcome(value))

    def _output(self) -> JSON:
        template = self.spec.output
        if template is None:
            self._results_of(self.spec.sinks)
            return {self.spec.steps[index].name: self._results[index]["output"] for index in self.spec.sinks}
        references = [reference for found in template.references.values() for reference in found]
        return template.resolve(self._scope_of(references))

    def _outcome(self, output: JSON) -> tuple[str | None, str | None]:
        """The template's verdict (value, error): an expression that errors or gives no text leaves the value null."""
        source = self.loaded.row.asked.outcome_expression
        if source is None:
            return None, None
        try:
            value = compile_outcome(source).evaluate({"output": output})
        except (StepFailed, ExpressionInvalid) as error:
            return None, str(error)
        return (value, None) if isinstance(value, str) else (None, f"the outcome {source!r} gave no text")

    def _scope(self, step: StepSpec) -> Scope:
        return self._scope_of(step.references)

    def _scope_of(self, references: Collection[Reference]) -> Scope:
        """The values that these references may name; nothing else is read or parsed."""
        scope = {root: self._root(root) for root in {reference.root for reference in references} - {"steps"}}
        named = {self.spec.by_name[str(r.path[0])] for r in references if r.root == "steps"}
        self._results_of(named)
        return scope | {"steps": {self.spec.steps[index].name: self._results[index] for index in named}}

    def _root(self, root: str) -> JSON:
        """What an expression finds under this root; parsed once, however many steps read it."""
        if root not in self._roots:
            self._roots[root] = self._read_root(root)
        return self._roots[root]

    def _read_root(self, root: str) -> JSON:
        asked = self.loaded.row.asked
        match root:
            case "input":
                value, schema = json_values.load(asked.input), self.spec.input_schema
                return value if schema is None else schema.bind_numbers(value)
            case "parameters":
                return self.runnable.parameters
            case "execution":
                return {"id": str(self.loaded.row.id)}
            case _:
                return json_values.load(asked.application_data or "null")

    def _load_results(self, indexes: Iterable[int]) -> None:
        """Have at hand, by one query, what these steps will read."""
        self._results_of({read for index in indexes for read in self.spec.steps[index].reads})

    def _results_of(self, indexes: Iterable[int]) -> None:
        missing = [index for index in indexes if index not in self._results]
        unknown = [i for i in missing if i not in self.draft.rows or self.draft.rows[i].state.status is _SUCCEEDED]
        found = self.session.results(self.loaded.row.id, unknown) if unknown else {}
        for index in missing:
            if index in found:
                status, text = found[index].status, found[index].output
            else:
                status, text = self.draft.rows[index].state.status, None
            output = None if text is None else json_values.load(text)
            self._results[index] = {"status": status.value, "output": output}

    def _load(self, indexes: Iterable[int]) -> None:
        missing = [index for index in indexes if index not in self.draft.rows]
        if missing:
            around = frozenset().union(*(reach(self.spec, index, NEIGHBOURHOOD) for index in missing))
            self.draft.add_steps(self.session.steps(self.loaded.row.id, around - self.draft.rows.keys()))

    def _settle(self, *facts: Fact) -> tuple[int, ...]:
        while True:
            try:
                return self.draft.settle(*facts)
            except NeedsSteps as needs:
                self._load(needs.indexes)


_SUCCEEDED = StepStatus.SUCCEEDED
_LOST = json_values.dump({"kind": "lost", "message": "the worker that carried this out is gone", "details": None})
