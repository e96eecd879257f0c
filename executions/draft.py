"""One change in the making: facts are worked in, and what must be written grows beside them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from executions.change import ArrivalRow, AttemptEnd, AttemptRow, Change, DueRow, Loaded, Standing, StepRow
from executions.events import Detail, Happening, chain, digest
from executions.plan import Ending, Fact, Plan, Situation, StepState, initial, plan
from executions.states import MOVES, STEP_MOVES, TERMINAL, AttemptStatus, Intent, Status, target
from workflows.spec import Spec


@dataclass(slots=True)
class Draft:
    """What one advance decides about one execution, owned by that advance.

    `note` leaves the data of a step's coming moves, in their order; `settle` works facts in and says which steps became
    ready; `change` closes the draft.
    """

    spec: Spec
    loaded: Loaded
    standing: Standing = field(init=False)
    rows: dict[int, StepRow] = field(init=False)
    ending: Ending | None = None
    reason: str | None = None
    touched: set[int] = field(default_factory=set)
    happenings: list[Happening] = field(default_factory=list)
    attempts: dict[int, AttemptRow] = field(default_factory=dict)
    ends: list[AttemptEnd] = field(default_factory=list)
    due: dict[int, DueRow] = field(init=False)
    due_cleared: bool = False
    due_gone: list[DueRow] = field(default_factory=list)
    due_new: dict[int, DueRow] = field(default_factory=dict)
    consumed: list[int] = field(default_factory=list)
    moves: list[str] = field(default_factory=list)
    _states: dict[int, StepState] = field(init=False)
    _notes: dict[int, list[dict[str, Detail]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.standing = self.loaded.row.standing
        self.due = {row.index: row for row in self.loaded.due}
        if self.standing.steps_made:
            self.rows = dict(self.loaded.steps)
        else:
            self.rows = {index: StepRow(state) for index, state in initial(self.spec).steps.items()}
            self.touched = set(self.rows)
        self._states = {index: row.state for index, row in self.rows.items()}

    @property
    def now(self) -> datetime:
        return self.loaded.now

    @property
    def running(self) -> bool:
        """Whether anything new may begin."""
        alive = self.standing.status not in TERMINAL and self.ending is None
        return alive and self.standing.intent is Intent.RUN

    def add_steps(self, rows: Mapping[int, StepRow]) -> None:
        """Widen the neighbourhood by rows that were loaded later."""
        for index, row in rows.items():
            if index not in self.rows:
                self.rows[index] = row
                self._states[index] = row.state

    def note(self, index: int, **data: Detail) -> None:
        self._notes.setdefault(index, []).append(data)

    def tell(self, event: str, step: str | None, **data: Detail) -> None:
        self.happenings.append(Happening(event, data, step))

    def settle(self, *facts: Fact) -> tuple[int, ...]:
        """Work facts in; the steps that became ready. Raises NeedsSteps, with nothing changed, for rows not loaded."""
        standing = self.standing
        situation = Situation(standing.status, standing.intent, standing.counters, self._states)
        planned = plan(self.spec, situation, facts)
        self.moves += planned.moves
        for move in planned.moves:
            self.happenings.append(Happening(MOVES[move].event, self._execution_data(move)))
        for index, state in planned.steps.items():
            self.rows[index] = replace(self.rows[index], state=state)
            self._states[index] = state
            self.touched.add(index)
        for step_move in planned.step_moves:
            notes = self._notes.get(step_move.index)
            data = notes.pop(0) if notes else {}
            name = self.spec.steps[step_move.index].name
            self.happenings.append(Happening(STEP_MOVES[step_move.move].event, data, name))
        self._stand(planned)
        return planned.ready

    def begin(self, index: int, input_text: str | None) -> AttemptRow:
        """Put down the attempt that a Began fact stands for; the number is the step's next."""
        row = self.rows[index]
        attempt = AttemptRow(index, row.attempts + 1, AttemptStatus.RUNNING, input_text)
        self.rows[index] = replace(row, attempts=attempt.number)
        self.attempts[index] = attempt
        self.touched.add(index)
        return attempt

    def end(self, end: AttemptEnd) -> None:
        """Put down how an attempt ended: on its row, or where it began in this very change, with it."""
        row = self.rows[end.index]
        self.rows[end.index] = replace(
            row,
            failures=row.failures + (end.status is AttemptStatus.FAILED),
            losses=row.losses + (end.status in {AttemptStatus.LOST, AttemptStatus.OUTCOME_UNKNOWN}),
        )
        self.touched.add(end.index)
        begun = self.attempts.get(end.index)
        if begun is not None and begun.number == end.number:
            self.attempts[end.index] = replace(begun, status=end.status, output=end.output, error=end.error)
        else:
            self.ends.append(end)

    def schedule(self, index: int, at: datetime) -> None:
        """The step may begin at `at`, by whoever takes it."""
        self.due[index] = self.due_new[index] = DueRow(index, at)

    def unschedule(self, index: int) -> None:
        """The step was taken up."""
        row = self.due.pop(index, None)
        if row is not None and self.due_new.pop(index, None) is None:
            self.due_gone.append(row)

    def consume(self, arrival: ArrivalRow) -> None:
        self.consumed.append(arrival.id)

    def change(self, output: str | None = None, outcome: tuple[str | None, str | None] = (None, None)) -> Change:
        """Everything to be written, the events chained. `output` is the execution's, `outcome` (value, error)."""
        if self.ending is not None:
            self._finish(self.ending, output, outcome)
        row = self.loaded.row
        self.standing = replace(self.standing, due_at=self._due_at(), tries=0, steps_made=True)
        events, _ = chain(str(row.id), row.event_sequence, row.chain_head, self.happenings, self.now)
        made = row.standing.steps_made
        return Change(
            before=row,
            now=self.now,
            standing=self.standing,
            moves=self.moves,
            events=events,
            steps={index: self.rows[index] for index in sorted(self.touched)},
            step_names={} if made else {step.index: step.name for step in self.spec.steps},
            attempts=list(self.attempts.values()),
            ends=self.ends,
            due_gone=self.due_gone,
            due_new=list(self.due_new.values()),
            due_cleared=self.due_cleared,
            consumed=self.consumed,
        )

    def _stand(self, planned: Plan) -> None:
        started = Status.RUNNING if "start" in planned.moves else None
        self.ending = planned.ending
        self.standing = replace(
            self.standing,
            status=planned.status,
            intent=planned.intent,
            counters=planned.counters,
            started_at=self.now if started else self.standing.started_at,
        )

    def _finish(self, ending: Ending, output: str | None, outcome: tuple[str | None, str | None]) -> None:
        self.moves.append(ending)
        # Only a window of them was loaded, so what is left goes without being named.
        self.due_cleared = bool(self.loaded.due)
        self.due_new.clear()
        data = self._execution_data(ending) | {"output": digest(output) if output is not None else None}
        self.happenings.append(Happening(MOVES[ending].event, data))
        self.standing = replace(
            self.standing,
            status=target(ending, self.standing.status),
            counters=replace(self.standing.counters, ready=0),
            status_reason=None if ending == "succeed" else self._reason(),
            finished_at=self.now,
            output=output,
            outcome=outcome[0],
            outcome_error=outcome[1],
        )

    def _execution_data(self, move: str) -> dict[str, Detail]:
        return {"reason": self._reason()} if move in {"fail", "cancel"} else {}

    def _reason(self) -> str | None:
        return self.reason or self.standing.status_reason

    def _due_at(self) -> datetime | None:
        if self.standing.status in TERMINAL:
            return None
        moments = [row.due_at for row in self.due.values()] if self.running else []
        if self.standing.deadline_at is not None:
            moments.append(self.standing.deadline_at)
        return min(moments, default=None)
