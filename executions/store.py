"""The port between the engine and where it remembers, and PostgreSQL behind it.

One session is one transaction on one execution, and at most one more that was taken without waiting.
Lock order: the execution first; a second execution only by SKIP LOCKED; then rows of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from contract import json_values
from executions import statements, transitions
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
from executions.loading import loaded, step_row
from executions.payloads.changes import referred
from executions.payloads.contents import Contents, Place
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

    def take(self) -> Loaded | None:
        """The execution that has been due longest and that nobody locked, no steps loaded; None if nothing is due."""

    def text(self, execution_id: UUID, column: str) -> str:
        """The JSON text of a column of an execution that this session has locked."""

    def steps(self, execution_id: UUID, indexes: Collection[int]) -> Mapping[int, StepRow]:
        """More steps of an execution that this session has locked."""

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


Clock = Callable[[], datetime | None]


def database_clock() -> datetime | None:
    """No time of our own: every statement takes the server's."""
    return None


class PostgresStore:
    """The store on one psycopg connection, pipelined and prepared; used by one thread."""

    def __init__(self, url: str, carrier: Carrier, contents: Contents, clock: Clock = database_clock) -> None:
        self._url = url
        self._carrier = carrier
        self._contents = contents
        self._clock = clock
        self._connection: psycopg.Connection[dict[str, Any]] | None = None

    @contextmanager
    def session(self) -> Iterator[Session]:
        connection = self._connect()
        try:
            with connection.pipeline():
                session = _PostgresSession(connection, self._carrier, self._contents, self._clock())
                yield session
            if not session.ended:
                connection.rollback()
        except BaseException:
            self._abandon(connection)
            raise
        if not session.applied():
            raise Superseded

    def held(self) -> Collection[RunningAttempt]:
        rows = self._connect().execute(statements.HELD, {"boot_id": self._carrier.boot_id}).fetchall()
        return [RunningAttempt(**row) for row in rows]

    def push_back(self, execution_id: UUID, reason: str) -> None:
        connection = self._connect()
        now = connection.execute(statements.CLOCK, {"now": self._clock()}).fetchall()[0]
        with connection.cursor() as cursor:
            transitions.push_back(cursor, execution_id, now["now"], reason)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> psycopg.Connection[dict[str, Any]]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url, autocommit=True, row_factory=dict_row, options=statements.OPTIONS
            )
            self._connection.prepare_threshold = 0
            self._connection.prepared_max = 1000
        return self._connection

    def _abandon(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        """After an error inside a pipeline nothing is known of the transaction: a rollback, or a new connection."""
        try:
            connection.rollback()
        except psycopg.Error:
            connection.close()


class _PostgresSession:
    def __init__(
        self,
        connection: psycopg.Connection[dict[str, Any]],
        carrier: Carrier,
        contents: Contents,
        now: datetime | None,
    ) -> None:
        self._connection = connection
        self.carrier = carrier
        self._contents = contents
        self._now = now
        self._places: dict[UUID, Place] = {}
        self._staged: list[psycopg.Cursor[dict[str, Any]]] = []
        self.ended = False
        connection.execute("BEGIN")

    def lock(self, execution_id: UUID, indexes: Collection[int]) -> Loaded | None:
        locked = self._connection.execute(statements.LOCK, {"id": execution_id})
        around = self._around(execution_id, indexes)
        row = locked.fetchone()
        return None if row is None else self._loaded(row, around)

    def take(self) -> Loaded | None:
        row = self._connection.execute(statements.TAKE, {"now": self._now}).fetchone()
        return None if row is None else self._loaded(row, self._around(row["id"], ()))

    def text(self, execution_id: UUID, column: str) -> str:
        return self._texts(execution_id, [column])[0]

    def steps(self, execution_id: UUID, indexes: Collection[int]) -> Mapping[int, StepRow]:
        found = self._connection.execute(statements.STEPS, {"id": execution_id, "indexes": list(indexes)})
        return {row["index"]: step_row(row) for row in found.fetchall()}

    def results(self, execution_id: UUID, indexes: Collection[int]) -> Mapping[int, Result]:
        found = self._connection.execute(statements.RESULTS, {"id": execution_id, "indexes": list(indexes)})
        rows = found.fetchall()
        outputs = iter(self._texts(execution_id, [row["output"] for row in rows if row["output"] is not None]))
        return {
            row["index"]: Result(StepStatus(row["status"]), None if row["output"] is None else next(outputs))
            for row in rows
        }

    def items(self, execution_id: UUID, indexes: Collection[int]) -> Mapping[int, str]:
        found = self._connection.execute(statements.ITEMS, {"id": execution_id, "indexes": list(indexes)})
        rows = found.fetchall()
        items = self._texts(execution_id, [row["item"] or "null" for row in rows])
        return {row["index"]: item for row, item in zip(rows, items, strict=True)}

    def waiting(self, execution_id: UUID, indexes: Collection[int] | None) -> Sequence[WaitingAttempt]:
        if indexes is None:
            found = self._connection.execute(statements.ALL_WAITING, {"id": execution_id})
        else:
            found = self._connection.execute(statements.WAITING, {"id": execution_id, "indexes": list(indexes)})
        return [WaitingAttempt(**row) for row in found.fetchall()]

    def running(self, execution_id: UUID) -> Sequence[RunningAttempt]:
        found = self._connection.execute(statements.RUNNING, {"id": execution_id})
        return [RunningAttempt(**row) for row in found.fetchall()]

    def awaiting(self, execution_id: UUID, signal: str) -> Sequence[WaitingAttempt]:
        found = self._connection.execute(statements.AWAITING, {"id": execution_id, "signal": signal})
        return [WaitingAttempt(**row) for row in found.fetchall()]

    def kept(self, execution_id: UUID, signal: str) -> Sequence[ArrivalRow]:
        found = self._connection.execute(statements.KEPT, {"id": execution_id, "signal": signal})
        return [ArrivalRow(**row) for row in found.fetchall()]

    def unopened(self, execution_id: UUID, first: int, end: int, most: int) -> Mapping[int, StepRow]:
        parameters = {"id": execution_id, "first": first, "end": end, "most": most}
        return {
            row["index"]: step_row(row) for row in self._connection.execute(statements.UNOPENED, parameters).fetchall()
        }

    def unended(self, execution_id: UUID, first: int, end: int) -> Mapping[int, StepRow]:
        found = self._connection.execute(statements.UNENDED, {"id": execution_id, "first": first, "end": end})
        return {row["index"]: step_row(row) for row in found.fetchall()}

    def joined(self, execution_id: UUID, first: int, end: int, own: Mapping[int, str], most_bytes: int) -> str | None:
        rows = json_values.dump([{"index": index, "output": output} for index, output in own.items()])
        parameters = {"id": execution_id, "first": first, "end": end, "own": rows, "most": most_bytes}
        row = self._connection.execute(statements.JOINED, parameters).fetchone()
        if row is None or row["parts"] is None:
            return None if row is None else row["items"]
        return f"[{','.join(self._texts(execution_id, row['parts']))}]"

    def to_compensate(self, execution_id: UUID, indexes: Collection[int]) -> int | None:
        row = self._connection.execute(
            statements.TO_COMPENSATE, {"id": execution_id, "indexes": list(indexes)}
        ).fetchone()
        return None if row is None else row["index"]

    def child(self, execution_id: UUID) -> Child:
        row = self._connection.execute(statements.CHILD, {"id": execution_id}).fetchone()
        if row is None:
            raise LookupError(f"there is no execution {execution_id}")
        self._places[execution_id] = Place(row["tenant_id"], execution_id)
        output = None if row["output"] is None else self.text(execution_id, row["output"])
        return Child(Status(row["status"]), row["status_reason"], output)

    def live_children(self, execution_id: UUID) -> Sequence[UUID]:
        found = self._connection.execute(statements.LIVE_CHILDREN, {"id": execution_id})
        return [row["id"] for row in found.fetchall()]

    def agent(self, execution_id: UUID, agent_id: UUID) -> AgentRow | None:
        parameters = {"id": execution_id, "agent": agent_id}
        row = self._connection.execute(statements.AGENT_NAMED, parameters).fetchone()
        return None if row is None else AgentRow(row["id"], row["name"], row["status"], tuple(row["actions"]))

    def admitted(self, row: ExecutionRow, limit: int) -> bool:
        parameters = {"id": row.id, "key": row.concurrency_key, "limit": limit}
        self._connection.execute(statements.ADMITTING, parameters)
        found = self._connection.execute(statements.ADMITTED, parameters).fetchone()
        return found is not None and bool(found["admitted"])

    def stage(self, change: Change, searched: Collection[int] = ()) -> None:
        written = referred(change, self._places[change.before.id], self._contents, searched)
        cursor = self._connection.cursor(row_factory=psycopg.rows.tuple_row)
        transitions.apply(cursor, written, self.carrier)
        self._staged.append(cursor)  # type: ignore[arg-type]

    def commit(self) -> None:
        self._connection.execute("COMMIT")
        self.ended = True

    def applied(self) -> bool:
        """Whether every staged change took effect; known once the session was left."""
        return all(transitions.applied(cursor) for cursor in self._staged)

    def _texts(self, execution_id: UUID, columns: Sequence[str]) -> list[str]:
        return self._contents.texts(self._places[execution_id], columns)

    def _loaded(self, row: dict[str, Any], around: psycopg.Cursor[dict[str, Any]]) -> Loaded:
        self._places[row["id"]] = Place(row["tenant_id"], row["id"])
        return loaded(row, around.fetchone())

    def _around(self, execution_id: UUID, indexes: Collection[int]) -> psycopg.Cursor[dict[str, Any]]:
        parameters = {"id": execution_id, "indexes": list(indexes), "now": self._now, "window": DUE_WINDOW}
        return self._connection.execute(statements.AROUND, parameters)
