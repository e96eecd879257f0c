"""The port between the engine and where it remembers, and PostgreSQL behind it.

One session is one transaction on one execution, and at most one more that was taken without waiting.
Lock order: the execution first; a second execution only by SKIP LOCKED; then rows of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from executions import transitions
from executions.change import (
    PLAIN_COLUMNS,
    ArrivalRow,
    Asked,
    Change,
    DueRow,
    ExecutionRow,
    Loaded,
    RunningAttempt,
    Standing,
    StepRow,
)
from executions.plan import Counters, StepState
from executions.states import Intent, Status, StepStatus
from executions.transitions import Carrier

DUE_WINDOW = 65
"""Due steps that one look loads: one more than an advance takes up, so that the next due time is known."""


@dataclass(frozen=True, slots=True)
class Result:
    """What another step may read of one: `output` is JSON text, None unless it succeeded."""

    status: StepStatus
    output: str | None


class Superseded(Exception):
    """A change was not applied, for the execution had moved on since it was read: read again."""


class Session(Protocol):
    """One transaction. Leaving it without commit undoes everything."""

    def lock(self, execution_id: UUID, indexes: Collection[int]) -> Loaded | None:
        """Wait for the execution's lock, then read it, these steps, what is due and what arrived; None if unknown."""

    def take(self) -> Loaded | None:
        """The execution that has been due longest and that nobody locked, no steps loaded; None if nothing is due."""

    def steps(self, execution_id: UUID, indexes: Collection[int]) -> Mapping[int, StepRow]:
        """More steps of an execution that this session has locked."""

    def results(self, execution_id: UUID, indexes: Collection[int]) -> Mapping[int, Result]:
        """What these steps came to."""

    def stage(self, change: Change) -> None:
        """Have the change applied by commit."""

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

    def __init__(self, url: str, carrier: Carrier, clock: Clock = database_clock) -> None:
        self._url = url
        self._carrier = carrier
        self._clock = clock
        self._connection: psycopg.Connection[dict[str, Any]] | None = None

    @contextmanager
    def session(self) -> Iterator[Session]:
        connection = self._connect()
        try:
            with connection.pipeline():
                session = _PostgresSession(connection, self._carrier, self._clock())
                yield session
            if not session.ended:
                connection.rollback()
        except BaseException:
            self._abandon(connection)
            raise
        if not session.applied():
            raise Superseded

    def held(self) -> Collection[RunningAttempt]:
        rows = self._connect().execute(_HELD, {"boot_id": self._carrier.boot_id}).fetchall()
        return [RunningAttempt(**row) for row in rows]

    def push_back(self, execution_id: UUID, reason: str) -> None:
        connection = self._connect()
        now = connection.execute(_CLOCK, {"now": self._clock()}).fetchall()[0]
        with connection.cursor() as cursor:
            transitions.push_back(cursor, execution_id, now["now"], reason)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> psycopg.Connection[dict[str, Any]]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._url, autocommit=True, row_factory=dict_row, options=_OPTIONS)
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
        now: datetime | None,
    ) -> None:
        self._connection = connection
        self._carrier = carrier
        self._now = now
        self._staged: list[psycopg.Cursor[dict[str, Any]]] = []
        self.ended = False
        connection.execute("BEGIN")

    def lock(self, execution_id: UUID, indexes: Collection[int]) -> Loaded | None:
        locked = self._connection.execute(_LOCK, {"id": execution_id})
        around = self._around(execution_id, indexes)
        row = locked.fetchone()
        return None if row is None else _loaded(row, around.fetchone())

    def take(self) -> Loaded | None:
        row = self._connection.execute(_TAKE, {"now": self._now}).fetchone()
        return None if row is None else _loaded(row, self._around(row["id"], ()).fetchone())

    def steps(self, execution_id: UUID, indexes: Collection[int]) -> Mapping[int, StepRow]:
        found = self._connection.execute(_STEPS, {"id": execution_id, "indexes": list(indexes)})
        return {row["index"]: _step(row) for row in found.fetchall()}

    def results(self, execution_id: UUID, indexes: Collection[int]) -> Mapping[int, Result]:
        found = self._connection.execute(_RESULTS, {"id": execution_id, "indexes": list(indexes)})
        return {row["index"]: Result(StepStatus(row["status"]), row["output"]) for row in found.fetchall()}

    def stage(self, change: Change) -> None:
        cursor = self._connection.cursor(row_factory=psycopg.rows.tuple_row)
        transitions.apply(cursor, change, self._carrier)
        self._staged.append(cursor)  # type: ignore[arg-type]

    def commit(self) -> None:
        self._connection.execute("COMMIT")
        self.ended = True

    def applied(self) -> bool:
        """Whether every staged change took effect; known once the session was left."""
        return all(transitions.applied(cursor) for cursor in self._staged)

    def _around(self, execution_id: UUID, indexes: Collection[int]) -> psycopg.Cursor[dict[str, Any]]:
        parameters = {"id": execution_id, "indexes": list(indexes), "now": self._now, "window": DUE_WINDOW}
        return self._connection.execute(_AROUND, parameters)


