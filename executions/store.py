"""The port between the engine and where it remembers; PostgreSQL behind it is postgres_store.py.

One session is one transaction on one execution, and at most one more that was taken without waiting.
Lock order: the execution first; a second execution only by SKIP LOCKED; then rows of theirs. An execution that is gone
on with needs no lock to be read: what is decided about it holds only if its `seq` is still the one that was known.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from executions.change import (
    AgentRow,
    ArrivalRow,
    Carrier,
    Change,
    ExecutionRow,
    Loaded,
    RunningAttempt,
    StepRow,
    WaitingAttempt,
)
from executions.states import Status, StepStatus

DUE_WINDOW = 65
"""Due steps that one look loads: one more than an advance takes up, so that the next due time is known."""


@dataclass(frozen=True, slots=True)
class Result:
    """What another step may read of one: `output` is JSON text, None unless it succeeded."""

    status: StepStatus
    output: str | None


@dataclass(frozen=True, slots=True)
class Child:
    """`output` is JSON text, None unless it succeeded."""

    status: Status
    status_reason: str | None
    output: str | None


class Superseded(Exception):
    """A change was not applied, for the execution had moved on since it was read: read again."""


class Session(Protocol):
    """One transaction, in the name of `carrier`. Leaving it without commit undoes everything.

    Texts stand here as they are, wherever they are kept; only those of what was asked for are read by `text`. What
    gives a text raises Away where it is not at hand, and so does `stage` for one that is not kept yet.
    """

    @property
    def carrier(self) -> Carrier: ...

    def lock(self, execution_id: UUID, indexes: Collection[int]) -> Loaded | None:
        """Wait for the execution's lock, then read it, these steps, what is due and what arrived; None if unknown."""

    def go_on(self, known: Loaded) -> Loaded | None:
        """An execution as this process itself left it, at this moment; None where that was too long ago.

        It is not locked: a change to it is applied only if nobody else has changed it since.
        """

    def take(self, avoided: Collection[UUID]) -> Loaded | None:
        """The execution that has been due longest and that nobody locked, no steps loaded; None if nothing is due.

        None of those that are to be avoided.
        """

    def text(self, execution_id: UUID, column: str) -> str:
        """The JSON text of a column of an execution that this session has locked."""

    def steps(self, execution_id: UUID, indexes: Collection[int]) -> Mapping[int, StepRow]:
        """More steps of an execution that this session has locked, or goes on with."""

    def results(self, execution_id: UUID, indexes: Collection[int]) -> Mapping[int, Result]:
        """What these steps came to."""

    def items(self, execution_id: UUID, indexes: Collection[int]) -> Mapping[int, str]:
        """What these parts of maps work on, as JSON text."""

    def waiting(self, execution_id: UUID, indexes: Collection[int] | None) -> Sequence[WaitingAttempt]:
        """The attempts that wait: at these steps with their inputs; or all there are, without."""

    def running(self, execution_id: UUID) -> Sequence[RunningAttempt]:
        """The attempts that run, without their inputs."""

    def awaiting(self, execution_id: UUID, signal: str) -> Sequence[WaitingAttempt]:
        """The attempts that wait for this signal, the longest waiting first; as many as one look may have arrivals."""

    def kept(self, execution_id: UUID, signal: str) -> Sequence[ArrivalRow]:
        """The signals of this name that came before their wait, the oldest first; as many as a look may begin waits."""

    def unopened(self, execution_id: UUID, first: int, end: int, most: int) -> Mapping[int, StepRow]:
        """The first parts from index `first` on, before `end`, that have not begun; at most `most`."""

    def unended(self, execution_id: UUID, first: int, end: int) -> Mapping[int, StepRow]:
        """Every part from index `first` on, before `end`, that has begun or may begin, and has not ended."""

    def joined(self, execution_id: UUID, first: int, end: int, own: Mapping[int, str], most_bytes: int) -> str | None:
        """The outputs of these parts in order, null for one without, as the JSON text of a list; None if longer.

        `own` are outputs that are not written yet.
        """

    def to_compensate(self, execution_id: UUID, indexes: Collection[int]) -> int | None:
        """Which of these steps succeeded last and was not compensated yet."""

    def child(self, execution_id: UUID) -> Child:
        """How an execution that was started for a step stands."""

    def live_children(self, execution_id: UUID) -> Sequence[UUID]:
        """The executions that were started for its steps and have not ended."""

    def agent(self, execution_id: UUID, agent_id: UUID) -> AgentRow | None:
        """An agent of the execution's tenant, None if it has none with this id."""

    def admitted(self, row: ExecutionRow, limit: int) -> bool:
        """Whether fewer than `limit` executions with its concurrency key run and nobody was queued before it.

        From here to the end of the session no other execution with this key is admitted.
        """

    def stage(self, change: Change, searched: Collection[int] = ()) -> None:
        """Have the change applied by commit. `searched`: the steps whose inputs the database looks into."""

    def commit(self) -> None:
        """Make what is staged durable as the session is left, which raises Superseded where a change did not apply."""


class Store(Protocol):
    """Where executions are remembered."""

    def session(self) -> AbstractContextManager[Session]: ...

    def held(self) -> Collection[RunningAttempt]:
        """The attempts that stand as running in this process's name."""

    def push_back(self, execution_id: UUID, reason: str) -> None:
        """Move an execution that could not be advanced away from the head of what is due; in the end quarantine it."""
