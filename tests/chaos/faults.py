"""The faults: what each does to the running stack. Nothing here looks at what comes of it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import psutil
import psycopg
import redis

from config.stack.child import servers_in
from config.stack.running import Stack
from tests.chaos.bell import wait_for_a_commit

_PATIENCE_SECONDS = 30.0

Find = Callable[[], list[psutil.Process]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault that was put in; `at` in Unix seconds."""

    kind: str
    at: float
    what: str


class Injector:
    """Puts faults into an installation; each method is one kind and returns the moment of the fault and what it hit.

    The first of the nodes has the database and the broker, which all of them use.
    """

    def __init__(self, nodes: Sequence[Stack], rng: Random) -> None:
        self._nodes, self._data, self._rng = nodes, nodes[0].data, rng

    def inject(self, kind: str) -> Fault:
        """One fault of this kind. Raises LookupError where there is nothing to put it into for half a minute."""
        at, what = KINDS[kind](self)
        return Fault(kind, at, what)

    def kill_worker_child(self) -> tuple[float, str]:
        return self._send(signal.SIGKILL, self._worker_children)

    def kill_worker(self) -> tuple[float, str]:
        return self._send(signal.SIGKILL, self._worker_mains)

    def end_worker(self) -> tuple[float, str]:
        return self._send(signal.SIGTERM, self._worker_mains)

    def pause_worker_child(self) -> tuple[float, str]:
        return self._pause(self._worker_children, self._rng.uniform(1, 7))

    def kill_web_children(self) -> tuple[float, str]:
        return self._kill_after_a_commit(
            lambda: [p for node in self._nodes for p in _below(_running(node, "gunicorn"))]
        )

    def kill_web(self) -> tuple[float, str]:
        node = self._rng.choice(self._nodes)
        return self._kill_after_a_commit(lambda: _running(node, "gunicorn"))

    def kill_sweeper(self) -> tuple[float, str]:
        return self._send(signal.SIGKILL, lambda: self._anywhere("manage.py sweep"))

    def restart_database(self) -> tuple[float, str]:
        """An immediate shutdown, as `pg_ctl stop -m immediate` asks for it; the supervisor starts it again."""
        return self._send(signal.SIGQUIT, lambda: _heads(servers_in(self._data.postgres)))

    def kill_broker(self) -> tuple[float, str]:
        return self._send(signal.SIGKILL, self._brokers)

    def pause_broker(self) -> tuple[float, str]:
        return self._pause(self._brokers, self._rng.uniform(1, 4))

    def flush_broker(self) -> tuple[float, str]:
        with redis.Redis.from_url(self._data.redis_url(), socket_timeout=5) as client:
            keys, at = client.dbsize(), time.time()
            client.flushall()
        return at, f"{keys} keys"

    def _send(self, sig: signal.Signals, find: Find) -> tuple[float, str]:
        process = self._one_of(find)
        at = time.time()
        with suppress(psutil.NoSuchProcess):
            process.send_signal(sig)
        return at, f"process {process.pid}"

    def _pause(self, find: Find, seconds: float) -> tuple[float, str]:
        process = self._one_of(find)
        at = time.time()
        with suppress(psutil.NoSuchProcess):
            process.suspend()
            try:
                time.sleep(seconds)
            finally:
                process.resume()
        return at, f"process {process.pid} for {seconds:.1f} s"

    def _kill_after_a_commit(self, find: Find) -> tuple[float, str]:
        """Kill all of them in the moment between the commit of somebody's post and its answer."""
        processes = _some(find)
        wait_for_a_commit(self._data.database_url(), _PATIENCE_SECONDS)
        at = time.time()
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return at, f"processes {', '.join(str(process.pid) for process in processes)}"

    def _one_of(self, find: Find) -> psutil.Process:
        return self._rng.choice(_some(find))

    def _worker_mains(self) -> list[psutil.Process]:
        return _heads(self._anywhere("celery"))

    def _worker_children(self) -> list[psutil.Process]:
        """Those that carry something out at this moment; any, if none does."""
        children = _below(self._anywhere("celery"))
        with psycopg.connect(self._data.database_url()) as connection:
            busy = {int(pid) for (pid,) in connection.execute(_BUSY)}
        return [child for child in children if child.pid in busy] or children

    def _brokers(self) -> list[psutil.Process]:
        return servers_in(self._data.valkey)

    def _anywhere(self, words: str) -> list[psutil.Process]:
        return [process for node in self._nodes for process in _running(node, words)]


_BUSY = "SELECT DISTINCT split_part(worker_name, ':', 2) FROM attempt WHERE status = 'running'"


def _some(find: Find) -> list[psutil.Process]:
    """What is found, by process id; waits while an earlier fault has left none. Raises LookupError."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        if found := sorted(find(), key=lambda process: process.pid):
            return found
        time.sleep(0.1)
    raise LookupError("there is no such process to put a fault into")


def _heads(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Those whose parent is not among them."""
    pids = {process.pid for process in processes}
    heads = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.ppid() not in pids:
                heads.append(process)
    return heads


def _below(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    heads = _heads(processes)
    return [process for process in processes if process not in heads]


def _running(node: Stack, words: str) -> list[psutil.Process]:
    """The node's living processes whose command line holds the words."""
    found = []
    for process in node.processes():
        with suppress(psutil.NoSuchProcess):
            if words in " ".join(process.cmdline()):
                found.append(process)
    return found


KINDS: dict[str, Callable[[Injector], tuple[float, str]]] = {
    "worker child: kill -9": Injector.kill_worker_child,
    "worker: kill -9, its children with it": Injector.kill_worker,
    "all web processes: kill -9 between commit and answer": Injector.kill_web_children,
    "database: immediate restart": Injector.restart_database,
    "broker: FLUSHALL": Injector.flush_broker,
    "worker child: stopped for 1 to 7 s": Injector.pause_worker_child,
    "broker: stopped for 1 to 4 s": Injector.pause_broker,
    "one web server: kill -9 between commit and answer": Injector.kill_web,
    "broker: kill -9": Injector.kill_broker,
    "sweeper: kill -9": Injector.kill_sweeper,
    "worker: TERM": Injector.end_worker,
}
"""Every kind of fault, by its name in tables."""
