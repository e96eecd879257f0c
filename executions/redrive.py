"""What a redrive does to an execution that ended: which steps begin anew, which results stay. Pure.

Nothing is read or written here; commands/redriving.py does that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass

from executions.change import StepRow
from executions.plan import Counters, StepState, continues
from executions.states import STEP_MOVES, STEP_TERMINAL, AttemptStatus, StepStatus
from executions.survey import Survey, survey
from workflows.spec import COMPENSATIONS, PARTS, Effect, LoopProgram, OnFailure, Spec

AMBIGUOUS_KINDS = frozenset({"timeout", "connection_failed", "lost"})
"""Failures after which the effect may have come about all the same."""

_AMBIGUOUS = frozenset({AttemptStatus.LOST, AttemptStatus.CANCELLED, AttemptStatus.OUTCOME_UNKNOWN})
_OPEN = frozenset({AttemptStatus.RUNNING, AttemptStatus.WAITING})
_UNFINISHED = frozenset(
    {
        StepStatus.PENDING,
        StepStatus.WAITING,
        StepStatus.RETRYING,
        StepStatus.CANCELLED,
        StepStatus.OUTCOME_UNKNOWN,
    }
)
_EFFECTFUL = frozenset({Effect.IDEMPOTENT, Effect.AT_MOST_ONCE})
_NEVER_BEGAN = frozenset({StepStatus.SKIPPED, StepStatus.CANCELLED})


@dataclass(frozen=True, slots=True)
class Recorded:
    """A step's row, how its newest attempt stands and, if that failed, the kind of its error."""

    row: StepRow
    last: AttemptStatus | None = None
    error: str | None = None

    @property
    def status(self) -> StepStatus:
        return self.row.state.status

    @property
    def is_ambiguous(self) -> bool:
        """Whether the effect of the newest attempt may or may not have come about."""
        return self.last in _AMBIGUOUS | _OPEN or (self.last is AttemptStatus.FAILED and self.error in AMBIGUOUS_KINDS)


@dataclass(frozen=True, slots=True)
class Repeat:
    """An effect that may have come about before and will again; with `same_key` the other side can tell."""

    index: int
    attempts: int
    last: AttemptStatus
    same_key: bool


@dataclass(frozen=True, slots=True)
class Redrive:
    """What is to be written and told. `keeps` and `resets` are by index, parts among them.

    `steps` are the rows that change; `moves` lead each from its status, by index in order; `open_attempts` are
    (index, number) of those that nobody will end; `due` the steps that may begin at once.
    """

    keeps: tuple[int, ...]
    resets: tuple[int, ...]
    repeats: tuple[Repeat, ...]
    steps: Mapping[int, StepRow]
    moves: tuple[tuple[int, str], ...]
    open_attempts: tuple[tuple[int, int], ...]
    counters: Counters
    due: tuple[int, ...]


def redrive(spec: Spec, recorded: Mapping[int, Recorded], from_step: int | None = None) -> Redrive:
    """From what failed, or from `from_step` on, which is not among `resets` if nothing before it lets it run.

    `recorded` are all rows of the execution's steps, parts and compensations; the cost grows with them.
    """
    resets = _steps_reset(spec, recorded, from_step)
    changed_before = _below(spec, resets)
    continued = {i for i in resets if spec.steps[i].body and i != from_step and i not in changed_before}
    parts = {index for owner in continued for index in _parts_reset(spec, recorded, owner)}
    undone = {index for index in recorded if index >= COMPENSATIONS}
    dropped = {index for owner in resets - continued for index in _parts_of(spec, recorded, owner)}
    begun_anew = resets | parts | undone
    recount = _recount(spec, recorded, begun_anew)
    steps = {
        index: _anew(recorded[index], recount.steps[index], spec.step(index).effect, goes_on=index in continued)
        for index in begun_anew
    }
    steps |= {index: _kept(recorded[index], recount.steps[index]) for index in recount.steps if index not in steps}
    steps |= {index: _cancelled(recorded[index]) for index in dropped if recorded[index].status not in STEP_TERMINAL}
    changed = {index: steps[index] for index in sorted(steps) if steps[index] != recorded[index].row}
    return Redrive(
        keeps=tuple(step.index for step in spec.steps if step.index not in resets),
        resets=tuple(sorted(resets | parts)),
        repeats=tuple(_repeats(spec, recorded, begun_anew, dropped)),
        steps=changed,
        moves=tuple(_moves(recorded, changed)),
        open_attempts=tuple(_open_attempts(recorded, changed)),
        counters=recount.counters,
        due=tuple(sorted(recount.ready)),
    )


def _steps_reset(spec: Spec, recorded: Mapping[int, Recorded], from_step: int | None) -> frozenset[int]:
    """The steps of the definition that begin anew."""
    wanted = {step.index for step in spec.steps if _has_to_run(spec, recorded, step.index)}
    forced = {step.index for step in spec.steps if _was_compensated(recorded, step.index)}
    forced |= set() if from_step is None else {from_step}
    wanted |= forced | _below(spec, forced)
    left_out = {index for index in wanted - forced if _was_left_out(spec, recorded, index)} - _below(spec, forced)
    resets = wanted - left_out
    while True:
        below = _below(spec, resets)
        resets |= {index for index in below if recorded[index].status is StepStatus.SKIPPED}
        wanted_again = {index for index in left_out if _joined_by(spec, index) <= resets}
        if not wanted_again:
            return _reachable(spec, recorded, resets)
        left_out -= wanted_again
        resets |= wanted_again


