"""`python -m bench.alone`: the engine in this one process, asked by lines; for what only shows without HTTP and Celery.

It counts statements, round trips and commits, and times the engine from its first look to its last commit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from statistics import median
from typing import Any

import django
import psycopg
from psycopg.pq import PipelineStatus

from bench import definitions
from bench.line import serve


class Meter:
    """Counts what goes over psycopg's cursors while `counting`."""

    def __init__(self) -> None:
        self.statements = self.round_trips = self.commits = 0

    @contextmanager
    def counting(self) -> Iterator[None]:
        """A statement counts where a cursor is given it, a round trip where a fetch waits or a pipeline is left.

        Outside of a pipeline and of a transaction a statement is a round trip and a commit of its own.
        """
        execute, fetchone, fetchall = psycopg.Cursor.execute, psycopg.Cursor.fetchone, psycopg.Cursor.fetchall
        leave = psycopg.Pipeline.__exit__

        def executing(cursor: Any, query: Any, *arguments: Any, **named: Any) -> Any:
            self.statements += 1
            alone = cursor.connection.pgconn.pipeline_status == PipelineStatus.OFF
            self.round_trips += alone
            self.commits += str(query).strip().upper() == "COMMIT" or (alone and "UPDATE" in str(query))
            return execute(cursor, query, *arguments, **named)

        def fetching(fetch: Any) -> Any:
            def fetched(cursor: Any) -> Any:
                self.round_trips += cursor._results == []
                return fetch(cursor)

            return fetched

        def leaving(pipeline: Any, *error: Any) -> Any:
            self.round_trips += 1
            return leave(pipeline, *error)

        psycopg.Cursor.execute = executing  # type: ignore[method-assign, assignment]
        psycopg.Cursor.fetchone = fetching(fetchone)  # type: ignore[method-assign]
        psycopg.Cursor.fetchall = fetching(fetchall)  # type: ignore[method-assign]
        psycopg.Pipeline.__exit__ = leaving  # type: ignore[method-assign]
        try:
            yield
        finally:
            psycopg.Cursor.execute, psycopg.Cursor.fetchone = execute, fetchone  # type: ignore[method-assign]
            psycopg.Cursor.fetchall, psycopg.Pipeline.__exit__ = fetchall, leave  # type: ignore[method-assign]


class Engine:
    """One worker process's engine, and executions for it."""

    def __init__(self) -> None:
        django.setup()
        # These import models, which Django has to be ready for.
        registry, process = import_module("tenants.registry"), import_module("orchestrator.process")
        settings = import_module("django.conf").settings
        self._client = import_module("django.test").Client(SERVER_NAME="localhost")
        self._key = registry.create_key(registry.create_tenant("alone", "Alone"), "bench", ["*"])[1]
        self._url = settings.DATABASE_URL
        self._engine = process.WorkerProcess(settings.DATABASE_URL).engine
        self._workflows: dict[str, str] = {}

    def pure(self, steps: int, times: int) -> list[float]:
        """Seconds from the engine's first look to its last, for executions of so many pure steps."""
        workflow = self._published(definitions.pure_chain(f"pure-{steps}", steps))
        return [self._carried(workflow, 1) for _ in range(times)]

    def cost(self, kind: str, steps: int, executions: int) -> dict[str, int]:
        """What goes to the database for so many executions; kind: chain, pure or fan."""
        made = {"chain": definitions.chain, "pure": definitions.pure_chain, "fan": definitions.fan}[kind]
        workflow = self._published(made(f"{kind}-{steps}", steps))
        self._carried(workflow, 1)
        meter = Meter()
        for _ in range(executions):
            self._create(workflow)
        with meter.counting():
            self._engine.drain(60)
        return {"statements": meter.statements, "round trips": meter.round_trips, "commits": meter.commits}

    def recording(self, steps: int, times: int, recorded: bool) -> dict[str, float]:
        """What a step of a chain of so many costs, with its record or without: microseconds, bytes of WAL, statements.

        Of `times` executions one after the other, the median; the statements of one more.
        """
        workflow = self._published(definitions.chain(f"chain-{steps}", steps))
        without = import_module("bench.unrecorded").unrecorded
        with nullcontext() if recorded else without():
            self._carried(workflow, 1)
            measured = [self._weighed(workflow) for _ in range(times)]
            meter = Meter()
            self._create(workflow)
            with meter.counting():
                self._engine.drain(60)
        seconds, written = (median(column) for column in zip(*measured, strict=True))
        each = {"us": seconds * 1e6 / steps, "bytes": written / steps, "statements": meter.statements / steps}
        return each | {"commits": meter.commits / steps}

    def _weighed(self, workflow: str) -> tuple[float, int]:
        """Seconds and bytes of WAL of one execution, its creation left out."""
        self._create(workflow)
        with psycopg.connect(self._url, autocommit=True) as connection:
            before = connection.execute("SELECT pg_current_wal_insert_lsn()").fetchall()[0][0]
            began = time.perf_counter()
            self._engine.drain(60)
            seconds = time.perf_counter() - began
            written = connection.execute("SELECT pg_current_wal_insert_lsn() - %s::pg_lsn", [before]).fetchall()[0][0]
        return seconds, int(written)

    def _carried(self, workflow: str, executions: int) -> float:
        for _ in range(executions):
            self._create(workflow)
        began = time.perf_counter()
        self._engine.drain(60)
        return time.perf_counter() - began

    def _published(self, definition: definitions.Definition) -> str:
        name = definition["name"]
        if name not in self._workflows:
            made = self._post("/v1/workflows", definition)
            self._post(f"/v1/workflows/{made['id']}/publish", {})
            self._workflows[name] = made["id"]
        return self._workflows[name]

    def _create(self, workflow: str) -> None:
        body = {"workflowId": workflow, "sourceSystem": "bench", "sourceEntityType": "run"}
        self._post("/v1/executions", body)

    def _post(self, path: str, body: Any) -> Any:
        headers = {"Authorization": f"Bearer {self._key}"}
        answer = self._client.post(path, body, content_type="application/json", headers=headers)
        if answer.status_code >= 300:
            raise ValueError(answer.content.decode()[:500])
        return answer.json()


def main() -> None:
    engine = Engine()
    asked: dict[str, Callable[..., Any]] = {
        "pure": engine.pure,
        "cost": engine.cost,
        "recording": engine.recording,
    }
    serve({"versions": lambda: {"django": django.get_version()}, **asked})


if __name__ == "__main__":
    main()
