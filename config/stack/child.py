"""One child process in a session of its own: started with a log file, ended within a bound, never outliving its parent.

A session of its own, because Ctrl-C must reach the supervisor alone, which then ends its children in their order.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from config.stack.parent_death import dying_with_parent

MARKER = "TRACEWAY_STACK_CHILD"
"""Environment variable that every process of a stack carries; its value is the stack's data directory."""
_LOG_BYTES = 20 * 1024 * 1024

Pause = Callable[[float], None]
"""Wait that many seconds; may raise to leave whatever is being waited for."""


class StackError(Exception):
    """The stack cannot be started; the message says why, to the person at the terminal."""


@dataclass
class Child:
    """A program and, while it runs, its process.

    `orphan_signal` is what ends it when this process was killed; `inherited` are the file descriptors it gets.
    """

    name: str
    argv: Sequence[str]
    log: Path
    environment: Mapping[str, str] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10
    orphan_signal: signal.Signals = signal.SIGKILL
    user: int | None = None
    group: int | None = None
    cwd: Path | None = None
    inherited: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start the program, from the main thread only: the orphan signal follows the end of the starting thread."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                cwd=self.cwd,
                user=self.user,
                group=self.group,
                extra_groups=None if self.user is None else [],
                start_new_session=True,
                pass_fds=self.inherited,
                preexec_fn=dying_with_parent(self.orphan_signal),  # noqa: PLW1509 - the caller has one thread only
            )

    def ended(self) -> bool:
        """Whether the program was never started or has exited; its remaining group is ended too."""
        if self.process is None:
            return True
        if self.process.poll() is None:
            return False
        self._signal_group(signal.SIGKILL)
        return True

    def stop(self, *, hurry: Callable[[], bool] = lambda: False) -> None:
        """Ask the program to end, wait `stop_seconds` at most (less when `hurry` answers true), then kill its group."""
        if self.process is None:
            return
        deadline = time.monotonic() + self.stop_seconds
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
        while self.process.poll() is None and time.monotonic() < deadline and not hurry():
            time.sleep(0.02)
        self._signal_group(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def _signal_group(self, sig: signal.Signals) -> None:
        assert self.process is not None
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, sig)

    def last_words(self, lines: int = 15) -> str:
        """The end of the program's log."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 8192))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])


def marked(root: Path) -> list[psutil.Process]:
    """The processes that carry the mark of the stack on `root`."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARKER) == str(root):
                found.append(process)
    return found


def end_orphans(root: Path, pause: Pause) -> None:
    """Kill what an earlier stack on `root` left behind: every process that carries its mark."""
    found = marked(root)
    for process in found:
        with suppress(psutil.Error):
            process.kill()
    wait_until_gone(found, 10, pause)


def servers_in(directory: Path) -> list[psutil.Process]:
    """The processes that work in `directory`, as PostgreSQL's and Valkey's all do in their data directory."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.cwd() == str(directory):
                found.append(process)
    return found


def end_servers_in(directory: Path, sig: signal.Signals, seconds: float, pause: Pause) -> None:
    """End the servers that still work in `directory`, by `sig` and after `seconds` by force."""
    found = servers_in(directory)
    for process in found:
        with suppress(psutil.Error):
            process.send_signal(sig)
    for process in wait_until_gone(found, seconds, pause):
        with suppress(psutil.Error):
            process.kill()
    if wait_until_gone(found, 10, pause):
        raise StackError(f"a server that works in {directory} cannot be ended; end it by hand")


def wait_until_gone(processes: Sequence[psutil.Process], seconds: float, pause: Pause) -> list[psutil.Process]:
    """Wait at most `seconds`; returns those that still run."""
    deadline = time.monotonic() + seconds
    while True:
        left = [process for process in processes if runs(process)]
        if not left or time.monotonic() >= deadline:
            return left
        pause(0.05)


def runs(process: psutil.Process) -> bool:
    """Whether the process exists and is more than an exit status that nobody has asked for yet."""
    with suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False
