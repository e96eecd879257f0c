"""What crosses the store's port: rows as they were read, and the one change that is applied to them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from executions.events import EventRow
from executions.plan import Counters, StepState
from executions.states import AttemptStatus, Intent, Status


class Standing(NamedTuple):
    """The columns of an execution that the engine moves."""

    status: Status
    intent: Intent
    counters: Counters
    status_reason: str | None = None
    steps_made: bool = False
    due_at: datetime | None = None
    tries: int = 0
    quarantined_at: datetime | None = None
    deadline_at: datetime | None = None
    grace_at: datetime | None = None
    compensating: bool = False
    run_id: UUID | None = None
    output: str | None = None
    outcome: str | None = None
    outcome_error: str | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


PLAIN_COLUMNS = tuple(name for name in Standing._fields if name not in {"status", "intent", "counters"})
"""The members of a Standing that are columns as they are; statuses are words there, counters four columns."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for: the columns of a submission that steps are computed from. JSON stands as text."""

    input: str
    parameters: str = "{}"
    application_data: str | None = None
    outcome_expression: str | None = None
    request_id: str = ""
    parent_id: UUID | None = None
    parent_step: int | None = None
    timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class AgentRow:
    """An agent as it stands now: what it may do decides whether a step begins."""

    id: UUID
    name: str
    status: str
    actions: tuple[str, ...]


class ExecutionRow(NamedTuple):
    """An execution as it was read: under its lock, or as this process itself wrote it last."""

    id: UUID
    tenant_id: UUID
    version_id: UUID
    seq: int
    event_sequence: int
    chain_head: bytes
    standing: Standing
    asked: Asked
    concurrency_key: str | None = None
    agent: AgentRow | None = None


class StepRow(NamedTuple):
    """A step as it stands: its state for the plan, the number of its newest attempt, how many failed or were lost.

    `generation` is raised where its effect is wanted anew, and with it the key that goes with the effect. Of a step
    with parts, `parts_made` have a row, and those from `parts_opened` on may not have begun yet.
    """

    state: StepState
    attempts: int = 0
    failures: int = 0
    losses: int = 0
    generation: int = 1
    parts_made: int = 0
    parts_opened: int = 0


@dataclass(frozen=True, slots=True)
class States(Mapping[int, StepState]):
    """Where these steps stand, as the plan asks for it."""

    rows: Mapping[int, StepRow]

    def __getitem__(self, index: int) -> StepState:
        return self.rows[index].state

    def __iter__(self) -> Iterator[int]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class NewStep:
    """What a step's row says beside where it stands: its name and, for the part of a map, its item as JSON text."""

    name: str
    item: str | None = None


@dataclass(frozen=True, slots=True)
class DueRow:
    index: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class ArrivalRow:
    """One open row of the inbox; `payload` is JSON text."""

    id: int
    kind: str
    payload: str
    actor: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class RunningAttempt:
    """An attempt that stands as running: what to carry out, or to close. `input` is JSON text."""

    execution_id: UUID
    index: int
    number: int
    input: str


@dataclass(frozen=True, slots=True)
class WaitingAttempt:
    """An attempt that waits; `input` is JSON text of what for, `child` the execution that was started for it."""

    index: int
    number: int
    input: str | None = None
    child: UUID | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """An execution with the neighbourhood that was asked for and the database's clock.

    Where `due` is cut, what follows is due no sooner than its last row, which is there to say so.
    """

    row: ExecutionRow
    now: datetime
    steps: Mapping[int, StepRow]
    due: Sequence[DueRow]
    arrivals: Sequence[ArrivalRow]
    due_is_cut: bool = False


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """An attempt that begins: it runs, it waits or, where `status` is any other, it began and ended at once."""

    index: int
    number: int
    status: AttemptStatus
    input: str | None = None
    output: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """How an open attempt ended, or that it waits from now on, for `child`; only a row that is open takes it."""

    index: int
    number: int
    status: AttemptStatus
    output: str | None = None
    error: str | None = None
    child: UUID | None = None


@dataclass(frozen=True, slots=True)
class NewTask:
    """What workers of an agent may claim from now on: the attempt `number` at the step `index`."""

    id: UUID
    agent_id: UUID
    index: int
    number: int
    deadline_at: datetime | None


@dataclass(frozen=True, slots=True)
class ClosedTask:
    """The attempt has ended, so that nobody may claim its task or report on it any more."""

    index: int
    number: int


@dataclass(frozen=True, slots=True)
class Notice:
    """What one execution puts into another's inbox; `payload` is JSON text."""

    execution_id: UUID
    kind: str
    payload: str
    actor: str


@dataclass(frozen=True, slots=True)
class Carrier:
    """The process that claims attempts: its boot id, its name (host:pid) and the code's version."""

    boot_id: UUID
    name: str
    code_version: str


NOBODY = Carrier(UUID(int=0), "", "")
"""For changes that claim nothing: commands and payments."""


@dataclass(frozen=True, slots=True)
class Change:
    """Everything one decision writes, in one statement, if the execution's seq is still the one that was read.

    `moves` are the moves of the table, in their order, that lead from the status before to the one in `standing`.
    `new_steps` says which of `steps` have no row yet; `kept` are arrivals that came before their time; `frees` is the
    concurrency key whose next execution may be looked at.
    """

    before: ExecutionRow
    now: datetime
    standing: Standing
    moves: Sequence[str]
    events: Sequence[EventRow]
    steps: Mapping[int, StepRow] = field(default_factory=dict)
    new_steps: Mapping[int, NewStep] = field(default_factory=dict)
    attempts: Sequence[AttemptRow] = ()
    ends: Sequence[AttemptEnd] = ()
    tasks: Sequence[NewTask] = ()
    tasks_closed: Sequence[ClosedTask] = ()
    due_gone: Sequence[DueRow] = ()
    due_new: Sequence[DueRow] = ()
    due_cleared: bool = False
    consumed: Sequence[int] = ()
    kept: Sequence[int] = ()
    notices: Sequence[Notice] = ()
    frees: str | None = None

    @property
    def head(self) -> tuple[int, bytes]:
        """The sequence and the hash of the newest event once this is applied."""
        if not self.events:
            return self.before.event_sequence, self.before.chain_head
        return self.events[-1].sequence, self.events[-1].hash

    def after(self) -> ExecutionRow:
        """The execution as it stands once this is applied."""
        sequence, head = self.head
        return self.before._replace(
            seq=self.before.seq + 1,
            event_sequence=sequence,
            chain_head=head,
            standing=self.standing,
        )
