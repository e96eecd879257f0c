"""Where everything is measured: one embedded PostgreSQL and one Valkey, a stack on them, and what is put beside it."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import psycopg
from psycopg import sql

from bench.contestants.peers import OWN_PYTHON, PeerFailed, PeerKind, Program
from bench.contestants.traceway import Node
from bench.serving import serving
from config.stack.running import Stack

EMBEDDED = {"DATABASE_URL": "", "REDIS_URL": "", "PUBLIC_URL": "", "ALLOWED_HOSTS": ""}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done: `rounds` of every workload, each of `scale` of its full size."""

    rounds: int
    scale: float
    sustain_minutes: float = 0.0
    million: int = 0

    def of(self, full: int, least: int = 1) -> int:
        """So much of a workload whose full size is `full`."""
        return max(least, round(full * self.scale))


class Ground:
    """Use `standing()`. Everything that is started here ends with it."""

    def __init__(self, folder: Path, sizes: Sizes, ending: ExitStack) -> None:
        self.folder, self.sizes = folder, sizes
        self._ending = ending
        self._redis_numbers, self._names = count(1), count(1)
        self._peers: dict[tuple[str, int], Program] = {}
        self._failed: dict[tuple[str, int], PeerFailed] = {}
        self._peer_urls: dict[str, str] = {}
        self.stack = Stack(EMBEDDED, data_dir=folder / "stack")
        ending.callback(self.stack.stop)
        self.stack.start()
        self.main = self.caller_of(self.stack, self.stack.data.database_url())
        ending.callback(self.main.close)

    def database(self, name: str) -> str:
        """The address of a new database on the same server."""
        own, unique = self.stack.data.database_url(), self.name(f"bench-{name}")
        with psycopg.connect(own, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(unique)))
        return own.replace("/traceway?", f"/{unique}?")

    def drop(self, url: str) -> None:
        """Forget a database of `database`, so that a large one does not stay until the end."""
        name = urlsplit(url).path.lstrip("/")
        with psycopg.connect(self.stack.data.database_url(), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def redis(self) -> str:
        """The address of a database of Valkey that nobody else uses."""
        return f"{self.stack.data.redis_url().rpartition('/')[0]}/{next(self._redis_numbers)}"

    def name(self, stem: str) -> str:
        """A name that was not used before."""
        return f"{stem}-{next(self._names)}"

    @contextmanager
    def node(self, name: str, **environment: str) -> Iterator[Node]:
        """One more stack, on a database of its own on the same servers."""
        with self.prepared(name, **environment) as (stack, url):
            node = self.caller_of(stack.start(), url)
            try:
                yield node
            finally:
                node.close()

    @contextmanager
    def prepared(self, name: str, **environment: str) -> Iterator[tuple[Stack, str]]:
        """As `node`, not started, on a database that has its tables already."""
        url = self.database(name)
        settings = {**EMBEDDED, "DATABASE_URL": url, "REDIS_URL": self.redis(), **environment}
        stack = Stack(settings, data_dir=self.folder / name, port=free_port())
        stack.manage("migrate", "--verbosity", "0")
        try:
            yield stack, url
        finally:
            stack.stop()
            self.drop(url)

    @contextmanager
    def door(self, name: str) -> Iterator[Node]:
        """The web processes alone, on a database where nobody carries anything out."""
        with self.prepared(name) as (stack, url), serving(name, stack.data, stack.environment, stack.address):
            node = self.caller_of(stack, url)
            try:
                yield node
            finally:
                node.close()

    def peer(self, kind: PeerKind, number: int = 1) -> Program:
        """The peer's running program, one for each number. Raises PeerFailed where it does not start."""
        known = (kind.program, number)
        if known in self._failed:
            raise self._failed[known]
        if known not in self._peers:
            try:
                self._peers[known] = self._started(kind, number)
            except PeerFailed as error:
                self._failed[known] = error
                raise
        return self._peers[known]

    def _started(self, kind: PeerKind, number: int) -> Program:
        log = self.stack.data.logs / f"{kind.program}-{number}.log"
        program = Program(f"bench.peers.{kind.program}", self._peer_environment(kind, number), log)
        self._ending.callback(program.stop)
        program.ask("versions")
        return program

    def _peer_environment(self, kind: PeerKind, number: int) -> Mapping[str, str]:
        if kind.program not in self._peer_urls:
            self._peer_urls[kind.program] = self.database(kind.program)
        return {
            "BENCH_DATABASE_URL": _unquoted(self._peer_urls[kind.program]),
            "BENCH_REDIS_URL": self.redis(),
            "BENCH_NUMBER": f"process-{number}",
            "PREFECT_HOME": str(self.folder / "prefect"),
            "PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api",
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
        }

    @contextmanager
    def alone(self) -> Iterator[Program]:
        """The engine in one process, without HTTP, Celery and sweeper, on a database of its own."""
        with self.prepared("alone") as (stack, _):
            environment = {**stack.environment, "DJANGO_SETTINGS_MODULE": "config.settings", "LOG_LEVEL": "ERROR"}
            with Program("bench.alone", environment, stack.data.logs / "alone.log", OWN_PYTHON) as program:
                yield program

    def peer_versions(self) -> dict[str, str]:
        """Of everything that the peers that run are made of."""
        found: dict[str, str] = {}
        for program in self._peers.values():
            found |= program.ask("versions")
        return found

    def peer_pids(self) -> dict[str, int]:
        return {f"{program} {number}": peer.pid for (program, number), peer in self._peers.items()}

    @staticmethod
    def caller_of(stack: Stack, url: str) -> Node:
        """A caller of this stack, with a tenant of its own; `url` is its database's address."""
        stack.manage("create_tenant", "bench")
        return Node(stack, url, stack.manage("create_api_key", "--tenant", "bench"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _unquoted(url: str) -> str:
    """SQLAlchemy and libpq both read the folder of the socket as it is."""
    parts = urlsplit(url)
    host = parse_qs(parts.query)["host"][0]
    return f"{parts.scheme}://{parts.netloc}{parts.path}?host={quote(host, safe='/')}"


@contextmanager
def standing(sizes: Sizes) -> Iterator[Ground]:
    """Servers, stack and tenant in a temporary folder, all of which is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="traceway-bench-"))
    try:
        with ExitStack() as ending:
            yield Ground(folder, sizes, ending)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
