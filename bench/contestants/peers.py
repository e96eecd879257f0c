"""The peers: each a program in the peers' environment, asked by lines of JSON; stopped while it is not its turn."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import psutil
import psycopg

from config.stack.data_dir import CHECKOUT
from config.stack.parent_death import dying_with_parent

PYTHON = CHECKOUT / ".venv-bench" / "bin" / "python"
ANSWER_SECONDS = 600.0
REST_SECONDS = 0.2
"""How long a peer is let go on to come to the end of its transactions."""


@dataclass(frozen=True, slots=True)
class PeerKind:
    """A peer's name in tables, its program in bench/peers/, and what it records of a step."""

    name: str
    program: str
    records: str


CELERY = PeerKind("Celery", "celery_peer", "nothing: messages in Valkey, early acks, no results (a chord's: a count)")
DBOS = PeerKind("DBOS", "dbos_peer", "every step's output, committed; called in its own process, no HTTP")
PROCRASTINATE = PeerKind("procrastinate", "procrastinate_peer", "every job's states, committed; no outputs; no HTTP")
PREFECT = PeerKind("Prefect", "prefect_peer", "states in its server's SQLite, results in files; not durable alike")
ALONE = PeerKind("engine alone", "alone", "as Traceway, without HTTP and Celery")


class PeerFailed(Exception):
    """What a peer said instead of an answer."""


class Program:
    """A program that speaks as bench/line.py does. Between two requests all its processes are stopped (SIGSTOP)."""

    def __init__(self, module: str, environment: Mapping[str, str], log: Path, python: Path = PYTHON) -> None:
        if not python.exists():
            raise PeerFailed(f"{python.relative_to(CHECKOUT)} is not there: `make bench` makes it")
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [str(python), "-m", module],
                cwd=CHECKOUT,
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
                preexec_fn=dying_with_parent(signal.SIGKILL),  # noqa: PLW1509 - it only calls the kernel
            )
        self._log = log
        self._database_url = environment.get("BENCH_DATABASE_URL")

    @property
    def pid(self) -> int:
        return self._process.pid

    def processes(self) -> list[psutil.Process]:
        """It and what it started; none where it has ended."""
        try:
            itself = psutil.Process(self.pid)
            return [itself, *itself.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def ask(self, op: str, **arguments: Any) -> Any:
        """What it answers. Raises PeerFailed."""
        self.begin(op, **arguments)
        return self.answer()

    def begin(self, op: str, **arguments: Any) -> None:
        self._signal(signal.SIGCONT)
        with suppress(BrokenPipeError):
            self._stream(self._process.stdin).write(json.dumps({"op": op, **arguments}) + "\n")
            self._stream(self._process.stdin).flush()

    def answer(self) -> Any:
        output = self._stream(self._process.stdout)
        line = output.readline() if select.select([output], [], [], ANSWER_SECONDS)[0] else ""
        self._rest()
        if not line:
            raise PeerFailed(f"no answer; its log ends with: {self._last_words()}")
        answer = json.loads(line)
        if "failed" in answer:
            raise PeerFailed(answer["failed"])
        return answer["ok"]

    def stop(self) -> None:
        """Its input ends, which is how it knows; after ten seconds by force."""
        self._signal(signal.SIGCONT)
        with suppress(BrokenPipeError):
            self._stream(self._process.stdin).close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._stream(self._process.stdout).close()

    def _rest(self) -> None:
        """Stop it, but not within a transaction: what is vacuumed and sealed of others' would wait for its end."""
        until = time.monotonic() + REST_SECONDS
        self._signal(signal.SIGSTOP)
        while self._is_within_transaction() and time.monotonic() < until:
            self._signal(signal.SIGCONT)
            time.sleep(0.005)
            self._signal(signal.SIGSTOP)

    def _is_within_transaction(self) -> bool:
        if self._database_url is None:
            return False
        with psycopg.connect(self._database_url, autocommit=True) as connection:
            return connection.execute(_WITHIN_TRANSACTION).fetchone() == (True,)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "nothing")

    @staticmethod
    def _stream(stream: IO[str] | None) -> IO[str]:
        assert stream is not None
        return stream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


_WITHIN_TRANSACTION = """
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL
  AND backend_type = 'client backend' AND pid <> pg_backend_pid())"""

OWN_PYTHON = Path(sys.executable)
"""For programs of this product's own environment."""
