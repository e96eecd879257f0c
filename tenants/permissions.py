"""Which actions an agent may carry out: patterns with `*`, and `!` for deny, which wins. Pure."""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

PATTERN: Final = r"^!?[^!\x00-\x20]([^\x00-\x1f]*[^\x00-\x20])?$"
"""What a pattern may be. One with a space at an end would name nothing, and as a deny it would deny nothing."""


def permits(patterns: Collection[str], names: Collection[str]) -> bool:
    """Whether an action known under any of `names` is allowed: by one pattern at least, and denied by none."""
    return _permits(tuple(patterns), frozenset(names))


@lru_cache(maxsize=1024)
def _permits(patterns: tuple[str, ...], names: frozenset[str]) -> bool:
    denied = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    allowed = [pattern for pattern in patterns if not pattern.startswith("!")]
    return _matches(allowed, names) and not _matches(denied, names)


def _matches(patterns: Collection[str], names: Collection[str]) -> bool:
    return any(fnmatchcase(name, _starred(pattern)) for pattern in patterns for name in names)


def _starred(pattern: str) -> str:
    """Only `*` is special here; the other wildcards of fnmatch stand for themselves."""
    return pattern.replace("[", "[[]").replace("?", "[?]")
