from __future__ import annotations

from tests.integration.callers import alice, bob

__all__ = ["alice", "bob"]
