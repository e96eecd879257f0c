"""A simulated worker process: the real engine on a fibre of its own, which may stop at every call of a port."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg
from greenlet import GreenletExit, getcurrent, greenlet

from executions.store import Superseded
from orchestrator.engine import Engine
from orchestrator.outcomes import Claim, Failed, Handed, Limits, Succeeded
from tests.simulator.session import MemoryStore
from workflows.spec import Runnable

if TYPE_CHECKING:
    from tests.simulator.world import World

LEASE = timedelta(seconds=5)
DRAIN_SECONDS = 1.0
OUTPUT_BYTES = 1_000


class Died(GreenletExit):
    """The process ends on this line."""


@dataclass
class Loaded:
    """The definitions that one process has at hand."""

    everything: Mapping[UUID, Runnable]
    at_hand: dict[UUID, Runnable] = field(default_factory=dict)

    def kept(self, version_id: UUID, _parameters: str) -> Runnable | None:
        return self.at_hand.get(version_id)

    def load(self, version_id: UUID, _parameters: str) -> None:
        self.at_hand[version_id] = self.everything[version_id]


@dataclass
class Worker:
    """One process. `stalled`: it stands still, and so does its heart; `blocked`: what it waits for."""

    name: str
    world: World
    expires_at: datetime
    beat_at: datetime
    listed: frozenset[str] = frozenset()
    alive: bool = True
    stalled: bool = False
    blocked: Callable[[], bool] | None = None
    fibre: greenlet | None = None
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = Engine(
            store=MemoryStore(self.world.memory, self),
            runnables=Loaded(self.world.pool.runnables),
            carry_out=self.carry_out,
            announce=self.world.announce,
            limits=Limits(OUTPUT_BYTES),
        )

    @property
    def is_idle(self) -> bool:
        return self.fibre is None or self.fibre.dead

    @property
    def may_go_on(self) -> bool:
        return not self.is_idle and not self.stalled and (self.blocked is None or self.blocked())

    def wake(self) -> None:
        """A hint came: look what is due."""
        self.fibre = greenlet(self._drain)
        self.go_on()

    def go_on(self) -> None:
        assert self.fibre is not None, "it was woken"
        self.world.running = self
        self.fibre.switch()

    def kill(self) -> None:
        self.alive = False
        if not self.is_idle and self.fibre is not None:
            self.fibre.throw(Died)

    def beat(self, now: datetime) -> None:
        if self.alive and not self.stalled:
            self.beat_at, self.expires_at = now, now + LEASE
            self.listed = frozenset(self.engine.held.all())

    def at(self, point: str) -> None:
        self.world.at(self, point)

    def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.blocked = condition
            self.pause()
        self.blocked = None

    def pause(self) -> None:
        """Let others go on."""
        parent = getcurrent().parent
        assert parent is not None, "only a fibre pauses"
        parent.switch()

    def carry_out(self, claim: Claim) -> Succeeded | Failed | Handed:
        return self.world.effects.carry_out(self, claim)

    def _drain(self) -> None:
        """As a Celery task does: an outage ends it, and the process waits for the next hint."""
        try:
            self.engine.drain(DRAIN_SECONDS)
        except (psycopg.Error, Superseded) as error:
            self.world.tell(self.name, "gave up:", error)
