"""What is wanted inside a transaction and is not at hand: leave the transaction, bring it, and do everything again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

MOST_ROUNDS = 1000
"""More than the steps that one look sees to, each of which may want something of its own."""


class Away(Exception):
    """Raised inside a transaction, which is undone; whoever opened it calls `bring` and does everything again."""

    def bring(self) -> None:
        """Have it at hand, however long that takes: never called in a transaction. Raises what it meets."""
        raise NotImplementedError

    @property
    def wanted(self) -> Away:
        """What `brought_so_far` tells of: this, unless it only says more of another one."""
        return self


class Endless(Exception):
    """However often something was brought, more was wanted: what is done comes out different each time."""


class Unreachable(Exception):
    """What is wanted cannot be brought now; later it may be."""


_brought: ContextVar[list[Away] | None] = ContextVar("brought", default=None)


def at_hand(act: Callable[[], T]) -> T:
    """What `act` gives, done again each time that it raised Away. Inside another `at_hand` that one brings.

    Raises Endless, and what `act` and bringing raise.
    """
    if _brought.get() is not None:
        return act()
    brought: list[Away] = []
    token = _brought.set(brought)
    try:
        for _ in range(MOST_ROUNDS):
            try:
                return act()
            except Away as away:
                away.bring()
                brought.append(away.wanted)
        raise Endless(str(brought[-1]))
    finally:
        _brought.reset(token)


def brought_so_far() -> Sequence[Away] | None:
    """What was brought for the `at_hand` around this; None outside of any, where nobody would bring it."""
    return _brought.get()
