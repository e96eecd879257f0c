"""Which code this process runs: the digest of its own sources, so that it is known without any release process."""

from __future__ import annotations

import hashlib
from pathlib import Path

ROOMS = ("config", "contract", "executions", "orchestrator", "tenants", "workflows")


def code_version(checkout: Path) -> str:
    """The first 16 hex digits of the SHA-256 over every Python file of the rooms, names and contents, in order."""
    found = hashlib.sha256()
    for room in ROOMS:
        for path in sorted((checkout / room).rglob("*.py")):
            found.update(str(path.relative_to(checkout)).encode())
            found.update(path.read_bytes())
    return found.hexdigest()[:16]
