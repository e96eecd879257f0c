"""The effect classes of steps."""

from __future__ import annotations

from enum import StrEnum


class Effect(StrEnum):
    """What carrying a step out does to the world, and so what a lost attempt of it means."""

    PURE = "pure"
    IDEMPOTENT = "idempotent"
    AT_MOST_ONCE = "at_most_once"