def _reachable(spec: Spec, recorded: Mapping[int, Recorded], resets: Set[int]) -> frozenset[int]:
    """Those that may begin once more, or come to: a step that nothing before it lets run stays what it was."""
    found: set[int] = set()
    for index in (index for wave in spec.waves for index in wave if index in resets):
        step = spec.steps[index]
        alive = sum(p in found or continues(spec.steps[p].on_failure, recorded[p].status) for p in step.parents)
        alive += sum(h in found or recorded[h].status is StepStatus.FAILED for h in step.handles)
        if step.is_root or alive >= (step.join or 1):
            found.add(index)
    return frozenset(found)


def _has_to_run(spec: Spec, recorded: Mapping[int, Recorded], index: int) -> bool:
    status = recorded[index].status
    failed = status is StepStatus.FAILED and spec.steps[index].on_failure is OnFailure.FAIL
    return failed or status in _UNFINISHED


def _was_compensated(recorded: Mapping[int, Recorded], index: int) -> bool:
    """Whether its effect was undone, or may have been in part."""
    undoing = recorded.get(index + COMPENSATIONS)
    if undoing is None or undoing.status is StepStatus.PENDING:
        return False
    return undoing.status not in _NEVER_BEGAN or undoing.row.attempts > 0


def _was_left_out(spec: Spec, recorded: Mapping[int, Recorded], index: int) -> bool:
    """Whether it was cancelled because a join that has run went on without it."""
    joins = _joined_by(spec, index)
    ran = {StepStatus.SUCCEEDED, StepStatus.FAILED}
    return recorded[index].status is StepStatus.CANCELLED and any(recorded[join].status in ran for join in joins)


def _joined_by(spec: Spec, index: int) -> set[int]:
    return {child for child in spec.steps[index].children if spec.steps[child].cancels_rest}


def _below(spec: Spec, indexes: Iterable[int]) -> set[int]:
    """Every step that comes after one of these, by an edge or as a handler."""
    found: set[int] = set()
    pending = list(indexes)
    while pending:
        step = spec.steps[pending.pop()]
        after = {*step.children, *(() if step.handler is None else (step.handler,))} - found
        found |= after
        pending.extend(after)
    return found


def _parts_reset(spec: Spec, recorded: Mapping[int, Recorded], owner: int) -> Iterator[int]:
    """The items of a map that came to nothing, or the whole of a loop's last round."""
    size = len(spec.steps[owner].body)
    last_round = recorded[owner].row.parts_made - size
    looped = isinstance(spec.steps[owner].program, LoopProgram)
    kept = {StepStatus.SUCCEEDED, StepStatus.SKIPPED}
    for index in _parts_of(spec, recorded, owner):
        if index % PARTS >= last_round if looped else recorded[index].status not in kept:
            yield index


def _parts_of(spec: Spec, recorded: Mapping[int, Recorded], owner: int) -> list[int]:
    if not spec.steps[owner].body:
        return []
    first = spec.part(owner, 0)
    return [i for i in range(first, first + recorded[owner].row.parts_made) if i in recorded]


def _recount(spec: Spec, recorded: Mapping[int, Recorded], begun_anew: Set[int]) -> Survey:
    """Tokens and counters, with what begins anew pending. Parts that stay as they are count for nothing."""
    statuses = {step.index: recorded[step.index].status for step in spec.steps}
    return survey(spec, statuses | dict.fromkeys(begun_anew, StepStatus.PENDING))


def _anew(before: Recorded, state: StepState, effect: Effect, *, goes_on: bool) -> StepRow:
    """The row of a step that begins anew. A child that has ended is no use: the next turn starts another."""
    row = before.row
    began = before.last is not None and before.status is not StepStatus.PENDING
    raised = began and (effect is Effect.WAIT or not before.is_ambiguous)
    return StepRow(
        state=StepState(StepStatus.PENDING, state.parents_left, state.parents_live),
        attempts=row.attempts,
        generation=row.generation + raised,
        parts_made=row.parts_made if goes_on else 0,
    )


def _kept(before: Recorded, state: StepState) -> StepRow:
    tokens = before.row.state._replace(parents_left=state.parents_left, parents_live=state.parents_live)
    return before.row._replace(state=tokens)


def _cancelled(before: Recorded) -> StepRow:
    return before.row._replace(state=before.row.state._replace(status=StepStatus.CANCELLED))


def _repeats(spec: Spec, recorded: Mapping[int, Recorded], begun_anew: Set[int], dropped: Set[int]) -> Iterator[Repeat]:
    for index in sorted(begun_anew | dropped):
        found = recorded[index]
        may_have_come_about = found.last is AttemptStatus.SUCCEEDED or found.is_ambiguous
        if found.last is not None and may_have_come_about and spec.step(index).effect in _EFFECTFUL:
            same_key = index not in dropped and found.is_ambiguous
            yield Repeat(index, found.row.attempts, found.last, same_key)


def _moves(recorded: Mapping[int, Recorded], changed: Mapping[int, StepRow]) -> Iterator[tuple[int, str]]:
    for index, row in changed.items():
        before, after = recorded[index].status, row.state.status
        if after is StepStatus.PENDING and before is not StepStatus.PENDING:
            yield index, "reset"
        elif after is not before:
            if before not in STEP_MOVES["cancel"].sources:
                yield index, "reset"
            yield index, "cancel"


def _open_attempts(recorded: Mapping[int, Recorded], changed: Mapping[int, StepRow]) -> Iterator[tuple[int, int]]:
    return ((index, row.attempts) for index, row in changed.items() if recorded[index].last in _OPEN)
