"""What an execution's counters have to be: recounted from its steps' statuses and its definition alone.

It is given rows as they are, and tells each column that a recount does not give.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from executions.models import Execution, Step
from executions.plan import Counters, StepState, initial, latched
from executions.provenance.replay import Replay
from executions.states import STEP_TERMINAL, TERMINAL, StepStatus
from executions.survey import survey
from traceway.records import Finding
from workflows.spec import COMPENSATIONS, PARTS, LoopProgram, MapProgram, Spec, StepSpec

_COUNTERS: Final = ("left", "running", "ready", "waiting")
_TOKENS: Final = ("parents_left", "parents_live")
_OF_PARTS: Final = ("parts_left", "parts_open", "parts_failed")


@dataclass(frozen=True, slots=True)
class Recount:
    """The rows of one execution beside what its definition and its events say of them."""

    spec: Spec
    execution: Execution
    steps: Mapping[int, Step]
    replay: Replay

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.execution.status in TERMINAL

    def differences(self, ready: set[int]) -> Iterator[Finding]:
        """Every counter that is another one; the steps that may begin are put into `ready`."""
        if self.execution.steps_made != bool(self.steps):
            yield _other("execution steps_made", bool(self.steps), self.execution.steps_made)
        if not self.steps:
            yield from self._of_execution(initial(self.spec).counters)
            return
        counting = {i: row for i, row in self.steps.items() if not self._is_of_an_earlier_try(i)}
        opened = {i for i, row in counting.items() if row.parents_live and latched(self.spec.step(i))}
        counted = survey(self.spec, {i: StepStatus(row.status) for i, row in counting.items()}, opened)
        ready |= counted.ready
        yield from self._of_execution(counted.counters)
        for index, row in self.steps.items():
            yield from _unless_same(f"steps/{row.name} name", self.spec.step(index).name, row.name)
            yield from self._of_events(row)
            yield from self._item(row)
            if index in counting:
                yield from self._of_step(row, counted.steps[index])

    def _of_execution(self, counters: Counters) -> Iterator[Finding]:
        expected = counters._replace(ready=0) if self.over else counters
        for name in _COUNTERS:
            yield from _unless_same(
                f"execution steps_{name}", getattr(expected, name), getattr(self.execution, f"steps_{name}")
            )

    def _of_step(self, row: Step, state: StepState) -> Iterator[Finding]:
        step = self.spec.step(row.index)
        untaken = latched(step) and not row.parents_live  # ended, by somebody's word, before it was opened
        for name in () if untaken else _TOKENS:
            yield from _unless_same(f"steps/{row.name} {name}", getattr(state, name), getattr(row, name))
        if untaken and row.parents_left != 1:
            yield _other(f"steps/{row.name} parents_left", 1, row.parents_left)
        begins_anew = row.status in {StepStatus.PENDING, StepStatus.RETRYING}
        for name in _OF_PARTS:
            expected = 0 if begins_anew else getattr(state, name)
            yield from _unless_same(f"steps/{row.name} {name}", expected, getattr(row, name))
        yield from self._parts_of(step, row)

    def _parts_of(self, step: StepSpec, row: Step) -> Iterator[Finding]:
        """How many parts it has, and how many of those may have begun."""
        made, opened = {0}, {0}
        if step.body:
            parts = self._rows_of_parts(row)
            made = self._made(step, row, parts)
            opened = self._opened(step, row, parts)
        for name, allowed in (("parts_made", made), ("parts_opened", opened)):
            if getattr(row, name) not in allowed:
                shown = " or ".join(str(number) for number in sorted(allowed)[:5])
                yield _other(f"steps/{row.name} {name}", shown, getattr(row, name))

    def _rows_of_parts(self, owner: Step) -> list[Step]:
        first = self.spec.part(owner.index, 0)
        return [self.steps[index] for index in range(first, first + PARTS) if index in self.steps]

    def _made(self, step: StepSpec, row: Step, parts: list[Step]) -> set[int]:
        told = self.replay.step(row.name).parts
        if row.status == StepStatus.PENDING:
            return {told, 0}
        if not isinstance(step.program, LoopProgram) or row.status != StepStatus.WAITING:
            return {told}
        unended = next((part.index % PARTS for part in parts if part.status not in STEP_TERMINAL), told - 1)
        return {(unended // len(step.body) + 1) * len(step.body)}

    def _opened(self, step: StepSpec, row: Step, parts: list[Step]) -> set[int]:
        made = row.parts_made
        if row.status in {StepStatus.PENDING, StepStatus.RETRYING}:
            return {0}
        if isinstance(step.program, LoopProgram):
            return {made}
        if row.status in STEP_TERMINAL:
            return {self.replay.step(row.name).opened}
        opened = max((part.index % PARTS + 1 for part in parts if part.parents_live), default=0)
        if self.replay.step(row.name).attempts > 1:
            return {made, *range(opened + 1), 0}
        unopened = any(part.status == StepStatus.PENDING for part in parts if opened <= part.index % PARTS < made)
        given_up = isinstance(step.program, MapProgram) and row.parts_failed > step.program.tolerated(made)
        return {opened, made} if given_up or not unopened else {opened}

    def _of_events(self, row: Step) -> Iterator[Finding]:
        told = self.replay.step(row.name)
        for name in ("failures", "losses", "generation"):
            yield from _unless_same(f"steps/{row.name} {name}", getattr(told, name), getattr(row, name))

    def _item(self, row: Step) -> Iterator[Finding]:
        """The items of a map have one, and nothing else does; which, the events say."""
        owner = self.spec.steps[row.index // PARTS - 1] if PARTS <= row.index < COMPENSATIONS else None
        has_one = owner is not None and isinstance(owner.program, MapProgram)
        if has_one != (row.item is not None):
            yield _other(f"steps/{row.name} item", "one" if has_one else "none", row.item)

    def _is_of_an_earlier_try(self, index: int) -> bool:
        """Whether it is a part that its map or loop does not count any more, or not yet again."""
        if not PARTS <= index < COMPENSATIONS:
            return False
        owner = self.steps.get(index // PARTS - 1)
        return owner is not None and index % PARTS >= owner.parts_made


def _unless_same(where: str, expected: Any, found: Any) -> Iterator[Finding]:
    if expected != found:
        yield _other(where, expected, found)


def _other(where: str, expected: Any, found: Any) -> Finding:
    return Finding(where, "is not what a recount gives", str(expected), str(found))
