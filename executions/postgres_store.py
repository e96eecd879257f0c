"""PostgreSQL behind the engine's port: one connection, prepared statements, as few round trips as there can be."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from contract import json_values
from contract.clock import Reading
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
from executions.loading import loaded, step_row, untouched
from executions.payloads.changes import referred
from executions.payloads.contents import Contents, Place
from executions.states import Status, StepStatus
from executions.store import DUE_WINDOW, Child, Result, Session, Superseded

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
        self._moment = _Moment(clock)
        self._connection: psycopg.Connection[dict[str, Any]] | None = None

    @contextmanager
    def session(self) -> Iterator[Session]:
        connection = self._connect()
        try:
            with ExitStack() as pipeline:
                session = _PostgresSession(connection, pipeline, self._carrier, self._contents, self._moment)
                yield session
            if not session.ended:
                session.leave()
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
        now = connection.execute(statements.CLOCK, {"now": self._moment.given()}).fetchall()[0]
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


class _Moment:
    """The server's time, as it was read last and, for a little while, without asking again."""

    def __init__(self, clock: Clock) -> None:
        self.given = clock
        self._reading: Reading | None = None

    def read(self, now: datetime) -> None:
        """Take note of the time that the server has just told."""
        self._reading = Reading.now(now)

    def now(self) -> datetime | None:
        """None where the server has to be asked."""
        gone_on = None if self._reading is None else self._reading.gone_on()
        return None if gone_on is None else self.given() or gone_on


class _PostgresSession:
    """Nothing is sent before an answer is wanted or the session commits: a lone change is then its own transaction."""

    def __init__(
        self,
        connection: psycopg.Connection[dict[str, Any]],
        pipeline: ExitStack,
        carrier: Carrier,
        contents: Contents,
        moment: _Moment,
    ) -> None:
        self._connection = connection
        self._pipeline = pipeline
        self.carrier = carrier
        self._contents = contents
        self._moment = moment
        self._now = moment.given()
        self._places: dict[UUID, Place] = {}
        self._unsent: list[Change] = []
        self._sent: list[psycopg.Cursor[Any]] = []
        self._applied = True
        self._begun = False
        self._wrote = False
        self.ended = False

    def lock(self, execution_id: UUID, indexes: Collection[int]) -> Loaded | None:
        self._begin()
        locked = self._connection.execute(statements.LOCK, {"id": execution_id})
        around = self._around(execution_id, indexes)
        row = locked.fetchone()
        return None if row is None else self._loaded(row, around)

    def go_on(self, known: Loaded) -> Loaded | None:
        now = self._moment.now()
        self._places[known.row.id] = Place(known.row.tenant_id, known.row.id)
        return None if now is None else replace(known, now=now)

    def take(self, avoided: Collection[UUID]) -> Loaded | None:
        self._begin()
        parameters = {"now": self._now, "avoided": list(avoided)}
        row = self._connection.execute(statements.TAKE, parameters).fetchone()
        if not self.applied():
            raise Superseded
        if row is None:
            return None
        if row["seq"] == 0:
            return self._kept_in_mind(untouched(row))
        return self._loaded(row, self._around(row["id"], ()))

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
        self._unsent.append(referred(change, self._places[change.before.id], self._contents, searched))
        if self._begun:
            self._send()

    def commit(self) -> None:
        if self._begun or len(self._unsent) != 1:
            self._begin()
            self._connection.execute("COMMIT")
        else:
            self._send()
        self.ended = True

    def leave(self) -> None:
        """End a transaction that was not committed. After a rollback psycopg forgets every prepared statement; where
        nothing is staged, a commit writes as little."""
        if self._wrote:
            self._connection.rollback()
        else:
            self._connection.commit()

    def applied(self) -> bool:
        """Whether every change that was sent took effect."""
        while self._sent:
            self._applied = transitions.applied(self._sent.pop()) and self._applied
        return self._applied

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._pipeline.enter_context(self._connection.pipeline())
            self._connection.execute("BEGIN")
            self._send()

    def _send(self) -> None:
        for change in self._unsent:
            cursor: psycopg.Cursor[Any] = self._connection.cursor(row_factory=psycopg.rows.tuple_row)
            transitions.apply(cursor, change, self.carrier)
            self._sent.append(cursor)
            self._wrote = True
        self._unsent.clear()

    def _texts(self, execution_id: UUID, columns: Sequence[str]) -> list[str]:
        return self._contents.texts(self._places[execution_id], columns)

    def _loaded(self, row: dict[str, Any], around: psycopg.Cursor[dict[str, Any]]) -> Loaded:
        return self._kept_in_mind(loaded(row, around.fetchone()))

    def _kept_in_mind(self, found: Loaded) -> Loaded:
        """What the rest of the session, and whoever goes on later, need of it."""
        self._places[found.row.id] = Place(found.row.tenant_id, found.row.id)
        self._moment.read(found.now)
        return found

    def _around(self, execution_id: UUID, indexes: Collection[int]) -> psycopg.Cursor[dict[str, Any]]:
        parameters = {"id": execution_id, "indexes": list(indexes), "now": self._now, "window": DUE_WINDOW}
        return self._connection.execute(statements.AROUND, parameters)
