"""Waiting for something that other processes do: never longer than needed, never for ever."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(holds: Callable[[], object], *, seconds: float = 30) -> None:
    """Return once `holds()` is true; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{holds} did not come true in {seconds} s"
        time.sleep(0.05)
