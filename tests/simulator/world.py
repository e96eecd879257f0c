"""One simulated world: workers, hints, faults, callers and time, all drawn from one seed, one event at a time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import psycopg
import pytest

from contract import json_values
from executions.change import Asked
from orchestrator import advance, engine
from orchestrator.crowding import AVOID_SECONDS
from tests.simulator.callers import Callers
from tests.simulator.definitions import Pool, pool
from tests.simulator.effects import Effects
from tests.simulator.history import Violation, require
from tests.simulator.invariants import Invariants
from tests.simulator.memory import Kept, Memory
from tests.simulator.sweeping import sweep
from tests.simulator.worker import LEASE, Died, Worker

OVERDUE = timedelta(seconds=30)
MOST_HINTS = 6
CALM_ROUNDS = 400
DATABASE = frozenset({"lock", "locked", "take", "taken", "stage", "commit", "committed", "held", "push back"})
"""The points at which the connection may break."""
AT_WORK = frozenset({"carry out", "carried out"})
"""Where a process that stands still is taken for dead most easily."""


@dataclass(frozen=True)
class Odds:
    """How likely, at each point where a process may be interrupted, it is killed, cut off, or passed over."""

    kill: float
    cut: float
    pause: float
    stall: float
    lose: float


@dataclass
class World:
    """Everything of one seed. `lines` is the trace, if one is wanted."""

    seed: int
    executions: int = 20
    traced: bool = False
    names: tuple[str, ...] = ()
    random: random.Random = field(init=False)
    pool: Pool = field(init=False)
    memory: Memory = field(default_factory=Memory)
    workers: dict[str, Worker] = field(default_factory=dict)
    hints: int = 0
    calm: bool = False
    running: Worker | None = None
    lines: list[str] = field(default_factory=list)
    turn: int = 0
    started: int = 0
    births: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.pool = pool()
        self.invariants = Invariants(self.memory, self.pool.runnables)
        self.memory.committed = self._committed
        self.effects = Effects(self, self.random)
        self.callers = Callers(self)
        harsh = self.random.choice([0.0, 0.5, 1.0, 1.0])
        self.odds = Odds(
            kill=0.01 * harsh,
            cut=0.02 * harsh,
            pause=self.random.choice([0.03, 0.15]),
            stall=self.random.choice([0.003, 0.1]) * harsh,
            lose=self.random.choice([0.0, 0.3]),
        )
        for _ in range(self.random.randint(2, 4)):
            self.bear()

    def run(self) -> None:
        """Some turns under faults, then calm until everything has ended. Raises Violation."""
        with self._clocks():
            try:
                while self.started < self.executions or self.random.random() < 0.97:
                    self.take_turn()
                self.end()
            finally:
                for worker in self.workers.values():
                    self.calm = True
                    worker.kill()

    # -- what may happen in one turn

    def take_turn(self) -> None:
        self.turn += 1
        chosen = self.random.choices(_EVENTS, _WEIGHTS)[0]
        getattr(self, f"_turn_{chosen}")()

    def _turn_go_on(self) -> None:
        able = [worker for worker in self.workers.values() if worker.may_go_on]
        if able:
            self.random.choice(able).go_on()

    def _turn_deliver(self) -> None:
        idle = [worker for worker in self.workers.values() if worker.is_idle and not worker.stalled]
        if self.hints and idle:
            self.hints -= 1
            if self.random.random() >= self.odds.lose:
                self.random.choice(idle).wake()

    def _turn_pass_time(self) -> None:
        chance = self.random.random()
        if chance < 0.5:
            self._pass(self.random.choice([0.001, 0.01, 0.1, 0.6]))
        elif chance < 0.75:
            self._jump_to_next_due()
        elif chance < 0.95:
            self._pass(self.random.choice([1, 3, 6, 12]))
        else:
            self.memory.now -= timedelta(seconds=self.random.choice([0.01, 0.5, 2]))
            self.tell("the clock steps back")

    def _turn_sweep(self) -> None:
        if sweep(self.memory, self.workers, self.tell):
            self.announce()

    def _turn_create(self) -> None:
        if self.started < self.executions:
            self.started += 1
            name = self.random.choice(self.names or self.pool.names)
            self.create(name, Asked(json_values.dump({"key": self.random.choice("ab")})))

    def _turn_call(self) -> None:
        self.callers.call()

    def _turn_kill(self) -> None:
        if self.random.random() < self.odds.kill * 10:
            worker = self.random.choice(list(self.workers.values()))
            self.tell(worker.name, "is killed from outside")
            self.bury(worker)

    def _turn_revive(self) -> None:
        for worker in self.workers.values():
            if worker.stalled and self.random.random() < 0.3:
                self.tell(worker.name, "goes on")
                worker.stalled = False

    # -- the end: no more faults

    def end(self) -> None:
        """Faults stop; everything that somebody has to give is given; then all must end."""
        self.calm = True
        for worker in self.workers.values():
            worker.stalled = False
        for _ in range(CALM_ROUNDS):
            self.turn += 1
            self._let_all_work()
            self.invariants.check_children()
            if all(not kept.is_live for kept in self.memory.executions.values()):
                self._check_all()
                return
            self.callers.give_everything()
            if not any(self.memory.due()):
                self._jump_to_next_due()
                self._pass(0.6)
            else:
                self._pass(AVOID_SECONDS)
        left = [f"{kept.row.id} {kept.standing}" for kept in self.memory.live()]
        raise Violation(f"{len(left)} executions do not end: {left[0]}")

    def _let_all_work(self) -> None:
        sweep(self.memory, self.workers, self.tell)
        for _ in range(200):
            able = [worker for worker in self.workers.values() if worker.may_go_on]
            for worker in able:
                worker.go_on()
            if not able:
                if not any(self.memory.due()) and not self.hints:
                    break
                self.hints = 0
                next(iter(worker for worker in self.workers.values() if worker.is_idle)).wake()
        for kept in self.memory.due():
            late = self.memory.now - (kept.standing.due_at or self.memory.now)
            require(late < OVERDUE, f"{kept.row.id} is overdue by {late}")

    def _check_all(self) -> None:
        require(self.invariants.accepted == set(self.memory.executions), "accepted is not what is there")
        for identifier, kept in self.memory.executions.items():
            require(not kept.is_live, "not ended:", identifier)
        require(not self.memory.locks, "somebody holds a lock")

    # -- what others use

    def announce(self, after_seconds: float = 0.0) -> None:
        """A hint, perhaps two. When it comes is up to chance; one for later is given now, or never."""
        if after_seconds and self.random.random() < self.odds.lose:
            return
        self.hints = min(MOST_HINTS, self.hints + 1 + (self.random.random() < 0.1))

    def create(self, name: str, asked: Asked) -> UUID:
        """An execution of the definition with this name."""
        version = self.pool.versions[name]
        spec = self.pool.specs[name]
        identifier = UUID(int=self.random.getrandbits(128))
        key = None if spec.concurrency is None else f"{name}:{json_values.load(asked.input)['key']}"
        self.tell("creates", name, identifier)
        self.memory.create(spec, version, identifier, asked, key)
        self.invariants.accept(identifier)
        self.announce()
        return identifier

    def bear(self) -> None:
        self.births += 1
        name = f"worker-{self.births}"
        now = self.memory.now
        self.workers[name] = Worker(name, self, now + LEASE, now)

    def bury(self, worker: Worker) -> None:
        """Its process is gone; its row stays until its lease ends. Another is started in its place."""
        worker.kill()
        del self.workers[worker.name]
        self.bear()

    def at(self, worker: Worker, point: str) -> None:
        """A worker reached a call of a port: it goes on, or stands still, or its connection breaks, or it dies."""
        if self.calm:
            return
        chance, odds = self.random.random(), self.odds
        if chance < odds.kill:
            self.tell(worker.name, "dies at", point)
            worker.alive = False
            self.workers.pop(worker.name, None)
            self.bear()
            raise Died
        chance -= odds.kill
        if chance < odds.cut and point in DATABASE:
            self.tell(worker.name, "loses its connection at", point)
            raise psycopg.OperationalError(f"the connection was lost at {point}")
        chance -= odds.cut
        stall = odds.stall if point in AT_WORK else odds.stall / 10
        if chance < stall:
            self.tell(worker.name, "stands still at", point)
            worker.stalled = True
            worker.pause()
        elif chance < stall + odds.pause or point in {"carry out", "sleep"}:
            worker.pause()

    def tell(self, *words: Any) -> None:
        if self.traced:
            moment = self.memory.now.timestamp() - 1_893_456_000
            self.lines.append(f"{self.turn:5} {moment:9.3f} " + " ".join(map(str, words)))

    def _committed(self, before: dict[UUID, Kept]) -> None:
        if self.traced:
            for identifier, earlier in before.items():
                self._tell_events(identifier, earlier)
        self.invariants.committed(before)

    def _tell_events(self, identifier: UUID, earlier: Kept) -> None:
        kept = self.memory.executions[identifier]
        who = self.running.name if self.running else "-"
        for event in kept.events[len(earlier.events) :]:
            data = event.body[event.body.index('"data":') : event.body.index(',"execution"')]
            self.tell(who, str(identifier)[:8], event.type, event.step or "", data)
        s = kept.standing
        self.tell(
            who,
            str(identifier)[:8],
            "stands",
            s.status,
            s.intent,
            s.counters,
            "due",
            s.due_at and s.due_at.timestamp() - 1_893_456_000,
        )

    def _pass(self, seconds: float) -> None:
        self.memory.now += timedelta(seconds=seconds)
        for worker in self.workers.values():
            worker.beat(self.memory.now)

    def _jump_to_next_due(self) -> None:
        moments = [kept.standing.due_at for kept in self.memory.live() if kept.standing.due_at is not None]
        later = [moment for moment in moments if moment > self.memory.now]
        if later:
            self._pass((min(later) - self.memory.now).total_seconds())

    @contextmanager
    def _clocks(self) -> Iterator[None]:
        """The two modules that look at a clock of their own look at the world's; what they log fails the world."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(engine, "time", SimpleNamespace(monotonic=self._monotonic, sleep=self._sleep))
            patch.setattr(advance, "time", SimpleNamespace(monotonic=lambda: 0.0))
            patch.setattr(engine, "log", _Log(self))
            yield

    def _monotonic(self) -> float:
        return self.memory.now.timestamp()

    def _sleep(self, _seconds: float) -> None:
        assert self.running is not None, "only workers sleep"
        self.running.at("sleep")


@dataclass
class _Log:
    """What the engine logs: that it could not decide or record is what must not happen here."""

    world: World

    def warning(self, what: str, **_: Any) -> None:
        self.world.tell("logs", what)

    def error(self, what: str, **told: Any) -> None:
        raise Violation(f"{what}: {told}") from told.get("exc_info")

    def exception(self, what: str, **told: Any) -> None:
        raise Violation(f"{what}: {told}")


_TURNS = {"go_on": 40, "deliver": 25, "pass_time": 12, "sweep": 6, "create": 12, "call": 6, "kill": 2, "revive": 5}
_EVENTS, _WEIGHTS = list(_TURNS), list(_TURNS.values())
