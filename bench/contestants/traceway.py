"""This product: a caller of one running stack, over HTTP, who looks into its database for the moment of an end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
import psycopg

from bench.calling import Called, call
from bench.definitions import Definition
from bench.wire import Connection, request
from config.stack.running import Stack

NAME = "Traceway"
RECORDS = "every step's input, output and hash-chained events, committed; over HTTP"
PATIENCE_SECONDS = 300.0
LOOK_SECONDS = 0.001
SETTLE_SECONDS = 30.0


class NotDone(Exception):
    """An execution did not succeed, or not in time."""


@dataclass(frozen=True, slots=True)
class Ended:
    """One execution: seconds from the POST to its end being visible, and the record's own moments (Unix seconds)."""

    id: str
    seconds: float
    posted_at: float
    queued_at: float
    started_at: float
    finished_at: float


@dataclass
class Node:
    """A stack, its database and one tenant's key."""

    stack: Stack
    database_url: str
    key: str
    database: psycopg.Connection[Any] = field(init=False)
    _expected: dict[str, float] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.database = psycopg.connect(self.database_url, autocommit=True)
        self.database.prepare_threshold = 0

    def close(self) -> None:
        self.database.close()

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> bytes:
        return request(method, self.stack.address, path, {"Authorization": f"Bearer {self.key}", **headers}, body)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        with Connection(self.stack.address) as connection:
            return orjson.loads(connection.exchange(self.request(method, path, body)))

    def publish(self, definition: Definition) -> str:
        """The id of the workflow; its name is taken once a tenant."""
        workflow = self.ask("POST", "/v1/workflows", definition)
        self.ask("POST", f"/v1/workflows/{workflow['id']}/publish", {})
        return str(workflow["id"])

    def creation(self, workflow_id: str, payload: Any = None, **headers: str) -> bytes:
        """The request that creates an execution."""
        body = {"workflowId": workflow_id, "sourceSystem": "bench", "sourceEntityType": "run"}
        return self.request("POST", "/v1/executions", {**body, "requestPayload": payload or {}}, **headers)

    def once(self, workflow_id: str, payload: Any = None) -> Ended:
        """One execution from the POST to the moment at which its end is committed, found by looking every millisecond.

        The looks begin when four fifths have gone of the least that it took before by the record: they would take from
        the engine.
        """
        sent = self.creation(workflow_id, payload)
        with Connection(self.stack.address) as connection:
            posted_at, began = time.time(), time.perf_counter()
            execution_id = created(connection.exchange(sent))
        left = self._expected.get(workflow_id, 0.0) * 0.8 - (time.perf_counter() - began)
        time.sleep(max(0.0, left))
        while (row := self._look(execution_id)) is None:
            if time.perf_counter() - began > PATIENCE_SECONDS:
                raise NotDone(f"execution {execution_id} did not end in {PATIENCE_SECONDS:.0f} s")
            time.sleep(LOOK_SECONDS)
        seconds = time.perf_counter() - began
        status, *moments = row
        recorded = float(moments[-1]) - posted_at
        self._expected[workflow_id] = min(recorded, self._expected.get(workflow_id, recorded))
        if status != "workflow_succeeded":
            raise NotDone(f"execution {execution_id} is {status}")
        return Ended(execution_id, seconds, posted_at, *map(float, moments))

    def _look(self, execution_id: str) -> tuple[Any, ...] | None:
        return self.database.execute(_ENDED, [execution_id]).fetchone()

    def settle(self) -> float:
        """Wait until what has ended is sealed, which is done after the end; the seconds that it took, 30 at most."""
        began = time.monotonic()
        while self.database.execute(_TO_SEAL).fetchone() == (True,) and time.monotonic() - began < SETTLE_SECONDS:
            time.sleep(0.05)
        return time.monotonic() - began

    def waited_for(self, workflow_id: str) -> float:
        """Seconds of one POST with `Prefer: wait=30`, as its caller sees them."""
        with Connection(self.stack.address) as connection:
            began = time.perf_counter()
            body = connection.exchange(self.creation(workflow_id, Prefer="wait=30"))
            seconds = time.perf_counter() - began
        if orjson.loads(body)["data"]["execution"]["status"] != "workflow_succeeded":
            raise NotDone("the answer came before the end")
        return seconds

    def post_many(self, workflow_id: str, count: int, connections: int) -> Called:
        """So many creations; says nothing of their ends."""
        sent = self.creation(workflow_id)
        return call(self.stack.address, lambda _: sent, count, connections)

    def many(self, workflow_id: str, count: int, connections: int = 8) -> float:
        """Seconds from the first POST to the last end."""
        began = time.time()
        called = self.post_many(workflow_id, count, connections)
        return self.all_ended([created(body) for body in called.bodies]) - began

    def all_ended(self, execution_ids: list[str]) -> float:
        """The moment (Unix seconds) at which the last of them succeeded."""
        ids, until = [UUID(one) for one in execution_ids], time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            row = self.database.execute(_ALL_ENDED, [ids]).fetchone()
            assert row is not None
            live, unsuccessful, last = row
            if unsuccessful:
                raise NotDone(f"{unsuccessful} executions did not succeed")
            if not live:
                return float(last)
            # Seldom: the moment is the record's own.
            time.sleep(0.1)
        raise NotDone(f"not all of {len(ids)} executions ended in {PATIENCE_SECONDS:.0f} s")


def created(body: bytes) -> str:
    """The id in the answer to a creation."""
    return str(orjson.loads(body)["data"]["execution"]["id"])


_ENDED = """
SELECT status, extract(epoch FROM queued_at), extract(epoch FROM started_at), extract(epoch FROM finished_at)
FROM execution WHERE id = %s AND finished_at IS NOT NULL"""

_TO_SEAL = """
SELECT EXISTS (SELECT FROM event
  WHERE (xid, id) > (SELECT xid, event FROM log_cursor WHERE name = 'receipts')
    AND xid < pg_snapshot_xmin(pg_current_snapshot())
  ORDER BY xid, id LIMIT 1)"""

_ALL_ENDED = """
SELECT count(*) FILTER (WHERE finished_at IS NULL),
  count(*) FILTER (WHERE finished_at IS NOT NULL AND status <> 'workflow_succeeded'),
  extract(epoch FROM max(finished_at))
FROM execution WHERE id = ANY(%s)"""
