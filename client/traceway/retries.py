"""When a request is sent again, and after how long. Pure, but for chance and the clock, which are handed in."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from traceway.effects import Reply

NOT_NOW = frozenset({429, 502, 503, 504})
"""Statuses that say `not now`; with IN_PROGRESS they are all that is sent again."""
IN_PROGRESS = "idempotency_in_progress"
"""A 409 with this reason: the first sending of this very request is still being carried out."""
LOST = (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError, httpx.ProxyError)
"""Errors of the connection; another TransportError says that the request cannot be sent at all."""


@dataclass(frozen=True, slots=True)
class Retry:
    """For how many `seconds` a request is sent again at most; pauses double from `first` to `longest`, with jitter."""

    seconds: float = 60.0
    first: float = 0.2
    longest: float = 8.0
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random

    def pause(self, tries: int, told: float | None = None) -> float:
        """Seconds until the next try after `tries`; `told` is what the server's Retry-After said, the least it is."""
        grown: float = min(self.longest, self.first * 2.0 ** (tries - 1))
        jittered = grown * (0.5 + self.chance() / 2)
        return jittered if told is None else told + jittered / 4


def told_to_wait(reply: Reply) -> float | None:
    """The seconds of Retry-After; None where there is none, or a date."""
    text = reply.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None
