"""Key sets that issuers publish: kept for a while, fetched again when keys change. How is tenants/published_keys.py.

An issuer cannot be made to be asked often: what a token says decides only whether a fetch is worth while, and how many
there may be is bounded. One that does not answer delays nobody for long, and its last set is used meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from contract.json_values import JSON
from tenants.jwks import Keys

logger = structlog.get_logger(__name__)

FRESH: Final = 300.0
"""Seconds for which a set is used without asking whether it is still the issuer's."""
STALE: Final = 3600.0
"""Seconds for which a set is used while the issuer does not answer."""
MISSED: Final = 60.0
"""Seconds for which a kid that was in no set is not looked for again."""
AT_ONCE: Final = 3
EVERY: Final = 10.0
"""An issuer is asked at most `AT_ONCE` times in a row, and once more for each `EVERY` seconds."""
AFTER_FAILURE: Final = 30.0
"""Seconds for which an issuer that did not answer is left alone."""

PATIENCE: Final = 3.0
"""Seconds that anything is waited for: a connection, the next bytes, somebody else's fetch."""


class NotFetched(Exception):
    """The issuer did not answer with a key set; str() says why."""


class KeySets:
    """Key sets by their address. `fetch` gets the one at an address, or raises NotFetched; `clock` counts seconds."""

    def __init__(self, fetch: Callable[[str], Keys], clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._shelves: dict[str, _Shelf] = {}

    def key(self, url: str, kid: str) -> JSON | None:
        """The key `kid` of the set at `url`; None if it has none, or cannot be had. Not for use in a transaction."""
        shelf = self._shelf(url)
        now = self._clock()
        known = kid in shelf.keys and now - shelf.fetched_at < STALE
        if known and now - shelf.fetched_at < FRESH:
            return shelf.keys[kid]
        if known or now - shelf.missed.get(kid, -MISSED) >= MISSED:
            self._refresh(url, shelf, kid, wait=not known)
        return shelf.keys.get(kid) if self._clock() - shelf.fetched_at < STALE else None

    def _shelf(self, url: str) -> _Shelf:
        with self._lock:
            return self._shelves.setdefault(url, _Shelf(self._clock()))

    def _refresh(self, url: str, shelf: _Shelf, kid: str, *, wait: bool) -> None:
        """Fetch the set, unless somebody else did while this waited, or it was done too often."""
        seen = shelf.fetched_at
        if not shelf.lock.acquire(timeout=PATIENCE if wait else 0):
            return
        try:
            if shelf.fetched_at == seen and shelf.may_fetch(self._clock()):
                self._fetch_into(url, shelf, kid)
        finally:
            shelf.lock.release()

    def _fetch_into(self, url: str, shelf: _Shelf, kid: str) -> None:
        try:
            keys = self._fetch(url)
        except NotFetched as error:
            shelf.not_before = self._clock() + AFTER_FAILURE
            logger.warning("key_set_not_fetched", url=url, error=str(error))
            return
        shelf.keys, shelf.fetched_at = keys, self._clock()
        logger.info("key_set_fetched", url=url, keys=len(keys))
        if kid not in keys:
            shelf.miss(kid, shelf.fetched_at)


@dataclass(slots=True)
class _Shelf:
    """What is known of one address. `allowance` is how many fetches there may be at `counted_at`."""

    counted_at: float
    allowance: float = AT_ONCE
    not_before: float = float("-inf")
    fetched_at: float = float("-inf")
    keys: Keys = field(default_factory=dict)
    missed: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def may_fetch(self, now: float) -> bool:
        """Whether the issuer may be asked now; if so, that counts."""
        self.allowance = min(AT_ONCE, self.allowance + (now - self.counted_at) / EVERY)
        self.counted_at = now
        if self.allowance < 1 or now < self.not_before:
            return False
        self.allowance -= 1
        return True

    def miss(self, kid: str, now: float) -> None:
        """Remember that the newest set has no `kid`. Bounded as fetches are."""
        self.missed = {name: since for name, since in self.missed.items() if now - since < MISSED}
        self.missed[kid] = now
