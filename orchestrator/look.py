"""One look at one execution under its lock: what was read, what is being decided, what has yet to be seen to."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from contract.json_values import JSON
from executions.change import AgentRow, Change, DueRow, Loaded, StepRow
from executions.draft import Draft
from executions.neighbourhood import ahead, onwards, reach
from executions.plan import Fact, NeedsSteps
from executions.store import DUE_WINDOW, Session
from orchestrator.outcomes import Claim, Limits
from orchestrator.values import Values
from workflows.spec import Runnable, Spec

NEIGHBOURHOOD = 256
AHEAD = 64
"""Steps that are loaded, and kept in mind, for a process that goes on with an execution step by step."""


@dataclass(slots=True)
class Look:
    """Shared by everything that decides about the execution in this look.

    `ready`: steps that may be taken up; `parted`: steps of which a part ended; `superfluous`: steps that a join goes on
    without. Each is worked off before the look ends. `agents` are those that steps name, once they were asked for.
    """

    session: Session
    loaded: Loaded
    runnable: Runnable
    limits: Limits
    draft: Draft = field(init=False)
    values: Values = field(init=False)
    claim: Claim | None = None
    output: tuple[JSON, str] | None = None
    ready: deque[int] = field(default_factory=deque)
    parted: deque[int] = field(default_factory=deque)
    superfluous: deque[int] = field(default_factory=deque)
    agents: dict[UUID, AgentRow | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.draft = Draft(self.runnable.spec, self.loaded, self.session.carrier)
        self.values = Values(self.session, self.loaded, self.runnable, self.draft)

    @property
    def spec(self) -> Spec:
        return self.runnable.spec

    def row(self, index: int) -> StepRow:
        """The step as it stands now, loaded if it was not."""
        if index not in self.draft.rows:
            self.load([index])
        return self.draft.rows[index]

    def load(self, indexes: Iterable[int]) -> None:
        missing = [index for index in indexes if index not in self.draft.rows]
        if missing:
            around = frozenset().union(*(reach(self.spec, index, NEIGHBOURHOOD) for index in missing))
            self._bring(around | {row.index for row in self.loaded.due})

    def _bring(self, wanted: frozenset[int]) -> None:
        self.draft.add_steps(self.session.steps(self.loaded.row.id, wanted - self.draft.rows.keys()))

    def onwards(self, indexes: Iterable[int]) -> frozenset[int]:
        return onwards(self.spec, indexes, 2 * AHEAD)

    def widen(self, index: int) -> None:
        """Load what an end of this step can touch and, where any of that is missing, of those that are due next."""
        reached = reach(self.spec, index, NEIGHBOURHOOD)
        if not reached <= self.draft.rows.keys():
            self._bring(reached | self.onwards(row.index for row in self.loaded.due))

    def left(self, change: Change) -> Loaded | None:
        """The execution as this change leaves it, for the process that claimed its only step to go on with.

        None where anyone else may have a hand in it meanwhile, or where it is not known what is due next.
        """
        counters, claim = change.standing.counters, self.claim
        alone = counters.running == 1 and not counters.waiting and self.draft.running
        if claim is None or not alone or self.loaded.arrivals:
            return None
        due = sorted(self.draft.due.values(), key=_order)
        if self.loaded.due_is_cut:
            due = [row for row in due if _order(row) <= _order(self.loaded.due[-1])]
        is_cut = self.loaded.due_is_cut or len(due) > DUE_WINDOW
        if is_cut and len(due) < 2:
            return None
        steps: Mapping[int, StepRow] = self.draft.rows
        if len(steps) > 4 * AHEAD:
            wanted = ahead(self.spec, claim.step.index, AHEAD) | self.onwards(row.index for row in due)
            steps = {index: steps[index] for index in wanted if index in steps}
        return Loaded(change.after(), change.now, steps, due[:DUE_WINDOW], (), is_cut)

    def settle(self, *facts: Fact) -> None:
        """Work facts in, and put down what has to be seen to because of them."""
        while True:
            try:
                planned = self.draft.settle(*facts)
                break
            except NeedsSteps as needs:
                self.load(needs.indexes)
        self.values.forget(planned.steps)
        self.ready.extend(planned.ready)
        self.parted.extend(planned.parted)
        self.superfluous.extend(planned.superfluous)


def _order(row: DueRow) -> tuple[datetime, int]:
    return row.due_at, row.index
