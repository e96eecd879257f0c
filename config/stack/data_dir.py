"""Where one installation keeps what it must find again: the servers' data and addresses, the secret key, the logs.

Settings read from here what a running stack wrote, so that manage.py needs no variable.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class DataDir:
    """The directory `root` and the names of the things in it."""

    root: Path

    @classmethod
    def of_this_checkout(cls) -> DataDir:
        """`TRACEWAY_DATA_DIR`, else `.data` beside manage.py."""
        return cls(Path(os.environ.get("TRACEWAY_DATA_DIR") or CHECKOUT / ".data").resolve())

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def payloads(self) -> Path:
        return self.root / "payloads"

    @property
    def valkey(self) -> Path:
        return self.root / "valkey"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    def database_url(self) -> str:
        """The embedded database's address; before its first start, one that nothing answers on."""
        return self._recorded("database_url", f"postgresql://postgres@/traceway?host={self.postgres}")

    def redis_url(self) -> str:
        """The embedded broker's address; before its first start, one that nothing answers on."""
        return self._recorded("redis_url", "redis://127.0.0.1:1/0")

    def secret_key(self) -> str:
        """This installation's secret key, made at the first call. Two processes that race get the same one."""
        known = self._recorded("secret_key", "")
        if known:
            return known
        fresh = self.root / f"secret_key.{os.getpid()}"
        self.write(fresh.name, secrets.token_urlsafe(50))
        try:
            os.link(fresh, self.root / "secret_key")
        except FileExistsError:
            return self._recorded("secret_key", "")
        finally:
            fresh.unlink()
        return self._recorded("secret_key", "")

    def write(self, name: str, text: str) -> None:
        """Replace the file `name`, readable by its owner only, in one step."""
        self.root.mkdir(parents=True, exist_ok=True)
        partial = self.root / f".{name}.{os.getpid()}"
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.root / name)

    def _recorded(self, name: str, default: str) -> str:
        path = self.root / name
        return path.read_text().strip() if path.exists() else default
