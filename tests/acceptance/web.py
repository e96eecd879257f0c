"""One more web process beside those of a stack, on an address of its own."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import httpx
import psutil

from config.stack import commands
from config.stack.child import Child
from config.stack.data_dir import CHECKOUT
from config.stack.running import Stack
from tests.waiting import eventually


@dataclass
class Web:
    """A running server: gunicorn's own process, and the one that it started to serve."""

    host: str
    port: int
    child: Child

    @property
    def address(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def serving(self) -> psutil.Process:
        assert self.child.process is not None
        [process] = psutil.Process(self.child.process.pid).children()
        return process

    def connected(self) -> socket.socket:
        made = socket.create_connection((self.host, self.port))
        made.settimeout(20)
        return made

    def answers(self, request: bytes) -> bytes:
        """Everything that is answered to these bytes, up to the end of the connection."""
        with self.connected() as connection:
            connection.sendall(request)
            return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    parts = b""
    # A server that leaves a body unread resets the connection after its answer, which is what counts here.
    with suppress(ConnectionResetError):
        while part := connection.recv(65536):
            parts += part
    return parts


@contextmanager
def web(stack: Stack, name: str, arguments: str = "", **environment: str) -> Iterator[Web]:
    """A server with one serving process; `arguments` are gunicorn's."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = {"PORT": str(port), "GUNICORN_CMD_ARGS": f"--workers 1 {arguments}", **environment}
    log = stack.data.logs / f"{name}.log"
    child = Child(name, [sys.executable, *commands.WEB], log, {**stack.environment, **settings}, cwd=CHECKOUT)
    child.start()
    try:
        made = Web("127.0.0.1", port, child)
        eventually(lambda: _serves(made.address))
        yield made
    finally:
        child.stop()


def _serves(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz").status_code == 200
    except httpx.TransportError:
        return False
