"""The effect classes of steps."""

from __future__ import annotations

from enum import StrEnum


class Effect(StrEnum):
    """What carrying a step out does to the world, and so what a lost attempt of it means. A wait holds no worker."""

    PURE = "pure"
    IDEMPOTENT = "idempotent"
    AT_MOST_ONCE = "at_most_once"
    WAIT = "wait"
