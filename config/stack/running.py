"""A whole stack as an object, for a program that needs one: the demo, the acceptance tests.

It is `manage.py up` in a process of its own; its progress goes to this program's stderr.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from config.stack.child import StackError, marked, servers_in, wait_until_gone
from config.stack.data_dir import CHECKOUT, DataDir
from config.stack.parent_death import dying_with_parent

_STOP_SECONDS = 180


class Stack:
    """The stack on `data_dir` (default: this checkout's), serving on the loopback interface at `address`.

    `environment` is added to this program's own. Without `port` it is PORT, else any that is free.
    Use it as a context manager, or call `start` and `stop`.
    """

    def __init__(
        self, environment: Mapping[str, str] | None = None, *, data_dir: Path | None = None, port: int | None = None
    ) -> None:
        self.data = DataDir(data_dir.resolve()) if data_dir else DataDir.of_this_checkout()
        port = port or int(os.environ.get("PORT") or 0) or _free_port()
        self.address = f"http://127.0.0.1:{port}"
        self.environment = {
            **os.environ,
            **(environment or {}),
            "TRACEWAY_DATA_DIR": str(self.data.root),
            "HOST": "127.0.0.1",
            "PORT": str(port),
        }
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        """Start everything and return once it serves at `address`. Raises StackError, the reason being on stderr."""
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=CHECKOUT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=dying_with_parent(signal.SIGTERM),  # noqa: PLW1509 - it only calls the kernel
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line != f"ready {self.address}\n":
            self.stop()
            raise StackError(f"the stack did not start (it said {line!r}); logs are in {self.data.logs}")
        return self

    def stop(self) -> int:
        """End everything in order; returns the exit status. Harmless when nothing runs."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            status = self.process.wait(_STOP_SECONDS)
        finally:
            self.kill()
        return status

    def kill(self) -> None:
        """Kill -9 every process of the stack, as a machine that loses its power does."""
        if self.process is None:
            return
        # Stopped first: else it would start again what ends, or its own end would ask the servers to close properly.
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGSTOP)
        for process in self.processes():
            with suppress(psutil.Error):
                process.kill()
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        wait_until_gone(self.processes(), 10, time.sleep)
        self.process = None

    def processes(self) -> list[psutil.Process]:
        """Every process of this stack but the one that watches over them."""
        return [*marked(self.data.root), *servers_in(self.data.postgres), *servers_in(self.data.valkey)]

    def manage(self, *arguments: str) -> str:
        """Run `manage.py` with this stack's database; returns what it printed, stripped. Raises CalledProcessError."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=CHECKOUT,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=120,
        )
        return done.stdout.strip()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
