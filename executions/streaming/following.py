"""Who follows what, how far each has come, and what reaches whom of what was read. Pure.

A follower is asked for more only when it has handed on all that it was given, so a client that reads slowly costs no
memory, and every follower comes to every event, by its own position.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

Show: TypeAlias = Callable[["Told"], bytes]
"""An event as it is sent."""

Place: TypeAlias = tuple[int, int]
"""A place in the order of all events: of the last one that was passed, its `xid` and `id`."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event, with what of its execution stands in its JSON."""

    id: int
    xid: int
    execution_id: UUID
    tenant_id: UUID
    workflow_id: UUID
    run_id: UUID | None
    request_id: str
    sequence: int
    type: str
    step: str | None
    body: str
    created_at: datetime

    @property
    def place(self) -> Place:
        return self.xid, self.id


@dataclass(frozen=True, slots=True)
class OfExecution:
    """The events of one execution, up to its end."""

    execution_id: UUID
    show: Show


@dataclass(frozen=True, slots=True)
class OfTenant:
    """The events of all executions of one tenant, without end."""

    tenant_id: UUID
    show: Show


@dataclass(eq=False)
class Follower:
    """One open stream. `after` is the sequence, or the place, up to which it was given everything."""

    source: OfExecution | OfTenant
    after: int | Place
    news: Callable[[], None]
    """Called whenever there is something new to send, or nothing more to come."""
    waiting: list[bytes] = field(default_factory=list)
    more: bool = False
    """Whether there was more than it was given the last time."""
    ended: bool = False

    @property
    def hungry(self) -> bool:
        """Whether it wants more."""
        return not self.waiting and not self.ended

    def handed_on(self) -> bytes:
        """What waits to be sent; from here on it is hungry again."""
        parts, self.waiting = self.waiting, []
        return b"".join(parts)

    def given(self, parts: Sequence[bytes], after: int | Place, *, more: bool = False, ended: bool = False) -> None:
        """What comes next, up to `after`."""
        self.waiting, self.after, self.more, self.ended = list(parts), after, more, ended
        if parts or ended:
            self.news()


@dataclass(slots=True)
class AtSequence:
    """Followers of one execution that have all come equally far."""

    source: OfExecution
    after: int
    followers: list[Follower]

    def give(self, events: Sequence[Told], *, more: bool, ended: bool) -> None:
        """The events that come next, at least one; `ended`: none will follow."""
        parts = [self.source.show(event) for event in events]
        for follower in self.followers:
            follower.given(parts, events[-1].sequence, more=more, ended=ended)

    def end(self) -> None:
        """There is nothing more for them."""
        for follower in self.followers:
            follower.given([], follower.after, ended=True)


@dataclass(slots=True)
class AtPlace:
    """Followers of tenants that have all come equally far."""

    after: Place
    followers: list[Follower]

    @property
    def tenants(self) -> list[UUID]:
        return list({of_tenant(follower).tenant_id for follower in self.followers})

    def give(self, events: Iterable[Told], upto: Place, *, more: bool) -> None:
        """The events of these tenants up to `upto`, to each follower those of its own tenant alone."""
        by_tenant: dict[UUID, list[Told]] = defaultdict(list)
        for event in events:
            by_tenant[event.tenant_id].append(event)
        shown: dict[OfTenant, list[bytes]] = {}
        for follower in self.followers:
            source = of_tenant(follower)
            if source not in shown:
                shown[source] = [source.show(event) for event in by_tenant[source.tenant_id]]
            follower.given(shown[source], upto, more=more)

    def end(self) -> None:
        """There is nothing more for them."""
        for follower in self.followers:
            follower.given([], follower.after, ended=True)


def of_tenant(follower: Follower) -> OfTenant:
    assert isinstance(follower.source, OfTenant)
    return follower.source


def at_sequences(followers: Iterable[Follower]) -> list[AtSequence]:
    """Those who follow an execution, by what they need next."""
    groups: dict[tuple[OfExecution, int], AtSequence] = {}
    for follower in followers:
        if isinstance(follower.source, OfExecution) and isinstance(follower.after, int):
            key = follower.source, follower.after
            groups.setdefault(key, AtSequence(*key, [])).followers.append(follower)
    return list(groups.values())


def at_places(followers: Iterable[Follower]) -> list[AtPlace]:
    """Those who follow a tenant, by the place from which they need what follows, the furthest back first."""
    groups: dict[Place, AtPlace] = {}
    for follower in followers:
        if isinstance(follower.source, OfTenant) and isinstance(follower.after, tuple):
            groups.setdefault(follower.after, AtPlace(follower.after, [])).followers.append(follower)
    return [groups[place] for place in sorted(groups)]
