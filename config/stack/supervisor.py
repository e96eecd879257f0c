"""Runs one whole installation in the foreground: servers, migrations, web, workers, sweeper; restarts what dies.

SIGINT, SIGTERM or SIGHUP end everything in order: what takes requests first, the database last. A second one hurries.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import IO

from config.stack import commands
from config.stack.child import MARKER, Child, StackError, end_orphans
from config.stack.data_dir import CHECKOUT, DataDir
from config.stack.servers import Servers

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOOK_SECONDS = 1.0
_STABLE_SECONDS = 5.0
_LONGEST_BACKOFF_SECONDS = 5.0
_FAILURES_BEFORE_READY = 5
_READY_SECONDS = 300.0
_WAITING_CONNECTIONS = 1_024


class Ended(Exception):
    """The person at the terminal, or the system, asked the stack to end."""


@dataclass
class Kept:
    """A child that is started again whenever it ends, later and later while it keeps ending early."""

    child: Child
    failures: int = 0
    started: float = 0.0
    due: float = 0.0

    def keep(self, now: float) -> None:
        """Notice that the child ended; start it when it is due."""
        if self.child.process is not None and self.child.ended():
            say(f"{self.child.name} ended with status {self.child.process.returncode}: {self.child.last_words(1)}")
            self.failures = 1 if now - self.started > _STABLE_SECONDS else self.failures + 1
            self.due = now + min(_LONGEST_BACKOFF_SECONDS, 0.1 * 2**self.failures)
            self.child.process = None
        if self.child.process is None and now >= self.due:
            self.child.start()
            self.started = now


class Supervisor:
    """The stack on `data`, serving on `host`:`port`. `run` returns when it was asked to end."""

    def __init__(self, data: DataDir, host: str, port: int, *, postgres: bool, valkey: bool) -> None:
        self._data, self._host, self._port = data, host, port
        self._signals = 0
        self._wake_read, self._wake_write = os.pipe()
        self._servers = Servers(data, postgres=postgres, valkey=valkey, pause=self._pause, say=say)
        self._environment = {"PAYMENTS_SANDBOX": "1", **os.environ, MARKER: str(data.root)}
        self._environment["TRACEWAY_DATA_DIR"] = str(data.root)
        self._kept: list[Kept] = []
        self._listener: socket.socket | None = None

    def run(self) -> None:
        """Start everything, keep it running until a signal, end everything. Raises StackError if it cannot start."""
        with self._only_one():
            self._listen_for_signals()
            try:
                self._start()
                self._keep_until_ready()
                while True:
                    self._keep(_LOOK_SECONDS)
            except Ended:
                say("ending")
            finally:
                self._stop()

    def _only_one(self) -> IO[str]:
        """The data directory's lock, held until the file is closed, which the kernel does for a killed process."""
        self._data.root.mkdir(parents=True, exist_ok=True)
        lock = self._data.lock.open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise StackError(f"process {lock.read().strip()} already runs the stack on {self._data.root}") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        return lock

    def _listen_for_signals(self) -> None:
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for ending in _ENDING:
            signal.signal(ending, self._count)

    def _count(self, *_: object) -> None:
        self._signals += 1

    def _pause(self, seconds: float) -> None:
        """Wait until something happens, `seconds` at most; raises Ended after a signal."""
        if not self._signals and select.select([self._wake_read], [], [], seconds)[0]:
            os.read(self._wake_read, 512)
        if self._signals:
            raise Ended

    def _start(self) -> None:
        end_orphans(self._data.root, self._pause)
        self._listener = _listener(self._host, self._port)
        self._servers.start()
        self._migrate()
        self._kept = [
            Kept(self._web(self._listener.fileno())),
            Kept(self._child("worker", commands.WORKER, stop_seconds=30)),
            Kept(self._child("sweeper", commands.SWEEPER, stop_seconds=10)),
        ]

    def _web(self, listener: int) -> Child:
        # The socket stays open here, so that while the web is started again its callers wait instead of being refused.
        web = self._child("web", commands.WEB, stop_seconds=15)
        return replace(web, inherited=[listener], environment={**self._environment, "LISTENING_FD": str(listener)})

    def _child(self, name: str, arguments: Sequence[str], *, stop_seconds: float) -> Child:
        argv = [sys.executable, *arguments]
        log = self._data.logs / f"{name}.log"
        return Child(name, argv, log, self._environment, stop_seconds=stop_seconds, cwd=CHECKOUT)

    def _migrate(self) -> None:
        say("migrating the database")
        migration = self._child("migrate", commands.MIGRATE, stop_seconds=10)
        migration.start()
        assert migration.process is not None
        try:
            while not migration.ended():
                self._pause(_LOOK_SECONDS)
        finally:
            status = migration.process.poll()
            migration.stop()
        if status:
            raise StackError(f"the migration failed; its log says:\n{migration.last_words()}")

    def _keep(self, seconds: float) -> None:
        """One look: start what ended, the servers first; then wait until something happens, `seconds` at most."""
        if ended := self._servers.ended():
            say(f"{' and '.join(ended)} ended")
            self._servers.start()
        for kept in self._kept:
            kept.keep(time.monotonic())
        waiting = any(kept.child.process is None for kept in self._kept)
        self._pause(min(seconds, 0.1) if waiting else seconds)

    def _keep_until_ready(self) -> None:
        say("starting web, workers and sweeper")
        address = _address(self._host, self._port)
        deadline = time.monotonic() + _READY_SECONDS
        while not _is_ready(f"{address}/readyz"):
            self._keep(0.1)
            if time.monotonic() > deadline:
                raise StackError(f"{address}/readyz did not become ready in {_READY_SECONDS:.0f} s")
            for kept in self._kept:
                if kept.failures >= _FAILURES_BEFORE_READY:
                    raise StackError(f"{kept.child.name} keeps ending; its log says:\n{kept.child.last_words()}")
        sys.stdout.write(f"ready {address}\n")
        sys.stdout.flush()

    def _stop(self) -> None:
        asked = self._signals
        if self._listener is not None:
            self._listener.close()
        for kept in self._kept:
            kept.child.stop(hurry=lambda: self._signals > max(1, asked))
        self._servers.stop()


def say(text: str) -> None:
    """Tell the person at the terminal, on stderr: stdout holds the ready line alone."""
    sys.stderr.write(f"traceway: {text}\n")
    sys.stderr.flush()


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listener(host: str, port: int) -> socket.socket:
    """A socket that listens on the address, so that nobody else can; callers wait until the web takes them."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_WAITING_CONNECTIONS)
    except OSError as error:
        listener.close()
        raise StackError(f"cannot serve on {host}:{port}: {error.strerror}; set HOST or PORT") from None
    return listener


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own http address
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False
