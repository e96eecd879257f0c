"""Whether the machine was left alone: what others than the benchmark and what it measures used of it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil

QUIET_SHARE = 0.10
"""Of all processors, used by others: above that, figures are not to be trusted."""


def used_by_others(own: Iterable[psutil.Process], seconds: float = 1.0) -> float:
    """The share of all processors that anything but these processes uses for `seconds`."""
    own = list(own)
    began, busy, spent = time.monotonic(), _busy(), _spent(own)
    time.sleep(seconds)
    passed = (time.monotonic() - began) * (os.cpu_count() or 1)
    return max(0.0, round((_busy() - busy - (_spent(own) - spent)) / passed, 3))


def _busy() -> float:
    """Seconds that all processors have worked, or that other machines on the same host took from them."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0) + getattr(times, "guest", 0.0)
    return float(sum(times) - idle)


def _spent(processes: Iterable[psutil.Process]) -> float:
    total = 0.0
    for one in processes:
        with suppress(psutil.Error):
            total += sum(one.cpu_times()[:2])
    return total
