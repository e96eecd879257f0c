"""One execution's events replayed through the table of moves, independently of the engine: what they lead to, and
whether each could happen when it did."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from contract import json_values
from executions.events import GENESIS, EventRow
from executions.plan import latched
from executions.states import CREATED, MOVES, STEP_MOVES, STEP_TERMINAL, Intent, Status, StepStatus
from tests.simulator.memory import Kept
from workflows.spec import COMPENSATIONS, PARTS, OnFailure, Spec, StepSpec


class Violation(BaseException):
    """An invariant does not hold. No Exception: nothing of the engine may catch it."""


def require(holds: object, what: str, *details: object) -> None:
    if not holds:
        raise Violation(" ".join([what, *(str(detail) for detail in details)]))


STEP_EVENTS: Mapping[str, str] = {move.event: name for name, move in STEP_MOVES.items()}
"""Each event of a step tells one move."""
EXECUTION_EVENTS: Mapping[str, str] = {move.event: name for name, move in MOVES.items()}


@dataclass
class Completion:
    """When a step succeeded: in which commit, at what time."""

    commit: int
    at: datetime


@dataclass
class History:
    """`statuses` and `status` are what the events lead to. `reset_at`: the last attempt before a step began anew."""

    spec: Spec
    status: Status | None = None
    head: bytes = GENESIS
    seen: int = 0
    commits: int = 0
    statuses: dict[int, StepStatus] = field(default_factory=dict)
    indexes: dict[str, int] = field(default_factory=dict)
    specs: dict[int, StepSpec] = field(default_factory=dict)
    completed: dict[int, Completion] = field(default_factory=dict)
    undone: list[int] = field(default_factory=list)
    reset_at: dict[int, int] = field(default_factory=dict)
    begun: list[int] = field(default_factory=list)

    def step(self, index: int) -> StepSpec:
        found = self.specs.get(index)
        if found is None:
            found = self.specs[index] = self.spec.step(index)
        return found

    def follow(self, after: Kept) -> None:
        """Work in what a commit added."""
        self.commits += 1
        self.begun.clear()
        if len(self.statuses) < len(after.steps):
            self._meet(after)
        for event in after.events[self.seen :]:
            self._check_chain(event, str(after.row.id))
            if event.step is None:
                self._move(event)
            elif event.type in STEP_EVENTS:
                self._move_step(event, after)
            else:
                require(event.type == "step.late_outcome", "an event that nobody knows:", event.type)
        require(
            (after.row.chain_head, after.row.event_sequence) == (self.head, self.seen), "the head is not the last event"
        )

    def _meet(self, after: Kept) -> None:
        for index in after.steps:
            if index not in self.statuses:
                self.statuses[index] = StepStatus.PENDING
                self.indexes[self.step(index).name] = index

    def _check_chain(self, event: EventRow, identifier: str) -> None:
        require(event.sequence == self.seen + 1, "a gap in the events before", event.sequence)
        named = f'"execution":"{identifier}","previous":"{self.head.hex()}","sequence":{event.sequence},'
        require(named in event.body, "the chain is broken at", event.sequence)
        require(hashlib.sha256(event.body.encode()).digest() == event.hash, "a wrong hash at", event.sequence)
        self.seen, self.head = event.sequence, event.hash

    def _move(self, event: EventRow) -> None:
        commanded = '"data":{"by":' in event.body
        if event.type in {"execution.created", "execution.paused"} or (event.type.endswith("resumed") and commanded):
            return
        if self.status is None:
            self.status = next(status for status, told in CREATED.items() if told == event.type)
            return
        name = EXECUTION_EVENTS[event.type]
        move = MOVES[name]
        require(self.status in move.sources, f"{name} of the execution from", self.status)
        self.status = move.target
        if name == "redrive":
            self.undone.clear()
            self.completed = {i: done for i, done in self.completed.items() if i < PARTS}

    def _move_step(self, event: EventRow, after: Kept) -> None:
        assert event.step is not None, "only events of steps come here"
        require(event.step in self.indexes, "an event of a step without a row:", event.step)
        index = self.indexes[event.step]
        name = STEP_EVENTS[event.type]
        move, status = STEP_MOVES[name], self.statuses[index]
        require(status in move.sources, f"{name} of {event.step} from", status)
        if name == "begin":
            self._check_needs(index, event.step)
            self.begun.append(index)
            if index in self.reset_at:
                number = json_values.load(event.body)["data"]["attempt"]
                self.reset_at[index] = min(self.reset_at[index], number - 1)
            if index >= COMPENSATIONS and status is StepStatus.PENDING:
                self._check_undoing(index - COMPENSATIONS, event)
        if name == "reset":
            self.reset_at[index] = after.steps[index].attempts
            self.completed.pop(index, None)
        if name == "succeed" and self.step(index).body:
            self._check_parts(index, after.steps[index].parts_made)
        self.statuses[index] = move.target
        if move.target is StepStatus.SUCCEEDED:
            self.completed[index] = Completion(self.commits, event.created_at)

    def _check_parts(self, owner: int, made: int) -> None:
        """What succeeds by its parts has seen each of them to an end of its own."""
        first = self.spec.part(owner, 0)
        for index in range(first, first + made):
            over = self.statuses[index] in STEP_TERMINAL - {StepStatus.CANCELLED}
            require(over, f"{self.step(owner).name} succeeded, and of its parts", self.told(index))

    def _check_needs(self, index: int, name: str) -> None:
        step = self.step(index)
        if index >= COMPENSATIONS:
            return
        if step.owner is not None:
            standing = self.statuses[step.owner]
            require(standing is StepStatus.WAITING, f"{name} began while what it is a part of is", standing)
        live = sum(self._lets_run(parent) for parent in step.parents)
        live += sum(self.statuses[handled] is StepStatus.FAILED for handled in step.handles)
        over = all(self.statuses[i] in STEP_TERMINAL for i in (*step.parents, *step.handles))
        if step.join is not None and step.parents:
            require(live >= step.join, f"{name} began with {live} live parents and needs", step.join)
        elif step.parents or step.handles:
            require(over and live, f"{name} began before its needs:", self.told(*step.parents, *step.handles))
        else:
            require(step.is_root or latched(step), f"{name} began, and nobody opened it")

    def _lets_run(self, parent: int) -> bool:
        status, step = self.statuses[parent], self.step(parent)
        return status is StepStatus.SUCCEEDED or (status is StepStatus.FAILED and step.on_failure is OnFailure.CONTINUE)

    def _check_undoing(self, index: int, event: EventRow) -> None:
        """Compensations come in reverse order of completion, once each, only of what succeeded."""
        require(self.statuses[index] is StepStatus.SUCCEEDED, f"{event.step}: undone, and it is", self.statuses[index])
        require(index not in self.undone, f"{event.step} began twice")
        mine = self.completed[index]
        for other in self.compensable():
            done = self.completed[other]
            later = done.commit > mine.commit and done.at > mine.at  # of a clock that steps nobody knows
            require(other == index or not later, f"{event.step} before that of step {other}, which was completed later")
        for other, status in self.statuses.items():
            if other >= COMPENSATIONS and other != index + COMPENSATIONS:
                still = status in {StepStatus.RUNNING, StepStatus.RETRYING, StepStatus.OUTCOME_UNKNOWN}
                require(not still, f"{event.step} began while another compensation is", status)
        self.undone.append(index)

    def compensable(self) -> list[int]:
        """The steps that succeeded, have a compensation and were not undone yet."""
        return [
            step.index
            for step in self.spec.steps
            if step.compensation is not None
            and self.statuses.get(step.index) is StepStatus.SUCCEEDED
            and step.index not in self.undone
            and self.statuses.get(step.index + COMPENSATIONS, StepStatus.PENDING) is StepStatus.PENDING
        ]

    def told(self, *indexes: int) -> str:
        return ", ".join(f"{self.step(index).name} {self.statuses[index]}" for index in indexes)

    def heads_early(self, intent: Intent) -> bool:
        return intent in {Intent.CANCEL, Intent.FAIL}
