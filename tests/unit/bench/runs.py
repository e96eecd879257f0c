"""A workload with made-up contestants, and what came of it: what the benchmark's own tests arrange with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import cast

from bench.figures import Figure, Goal, Sheet, faster
from bench.ground import Ground, Sizes
from bench.results import Outcome, Run
from bench.runner import carry_out
from bench.workload import Field, Workload

SPEED = Figure("speed", "how long it takes", "ms")
RATE = Figure("rate", "how many a second", "/s", more_is_better=True)


class Turns:
    """Gives the values one after the other, and writes down whose turn it was."""

    def __init__(self, name: str, values: list[float], order: list[str]) -> None:
        self._name, self._values, self._order = name, iter(values), order

    def __call__(self) -> Mapping[str, float]:
        self._order.append(self._name)
        value = next(self._values, None)
        if value is None:
            raise ValueError(f"{self._name} is out of values")
        return {SPEED.name: value}


def workload(values: Mapping[str, list[float]], order: list[str], *, warm_ups: int = 1) -> Workload:
    """This product, a floor and a peer, each with its values for each round, the warm-up's first."""

    @contextmanager
    def enter(_: Ground) -> Iterator[Field]:
        made = Field(sheets=[Sheet("Facts", ["name", "value"], [["a | b", "1"]])])
        made.product(Turns("ours", values["ours"], order))
        made.floor("the floor", "one row", Turns("floor", values["floor"], order))
        made.variant("other", Turns("other", values["other"], order), "nothing")
        yield made

    goal = Goal("twice as fast as the other", faster(SPEED.name, "other"), 2, at_least=True)
    return Workload("made-up", "A made-up workload", "For tests.", (SPEED,), enter, (goal,), warm_ups=warm_ups)


def carried_out(made: Workload, rounds: int, settle: Callable[[], object] = lambda: None) -> Outcome:
    sizes = Sizes(rounds=rounds, scale=1.0, sustain_minutes=0, million=0)
    ground = cast("Ground", SimpleNamespace(sizes=sizes, settle=lambda: settle() or 0.0, used_by_others=lambda: 0.0))
    return carry_out(made, ground, lambda _: None)


def run_of(*outcomes: Outcome) -> Run:
    return Run(
        mode="quick",
        date="2026-11-22T12:00:00Z",
        machine={"processor": "some", "processors": 2, "memory_gib": 24.0, "system": "Linux 6"},
        versions={"python": "3.11"},
        peers={"celery": "5.7"},
        durability={"fsync": "on", "synchronous_commit": "on"},
        load={"average": 0.1, "used": 0.02},
        quiet=True,
        outcomes=list(outcomes),
    )


def usual() -> Outcome:
    """Ours takes 10 ms, the floor 5, the other 30."""
    values = {"ours": [99.0, 10, 10, 13.5], "floor": [99.0, 5, 5, 5], "other": [99.0, 30, 31, 30]}
    return carried_out(workload(values, []), 3)
