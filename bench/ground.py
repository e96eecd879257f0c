"""Where everything is measured: one embedded PostgreSQL and one Valkey, a stack on them, and what is put beside it."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import psutil
import psycopg
import redis
from psycopg import sql

from bench.contestants.peers import CELERY, OWN_PYTHON, PeerFailed, PeerKind, Program
from bench.contestants.traceway import Node
from bench.fill import filled
from bench.quiet import used_by_others
from bench.serving import serving
from config.stack.running import Stack

REDIS_DATABASES = 16
"""That Valkey has by itself; number 0 is the main stack's."""
EMBEDDED = {"DATABASE_URL": "", "REDIS_URL": "", "PUBLIC_URL": "", "ALLOWED_HOSTS": ""}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done: `rounds` of every workload, each of `scale` of its full size.

    `sustain_minutes` and `million`, the executions that are stored beforehand, are what they are, whatever the scale.
    """

    rounds: int
    scale: float
    sustain_minutes: float
    million: int

    def of(self, full: int, least: int = 1) -> int:
        """So much of a workload whose full size is `full`."""
        return max(least, round(full * self.scale))


class Ground:
    """Use `standing()`. Everything that is started here ends with it."""

    def __init__(self, folder: Path, sizes: Sizes, ending: ExitStack) -> None:
        self.folder, self.sizes = folder, sizes
        self._ending = ending
        self._redis_numbers, self._names = list(range(REDIS_DATABASES - 1, 0, -1)), count(1)
        self._peers: dict[tuple[str, int], Program] = {}
        self._failed: dict[tuple[str, int], PeerFailed] = {}
        self._nodes: list[Node] = []
        self._peer_urls: dict[str, str] = {}
        self.stack = Stack(EMBEDDED, data_dir=folder / "stack")
        ending.callback(self.stack.stop)
        self.stack.start()
        self.main = ending.enter_context(self._calling(self.stack, self.stack.data.database_url()))

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

    @contextmanager
    def redis(self) -> Iterator[str]:
        """The address of a database of Valkey that nobody else uses meanwhile; it has few of them."""
        number = self._redis_numbers.pop()
        url = f"{self.stack.data.redis_url().rpartition('/')[0]}/{number}"
        try:
            yield url
        finally:
            with suppress(redis.RedisError), redis.Redis.from_url(url) as client:
                client.flushdb()
            self._redis_numbers.append(number)

    def name(self, stem: str) -> str:
        """A name that was not used before."""
        return f"{stem}-{next(self._names)}"

    @contextmanager
    def node(self, name: str, **environment: str) -> Iterator[Node]:
        """One more stack, on a database of its own on the same servers."""
        with self.prepared(name, **environment) as (stack, url), self._calling(stack.start(), url) as node:
            yield node

    @contextmanager
    def filled_node(self, name: str, executions: int) -> Iterator[tuple[Node, str]]:
        """As `node`, with so many executions stored before it starts; and what was said of them."""
        with self.prepared(name) as (stack, url):
            told = filled(stack, executions)
            with self._calling(stack.start(), url) as node:
                yield node, told

    @contextmanager
    def _calling(self, stack: Stack, url: str) -> Iterator[Node]:
        """A caller of a stack that runs, and whose sweeper `settle` waits for."""
        with closing(self.caller_of(stack, url)) as node:
            self._nodes.append(node)
            try:
                yield node
            finally:
                self._nodes.remove(node)

    def settle(self) -> float:
        """Wait for what this product does after its executions' ends; the seconds that it took."""
        return sum(node.settle() for node in self._nodes)

    def used_by_others(self) -> float:
        """The share of all processors that anything that does not belong to this uses for a second."""
        stacks = [process for node in self._nodes for process in node.stack.processes()]
        peers = [process for peer in self._peers.values() for process in peer.processes()]
        return used_by_others([psutil.Process(), *stacks, *peers])

    @contextmanager
    def prepared(self, name: str, **environment: str) -> Iterator[tuple[Stack, str]]:
        """As `node`, not started, on a database that has its tables already."""
        url = self.database(name)
        with self.redis() as redis_url:
            settings = {**EMBEDDED, "DATABASE_URL": url, "REDIS_URL": redis_url, **environment}
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
        with (
            self.prepared(name) as (stack, url),
            serving(name, stack.data, stack.environment, stack.address),
            closing(self.caller_of(stack, url)) as node,
        ):
            yield node

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

    @contextmanager
    def tuned(self, kind: PeerKind, **settings: str) -> Iterator[Program]:
        """One more program of the peer, with other settings, on a database of its own. Raises PeerFailed."""
        url, log = self.database(kind.program), self.stack.data.logs / f"{self.name(kind.program)}.log"
        with self._broker(kind) as broker:
            environment = {**self._peer_environment(url, "process-1"), **broker, **settings}
            with Program(f"bench.peers.{kind.program}", environment, log) as program:
                program.ask("versions")
                yield program

    @contextmanager
    def _broker(self, kind: PeerKind) -> Iterator[Mapping[str, str]]:
        """What a peer that has a broker is told of it."""
        if kind is not CELERY:
            yield {}
            return
        with self.redis() as url:
            yield {"BENCH_REDIS_URL": url}

    def _started(self, kind: PeerKind, number: int) -> Program:
        if kind.program not in self._peer_urls:
            self._peer_urls[kind.program] = self.database(kind.program)
        environment = {
            **self._peer_environment(self._peer_urls[kind.program], f"process-{number}"),
            **self._ending.enter_context(self._broker(kind)),
        }
        log = self.stack.data.logs / f"{kind.program}-{number}.log"
        program = Program(f"bench.peers.{kind.program}", environment, log)
        self._ending.callback(program.stop)
        program.ask("versions")
        return program

    def _peer_environment(self, url: str, name: str) -> Mapping[str, str]:
        return {
            "BENCH_DATABASE_URL": _unquoted(url),
            "BENCH_NUMBER": name,
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
            with suppress(PeerFailed):
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
