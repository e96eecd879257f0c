"""What must hold after every commit, whatever died, got lost or came twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from executions.plan import is_ready, latched
from executions.retry import MAX_LOST
from executions.states import DEADLINE, AttemptStatus, Intent, Status, StepStatus, TaskStatus
from executions.survey import survey
from tests.simulator.history import History, require
from tests.simulator.memory import START, Kept, Memory
from workflows.spec import COMPENSATIONS, PARTS, OnFailure, Runnable, Spec

if TYPE_CHECKING:
    from collections.abc import Mapping

_OPEN = {AttemptStatus.RUNNING, AttemptStatus.WAITING}
_HOLDING = {Status.RUNNING, Status.WAITING}


@dataclass
class Invariants:
    """Checks each execution after each commit that changed it. `held` counts those that run, by concurrency key."""

    memory: Memory
    runnables: Mapping[UUID, Runnable]
    histories: dict[UUID, History] = field(default_factory=dict)
    held: Counter[str] = field(default_factory=Counter)
    accepted: set[UUID] = field(default_factory=set)
    latest: datetime = START

    def spec(self, kept: Kept) -> Spec:
        return self.runnables[kept.row.version_id].spec

    def committed(self, before: dict[UUID, Kept]) -> None:
        """A transaction committed; `before` are the executions that it changed, as they stood."""
        for identifier, earlier in before.items():
            self.check(identifier, earlier)

    def accept(self, identifier: UUID) -> None:
        self.accepted.add(identifier)
        self.check(identifier, None)

    def check(self, identifier: UUID, before: Kept | None) -> None:
        after = self.memory.executions[identifier]
        self.latest = max(self.latest, self.memory.now, after.events[-1].created_at)
        history = self.histories.get(identifier)
        if history is None:
            history = self.histories[identifier] = History(self.spec(after))
        if before is not None:
            require(after.row.seq > before.row.seq, "the seq did not grow")
        self._check_place_in_line(before, after)
        history.follow(after)
        self._check_statuses(history, after)
        self._check_attempts(history, before, after)
        self._check_tasks(after)
        if after.row.standing.steps_made:
            self._recount(history, after)
        if before is not None:
            self._check_begun(history, before, after)
        if not after.is_live:
            self._check_terminal(history, after)

    def _check_statuses(self, history: History, after: Kept) -> None:
        require(history.status is after.standing.status, "the events lead to", history.status)
        for index, row in after.steps.items():
            told = history.statuses[index]
            if told is not row.state.status:
                name = history.step(index).name
                require(False, f"the events lead {name} to {told}, its row is", row.state.status)  # noqa: FBT003

    def _check_attempts(self, history: History, before: Kept | None, after: Kept) -> None:
        succeeded: Counter[int] = Counter()
        lost: Counter[int] = Counter()
        for (index, number), attempt in after.attempts.items():
            if number <= history.reset_at.get(index, 0):
                continue
            succeeded[index] += attempt.status is AttemptStatus.SUCCEEDED
            lost[index] += attempt.status is AttemptStatus.LOST
            if attempt.status in _OPEN:
                status = after.steps[index].state.status
                newest = after.steps[index].attempts == number
                require(
                    newest and status.value == attempt.status.value,
                    f"attempt {index}:{number} is open, its step",
                    status,
                )
        for index, count in succeeded.items():
            require(count <= 1, f"{history.step(index).name} succeeded {count} times")
            require(lost[index] <= MAX_LOST, f"{history.step(index).name} was lost {lost[index]} times")
        for fence, attempt in (before.attempts if before is not None else {}).items():
            if attempt.status not in _OPEN:
                require(after.attempts[fence] is attempt, f"attempt {fence} changed after its end")

    def _check_tasks(self, after: Kept) -> None:
        """A task can be claimed and reported on as long as its attempt waits, and is not open while it is paused."""
        for fence, handed in after.tasks.items():
            waits = after.attempts[fence].status is AttemptStatus.WAITING
            over = handed.status is TaskStatus.CLOSED
            require(
                waits is not over or handed.status is TaskStatus.WITHDRAWN,
                f"the task of attempt {fence} is {handed.status}, and that is",
                after.attempts[fence].status,
            )
            held = after.is_live and after.standing.intent is Intent.PAUSE
            require(not held or handed.status is not TaskStatus.OPEN, "paused, and open to be claimed is", fence)

    def _recount(self, history: History, after: Kept) -> None:
        """Counters and tokens against a survey of all steps; that whatever is ready stands as due."""
        spec, standing = history.spec, after.standing
        rows = {i: row for i, row in after.steps.items() if not _is_of_an_earlier_try(history, after, i)}
        opened = {i for i, row in rows.items() if row.state.parents_live and latched(history.step(i))}
        counted = survey(spec, {index: row.state.status for index, row in rows.items()}, opened)
        for index, row in rows.items():
            expected = counted.steps[index]
            unopened = latched(history.step(index)) and not row.state.parents_live  # taken over before it was opened
            if row.state != expected and not unopened and not _is_spent(history, after, index):
                require(False, f"{history.step(index).name} stands as {row.state}, a recount gives", expected)  # noqa: FBT003
        if after.is_live:
            require(standing.counters == counted.counters, f"{standing.counters}, a recount gives", counted.counters)
        if after.is_live and standing.intent in {Intent.RUN, Intent.PAUSE}:
            missing = {index for index in counted.ready if index not in after.due}
            require(not missing, "ready, and nowhere due:", history.told(*missing))
        if after.is_live and standing.intent is Intent.RUN and after.due and standing.due_at is None:
            blocked = standing.status is Status.QUEUED or standing.quarantined_at is not None
            require(blocked, "steps are due, and the execution is not")
        for index in after.due:
            state = after.steps[index].state
            ready = state.status is StepStatus.PENDING and is_ready(history.step(index), state)
            # One that ended, or begins anew, without having been taken up may stand there until the next look drops it.
            dropped_next = after.due[index].due_at <= self.latest
            require(
                ready or dropped_next or state.status in {StepStatus.RETRYING, StepStatus.WAITING},
                f"{history.step(index).name} stands as due and is",
                state.status,
            )

    def _check_begun(self, history: History, before: Kept, after: Kept) -> None:
        paused = before.standing.intent is Intent.PAUSE
        if paused and after.standing.intent is Intent.PAUSE:
            require(not history.begun, "a paused execution began", history.told(*history.begun))
        if history.heads_early(before.standing.intent):
            for index in history.begun:
                require(index >= COMPENSATIONS, "began although it is to end:", history.step(index).name)

    def _check_terminal(self, history: History, after: Kept) -> None:
        standing = after.standing
        name = standing.status
        require(standing.due_at is None, f"{name}, and due at", standing.due_at)
        require(not after.due, f"{name}, and due are", history.told(*after.due))
        require(not any(a.status in _OPEN for a in after.attempts.values()), f"{name}, and an attempt is open")
        for index, status in history.statuses.items():
            over = status not in {StepStatus.RUNNING, StepStatus.WAITING}
            require(over, f"{name}, and {history.step(index).name} is", status)
            if name is Status.SUCCEEDED and index < PARTS:
                require(
                    after.steps[index].state.status.value in {"succeeded", "failed", "skipped", "cancelled"},
                    f"{name}, and {history.step(index).name} is",
                    status,
                )
        self._check_verdict(history, after)
        if name is not Status.SUCCEEDED:
            require(not history.compensable(), f"{name}, and not undone are", history.told(*history.compensable()))
        require(standing.finished_at is not None, f"{name} without an end")

    def _check_verdict(self, history: History, after: Kept) -> None:
        """It failed because a step did that must not, or for what its reason tells; else it did not fail."""
        status, reason = after.standing.status, after.standing.status_reason or ""
        fatal = [
            step.index
            for step in history.spec.steps
            if step.on_failure is OnFailure.FAIL and history.statuses.get(step.index) is StepStatus.FAILED
        ]
        if status is Status.SUCCEEDED:
            require(not fatal, "succeeded although these failed:", history.told(*fatal))
        elif status is Status.FAILED:
            told = reason == DEADLINE or reason.startswith("the output could not be made")
            require(fatal or told, "failed, and nothing did that must not:", reason)

    def check_children(self) -> None:
        """With nobody at work: a child that goes on is waited for, or has been told to end.

        One that was started, and its step given up before anybody heard of it, is told when its parent ends.
        """
        for parent, children in self.memory.children.items():
            above = self.memory.executions[parent]
            for kept in (self.memory.executions[child] for child in children):
                told = any(arrived.row.kind == "cancel" for arrived in self.memory.inboxes[kept.row.id].values())
                heads = kept.standing.intent in {Intent.CANCEL, Intent.FAIL}
                alone = any(event.type == "execution.redriven" for event in kept.events)
                require(
                    not kept.is_live or told or heads or alone or _is_wanted(above, kept),
                    f"the child {kept.row.id} goes on without {parent}:",
                    above.standing.status,
                )

    def _check_place_in_line(self, before: Kept | None, after: Kept) -> None:
        """At most as many as may run at once, and in their order."""
        key, concurrency = after.row.concurrency_key, self.spec(after).concurrency
        if key is None or concurrency is None:
            return
        held = before is not None and before.standing.status in _HOLDING
        self.held[key] += (after.standing.status in _HOLDING) - held
        require(self.held[key] <= concurrency.limit, f"{self.held[key]} executions run with the key", key)
        started = before is not None and before.standing.status is Status.QUEUED and after.standing.status in _HOLDING
        if started and before is not None and after.standing.intent is Intent.RUN:
            for other in self.memory.executions.values():
                if other.row.concurrency_key == key and other.standing.status is Status.QUEUED:
                    passed = other.standing.intent is Intent.RUN and other.standing.quarantined_at is None
                    require(
                        not passed or other.in_line > after.in_line, "an execution was overtaken in line:", other.row.id
                    )


def _is_wanted(parent: Kept, child: Kept) -> bool:
    index = child.row.asked.parent_step
    assert index is not None, "a step started it"
    row = parent.steps[index]
    if child.row.id not in parent.children.values():
        return parent.is_live
    return row.state.status is StepStatus.WAITING and parent.children.get((index, row.attempts)) == child.row.id


def _is_of_an_earlier_try(history: History, after: Kept, index: int) -> bool:
    """Whether it is a part that its map or loop does not count any more, or not yet again."""
    if not PARTS <= index < COMPENSATIONS:
        return False
    owner = index // PARTS - 1
    return index % PARTS >= after.steps[owner].parts_made


def _is_spent(history: History, after: Kept, index: int) -> bool:
    """Whether it is a map or loop that has ended: what it counted of its parts is of no use any more."""
    return bool(history.step(index).body) and after.steps[index].state.status in {
        StepStatus.SUCCEEDED,
        StepStatus.FAILED,
        StepStatus.CANCELLED,
        StepStatus.SKIPPED,
        StepStatus.RETRYING,
        StepStatus.PENDING,
    }
