"""The servers of one installation that are not given from outside, and the files that tell others where they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from config.stack.child import Child, Pause
from config.stack.data_dir import DataDir
from config.stack.postgres import EmbeddedPostgres
from config.stack.valkey import EmbeddedValkey


class Servers:
    """Embedded PostgreSQL and Valkey on one data directory, each only if wanted."""

    def __init__(
        self, data: DataDir, *, postgres: bool, valkey: bool, pause: Pause, say: Callable[[str], None]
    ) -> None:
        self._data, self._say = data, say
        self._postgres = EmbeddedPostgres(data, pause, say) if postgres else None
        self._valkey = EmbeddedValkey(data, pause) if valkey else None

    def start(self) -> None:
        """Start every server that does not run, and write its address."""
        if self._postgres is not None and _ended(self._postgres.child):
            self._say("starting PostgreSQL")
            self._data.write("database_url", self._postgres.start())
        if self._valkey is not None and _ended(self._valkey.child):
            self._say("starting Valkey")
            self._data.write("redis_url", self._valkey.start())

    def ended(self) -> list[str]:
        """The names of the servers that are not running though they should."""
        return [child.name for child in self._children() if child.ended()]

    def stop(self) -> None:
        """Stop them all, the broker first."""
        if self._valkey is not None:
            self._valkey.stop()
        if self._postgres is not None:
            self._postgres.stop()

    def _children(self) -> Iterator[Child]:
        for server in (self._postgres, self._valkey):
            if server is not None and server.child is not None:
                yield server.child


def _ended(child: Child | None) -> bool:
    return child is None or child.ended()
