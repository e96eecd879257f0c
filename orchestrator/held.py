"""The attempts that this process has in hand, and what the thread that beats found out about them."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass(slots=True)
class Held:
    """By fence (`execution:step:number`). Used by the engine's thread and by the one that beats."""

    _fences: set[str] = field(default_factory=set)
    _cancelled: frozenset[str] = frozenset()
    _closed: frozenset[str] = frozenset()
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, fence: str) -> None:
        with self._lock:
            self._fences.add(fence)

    def drop(self, fence: str) -> None:
        with self._lock:
            self._fences.discard(fence)

    def keep(self, fence: str | None) -> None:
        """Forget everything but this one."""
        with self._lock:
            self._fences &= {fence} if fence is not None else set()

    def all(self) -> list[str]:
        with self._lock:
            return sorted(self._fences)

    def find(self, *, cancelled: Collection[str], closed: Collection[str]) -> None:
        """Of these the execution is to end; of those the attempt does not run any more, as far as the record says."""
        self._cancelled, self._closed = frozenset(cancelled), frozenset(closed)

    def is_cancelled(self, fence: str) -> bool:
        return fence in self._cancelled or fence in self._closed

    def is_closed(self, fence: str) -> bool:
        return fence in self._closed