def _loaded(row: dict[str, Any], around: dict[str, Any] | None) -> Loaded:
    if around is None:
        raise LookupError("the neighbourhood query gives one row")
    return Loaded(
        row=_execution(row),
        now=around["now"],
        steps={step["index"]: _step(step) for step in around["steps"]},
        due=[DueRow(due["index"], datetime.fromisoformat(due["due_at"])) for due in around["due"]],
        arrivals=[ArrivalRow(**arrival) for arrival in around["arrivals"]],
    )


def _execution(row: dict[str, Any]) -> ExecutionRow:
    standing = Standing(
        status=Status(row["status"]),
        intent=Intent(row["intent"]),
        counters=Counters(row["steps_left"], row["steps_running"], row["steps_ready"], row["steps_waiting"]),
        **{name: row[name] for name in PLAIN_COLUMNS},
    )
    asked = Asked(**{name: row[name] for name in _ASKED})
    return ExecutionRow(
        row["id"], row["version_id"], row["seq"], row["event_sequence"], bytes(row["chain_head"]), standing, asked
    )


def _step(row: dict[str, Any]) -> StepRow:
    state = StepState(StepStatus(row["status"]), row["parents_left"], row["parents_live"])
    return StepRow(state, row["attempts"], row["failures"], row["losses"])


_OPTIONS = (
    "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off "
    "-c jit=off -c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s "
    "-c timezone=UTC -c application_name=traceway-engine"
)

_ASKED = ("input", "parameters", "application_data", "outcome_expression", "request_id")

_READ = f"""
SELECT e.id, e.version_id, e.seq, e.event_sequence, e.chain_head, e.status, e.intent,
  e.steps_left, e.steps_running, e.steps_ready, e.steps_waiting,
  {", ".join(f"e.{name}" for name in PLAIN_COLUMNS)}, {", ".join(f"s.{name}" for name in _ASKED)}
FROM execution e JOIN submission s ON s.execution_id = e.id"""

_LOCK = f"{_READ} WHERE e.id = %(id)s FOR NO KEY UPDATE OF e"

_TAKE = f"""{_READ}
WHERE e.due_at <= COALESCE(%(now)s::timestamptz, statement_timestamp())
ORDER BY e.due_at LIMIT 1 FOR NO KEY UPDATE OF e SKIP LOCKED"""

_CLOCK = "SELECT COALESCE(%(now)s::timestamptz, clock_timestamp()) AS now"

_STEP_COLUMNS = "index, status, parents_left, parents_live, attempts, failures, losses"

_STEPS = f"SELECT {_STEP_COLUMNS} FROM step WHERE execution_id = %(id)s AND index = ANY(%(indexes)s::int[])"

# One row whatever is found: the clock, and each part as one JSON array.
_AROUND = f"""
SELECT COALESCE(%(now)s::timestamptz, clock_timestamp()) AS now,
  (SELECT COALESCE(json_agg(row_to_json(s)), '[]') FROM ({_STEPS}) s) AS steps,
  (SELECT COALESCE(json_agg(row_to_json(d)), '[]') FROM (
    SELECT step_index AS index, due_at FROM due_step WHERE execution_id = %(id)s
    ORDER BY due_at, step_index LIMIT %(window)s) d) AS due,
  (SELECT COALESCE(json_agg(row_to_json(i)), '[]') FROM (
    SELECT id, kind, payload, actor FROM inbox WHERE execution_id = %(id)s AND consumed_at IS NULL
    ORDER BY id LIMIT 100) i) AS arrivals"""

_RESULTS = """
SELECT s.index, s.status, a.output
FROM step s LEFT JOIN attempt a ON a.execution_id = s.execution_id AND a.step_index = s.index
  AND a.number = s.attempts AND a.status = 'succeeded'
WHERE s.execution_id = %(id)s AND s.index = ANY(%(indexes)s::int[])"""

_HELD = """
SELECT execution_id, step_index AS index, number, input FROM attempt
WHERE worker = %(boot_id)s AND status = 'running' ORDER BY started_at, execution_id, step_index"""
