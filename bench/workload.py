"""What a workload is: figures, goals, and a place where its contestants stand ready to take turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import IntEnum
from statistics import median

from bench.contestants import floors, peers, traceway
from bench.contestants.peers import PeerFailed, PeerKind
from bench.figures import Contestant, Figure, Goal, Kind, Sheet, Turn
from bench.ground import Ground


class Runs(IntEnum):
    """In which runs a workload has its place; each larger run has the smaller one's too."""

    QUICK = 0
    NORMAL = 1
    FULL = 2


@dataclass(slots=True)
class Field:
    """The contestants in their order, and what there is to be told beside the figures."""

    contestants: list[Contestant] = field(default_factory=list)
    sheets: list[Sheet] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def product(self, turn: Turn, records: str = traceway.RECORDS) -> None:
        self.contestants.append(Contestant(traceway.NAME, Kind.PRODUCT, records, turn))

    def variant(self, name: str, turn: Turn, records: str = traceway.RECORDS) -> None:
        self.contestants.append(Contestant(name, Kind.VARIANT, records, turn))

    def floor(self, name: str, records: str, turn: Turn) -> None:
        self.contestants.append(Contestant(name, Kind.FLOOR, records, turn))

    def commits(self, floor: floors.Commits, figure: str, count: int, *, rate: float = 0) -> None:
        """PostgreSQL alone: milliseconds for `count` commits; with `rate`, things a second that take so many each."""

        def turn() -> Mapping[str, float]:
            seconds = floor.seconds(count)
            return {figure: count / rate / seconds if rate else seconds * 1000}

        self.floor(floors.POSTGRES, f"{floors.POSTGRES_RECORDS}; {rate or count:g} of them each", turn)

    def peer(
        self, ground: Ground, kind: PeerKind, turn: Callable[[peers.Program], Mapping[str, float]], name: str = ""
    ) -> None:
        """A peer, unless it does not start: then a note says why."""
        try:
            program = ground.peer(kind)
        except PeerFailed as error:
            self.notes.append(f"{kind.name} was left out: {error}")
            return
        self.contestants.append(Contestant(name or kind.name, Kind.PEER, kind.records, lambda: turn(program)))


@dataclass(frozen=True, slots=True)
class Workload:
    """`enter` makes everything ready; `rounds` is for what takes too long to be done as often as the rest."""

    name: str
    title: str
    about: str
    figures: tuple[Figure, ...]
    enter: Callable[[Ground], AbstractContextManager[Field]]
    goals: tuple[Goal, ...] = ()
    runs: Runs = Runs.QUICK
    rounds: int | None = None
    warm_ups: int = 1


def milliseconds(seconds: list[float]) -> float:
    """The median, in milliseconds."""
    return median(seconds) * 1000
