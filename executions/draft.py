"""One change in the making: facts are worked in, and what must be written grows beside them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from contract import json_values
from executions.change import (
    ArrivalRow,
    AttemptEnd,
    AttemptRow,
    Carrier,
    Change,
    ClosedTask,
    DueRow,
    Loaded,
    NewStep,
    NewTask,
    Notice,
    Standing,
    States,
    StepRow,
)
from executions.commitments import commit_begun, commit_ends
from executions.events import Detail, Happening, chain, digest
from executions.plan import Ending, Fact, Plan, Situation, initial, plan
from executions.states import MOVES, STEP_MOVES, TERMINAL, AttemptStatus, Intent, target
from workflows.spec import COMPENSATIONS, Spec, TaskProgram

ENDING_EARLY = frozenset({Intent.CANCEL, Intent.FAIL})
_LOST = frozenset({AttemptStatus.LOST, AttemptStatus.OUTCOME_UNKNOWN})


@dataclass(slots=True)
class Draft:
    """What one advance decides about one execution, owned by that advance.

    `note` leaves the data of a step's coming moves, in their order; `settle` works facts in and says what follows;
    `change` closes the draft. `reason` is why a command ends the execution early, `cause` names the request
    that it came with, `failures` by step why it failed.
    """

    spec: Spec
    loaded: Loaded
    carrier: Carrier
    standing: Standing = field(init=False)
    rows: dict[int, StepRow] = field(init=False)
    ending: Ending | None = None
    reason: str | None = None
    cause: dict[str, Detail] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)
    blocked: bool = False
    touched: set[int] = field(default_factory=set)
    happenings: list[Happening] = field(default_factory=list)
    attempts: dict[int, AttemptRow] = field(default_factory=dict)
    ends: list[AttemptEnd] = field(default_factory=list)
    tasks: dict[int, NewTask] = field(default_factory=dict)
    tasks_closed: list[ClosedTask] = field(default_factory=list)
    due: dict[int, DueRow] = field(init=False)
    due_cleared: bool = False
    due_gone: list[DueRow] = field(default_factory=list)
    due_new: dict[int, DueRow] = field(default_factory=dict)
    consumed: list[int] = field(default_factory=list)
    kept: list[ArrivalRow] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    new_steps: dict[int, NewStep] = field(default_factory=dict)
    moves: list[str] = field(default_factory=list)
    _notes: dict[int, list[dict[str, Detail]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.standing = self.loaded.row.standing
        self.due = {row.index: row for row in self.loaded.due}
        if self.standing.steps_made:
            self.rows = dict(self.loaded.steps)
        else:
            self.rows = {index: StepRow(state) for index, state in initial(self.spec).steps.items()}
            self.touched = set(self.rows)
            self.new_steps = {step.index: NewStep(step.name) for step in self.spec.steps}

    @property
    def now(self) -> datetime:
        return self.loaded.now

    @property
    def alive(self) -> bool:
        return self.standing.status not in TERMINAL and self.ending is None

    @property
    def running(self) -> bool:
        """Whether anything new of the definition may begin."""
        return self.alive and self.standing.intent is Intent.RUN and not self.blocked

    @property
    def ending_early(self) -> bool:
        """Whether it has yet to end, and will not succeed."""
        return self.standing.status not in TERMINAL and self.standing.intent in ENDING_EARLY

    @property
    def resumable(self) -> bool:
        """Whether what may not begin now may do so later."""
        return self.alive and self.standing.intent is Intent.PAUSE

    def may_begin(self, index: int) -> bool:
        """Whether this step may begin: of an execution that ends early only compensations may."""
        if index >= COMPENSATIONS:
            return self.alive and self.standing.compensating
        return self.running

    def add_steps(self, rows: Mapping[int, StepRow]) -> None:
        """Widen the neighbourhood by rows that were loaded later."""
        for index, row in rows.items():
            if index not in self.rows:
                self.rows[index] = row

    def note(self, index: int, **data: Detail) -> None:
        self._notes.setdefault(index, []).append(data)

    def tell(self, event: str, step: str | None, **data: Detail) -> None:
        self.happenings.append(Happening(event, data, step))

    def make(self, rows: Mapping[int, StepRow], news: Mapping[int, NewStep]) -> None:
        """Add rows for parts or compensations; one that is there already begins anew, its attempts counted on."""
        self.rows.update(rows)
        self.touched.update(rows)
        self.new_steps.update(news)

    def settle(self, *facts: Fact) -> Plan:
        """Work facts in. Raises NeedsSteps, with nothing changed, for rows not loaded."""
        standing = self.standing
        situation = Situation(
            standing.status, standing.intent, standing.counters, States(self.rows), standing.compensating
        )
        planned = plan(self.spec, situation, facts)
        for move in planned.moves:
            if move != "wait":
                self._move(move)
        for index, state in planned.steps.items():
            self.rows[index] = self.rows[index]._replace(state=state)
        self.touched.update(planned.steps)
        for step_move in planned.step_moves:
            self._tell_move(step_move.index, step_move.move)
        if "wait" in planned.moves:
            self._move("wait")
        self._stand(planned)
        return planned

    def _tell_move(self, index: int, move: str) -> None:
        notes, row = self._notes.get(index), self.rows[index]
        data = notes.pop(0) if notes else {}
        if row.parts_made:
            data = {"parts": row.parts_made, "opened": row.parts_opened, **data}
        self.happenings.append(Happening(STEP_MOVES[move].event, data, self.spec.step(index).name, index))

    def begin(self, index: int, input_text: str | None, status: AttemptStatus = AttemptStatus.RUNNING) -> AttemptRow:
        """Put down the attempt that a Began fact stands for; the number is the step's next."""
        row = self.rows[index]
        attempt = AttemptRow(index, row.attempts + 1, status, input_text)
        self.rows[index] = row._replace(attempts=attempt.number)
        self.attempts[index] = attempt
        self.touched.add(index)
        return attempt

    def end(self, end: AttemptEnd) -> None:
        """Put down how an attempt ended: on its row, or where it began in this very change, with it."""
        row = self.rows[end.index]
        if end.status is AttemptStatus.FAILED:
            self.rows[end.index] = row._replace(failures=row.failures + 1)
        elif end.status in _LOST:
            self.rows[end.index] = row._replace(losses=row.losses + 1)
        self.touched.add(end.index)
        begun = self.attempts.get(end.index)
        if begun is not None and begun.number == end.number:
            self.attempts[end.index] = AttemptRow(
                begun.index, begun.number, end.status, begun.input, end.output, end.error
            )
        else:
            earlier = next((row for row in self.ends if (row.index, row.number) == (end.index, end.number)), None)
            if earlier is not None:
                self.ends.remove(earlier)
                end = replace(end, child=end.child or earlier.child)
            self.ends.append(end)
        if isinstance(self.spec.written(end.index).program, TaskProgram) and self.tasks.pop(end.index, None) is None:
            self.tasks_closed.append(ClosedTask(end.index, end.number))

    def has_ended(self, index: int, number: int) -> bool:
        """Whether this attempt, begun before this look, was ended in it."""
        ends = (end.status for end in self.ends if end.index == index and end.number == number)
        return any(status is not AttemptStatus.WAITING for status in ends)

    def hand_out(self, task: NewTask) -> None:
        """Have workers of its agent claim the attempt that waits."""
        self.tasks[task.index] = task

    def schedule(self, index: int, at: datetime) -> None:
        """The step may begin at `at`, by whoever takes it."""
        self.due[index] = self.due_new[index] = DueRow(index, at)

    def unschedule(self, index: int) -> None:
        """The step was taken up."""
        row = self.due.pop(index, None)
        if row is not None and self.due_new.pop(index, None) is None:
            self.due_gone.append(row)

    def outputs(self, first: int, end: int) -> dict[int, str]:
        """The outputs that the steps from `first` on, before `end`, gave in this very look."""
        given: list[AttemptRow | AttemptEnd] = [*self.attempts.values(), *self.ends]
        succeeded = [row for row in given if row.status is AttemptStatus.SUCCEEDED and row.output is not None]
        return {row.index: row.output or "" for row in succeeded if first <= row.index < end}

    def consume(self, arrival: ArrivalRow) -> None:
        self.consumed.append(arrival.id)
        self.kept = [row for row in self.kept if row.id != arrival.id]

    def keep(self, arrival: ArrivalRow) -> None:
        """It came before its time: it is not looked at again until something asks for it."""
        self.kept.append(arrival)

    def drop_due(self) -> None:
        """Nothing of the definition begins any more; only a window of what is due was loaded, so all of it goes."""
        self.due_cleared = bool(self.loaded.due)
        self.due.clear()
        self.due_new.clear()

    def change(self, output: str | None = None, outcome: tuple[str | None, str | None] = (None, None)) -> Change:
        """Everything to be written, the events chained. `output` is the execution's, `outcome` (value, error)."""
        if self.ending is not None:
            self._finish(self.ending, output, outcome)
        row = self.loaded.row
        made = self.standing.steps_made or not self.blocked
        self.standing = self.standing._replace(due_at=self._due_at(), tries=0, steps_made=made)
        moved = self.ending is not None or "start" in self.moves
        commit_begun(self.happenings, self.attempts.values(), self.carrier, self._action)
        commit_ends(self.happenings, self.ends)
        events, _ = chain(str(row.id), row.event_sequence, row.chain_head, self.happenings, self.now)
        return Change(
            before=row,
            now=self.now,
            standing=self.standing,
            moves=self.moves,
            events=events,
            steps={index: self.rows[index] for index in sorted(self.touched)} if made else {},
            new_steps=self.new_steps if made else {},
            attempts=list(self.attempts.values()),
            ends=self.ends,
            tasks=list(self.tasks.values()),
            tasks_closed=self.tasks_closed,
            due_gone=self.due_gone,
            due_new=list(self.due_new.values()),
            due_cleared=self.due_cleared,
            consumed=self.consumed,
            kept=[row.id for row in self.kept],
            notices=self.notices,
            frees=row.concurrency_key if moved else None,
        )

    def _move(self, move: str) -> None:
        """Put down a move; one that is woken within the very change never waited for anything outside."""
        if move == "wake" and self.moves[-1:] == ["wait"]:
            self.moves.pop()
            event = MOVES["wait"].event
            del self.happenings[max(i for i, told in enumerate(self.happenings) if told.type == event)]
            return
        self.moves.append(move)
        self.happenings.append(Happening(MOVES[move].event, self._execution_data(move)))

    def _stand(self, planned: Plan) -> None:
        self.ending = planned.ending
        if planned.intent in ENDING_EARLY and self.standing.intent not in ENDING_EARLY:
            self._head_for_the_end(planned.failed_by)
        self.standing = self.standing._replace(
            status=planned.status,
            intent=planned.intent,
            counters=planned.counters,
            compensating=planned.compensating,
        )
        if "start" in planned.moves:
            reason = None if planned.intent is Intent.RUN else self.standing.status_reason
            self.standing = self.standing._replace(started_at=self.now, status_reason=reason)

    def _head_for_the_end(self, failed_by: int | None) -> None:
        reason = self.reason
        if failed_by is not None:
            name = self.spec.steps[failed_by].name
            reason = f"step {name} failed: {self.failures.get(failed_by, '')}"[:2000]
        self.standing = self.standing._replace(status_reason=reason)

    def _finish(self, ending: Ending, output: str | None, outcome: tuple[str | None, str | None]) -> None:
        self.moves.append(ending)
        self.drop_due()
        # An outcome that is there before the end was given by somebody (continue_pass), and stays.
        given = self.standing.outcome
        verdict = outcome if given is None else (given, None)
        data = self._execution_data(ending) | self.cause
        if ending == "succeed":
            data = data | {
                name: None if text is None else digest(text)
                for name, text in (("output", output), ("outcome", verdict[0]), ("outcome_error", verdict[1]))
            }
        self.happenings.append(Happening(MOVES[ending].event, data))
        self.standing = self.standing._replace(
            status=target(ending, self.standing.status),
            counters=self.standing.counters._replace(ready=0),
            status_reason=None if ending == "succeed" else self.standing.status_reason,
            grace_at=None,
            finished_at=self.now,
            output=output,
            outcome=verdict[0],
            outcome_error=verdict[1],
        )
        self._tell_parent()

    def _tell_parent(self) -> None:
        row = self.loaded.row
        if row.asked.parent_id is not None:
            payload = json_values.dump({"index": row.asked.parent_step, "child": str(row.id)})
            self.notices.append(Notice(row.asked.parent_id, "child_ended", payload, f"execution:{row.id}"))

    def _action(self, index: int) -> str:
        step = self.spec.step(index)
        return f"{step.action}@{step.program.action_version}"

    def _execution_data(self, move: str) -> dict[str, Detail]:
        return {"reason": self.standing.status_reason} if move in {"fail", "cancel"} else {}

    def _due_at(self) -> datetime | None:
        standing = self.standing
        if standing.status in TERMINAL or self.blocked:
            return None
        written, undoing = self.running, self.may_begin(COMPENSATIONS)
        moments = [row.due_at for row in self.due.values() if (undoing if row.index >= COMPENSATIONS else written)]
        if self.loaded.due_is_cut and self.running and not self.due_cleared:
            moments.append(self.loaded.due[-1].due_at)
        if standing.intent not in ENDING_EARLY and standing.deadline_at is not None:
            moments.append(standing.deadline_at)
        if standing.grace_at is not None and standing.counters.running and not standing.compensating:
            moments.append(standing.grace_at)
        return min(moments, default=None)
