"""What is measured: figures, who is measured, and the goals that medians are held against. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median

OURS = "Traceway"
"""The contestant that this is all about."""

Turn = Callable[[], Mapping[str, float]]
"""One round of one contestant: a value for each figure that it has."""
Medians = Mapping[tuple[str, str], float]
"""By (figure, contestant)."""


class Kind(StrEnum):
    """`floor`: what the servers themselves can do; `variant`: this product, under other circumstances."""

    PRODUCT = "product"
    VARIANT = "variant"
    FLOOR = "floor"
    PEER = "peer"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a workload and its unit (ms, us, s, /s, MB)."""

    name: str
    title: str
    unit: str
    more_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Contestant:
    """Who takes turns in a workload; `records` says what it keeps of what it does, for the reader of the table."""

    name: str
    kind: Kind
    records: str
    turn: Turn


@dataclass(frozen=True, slots=True)
class Goal:
    """`value` of the medians is to be at least, or at most, `limit`; a contestant that is missing leaves it open."""

    text: str
    value: Callable[[Medians], float]
    limit: float
    at_least: bool
    unit: str = "x"

    def met_by(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal and what came of it; None where it could not be judged."""

    text: str
    limit: float
    at_least: bool
    unit: str
    value: float | None
    met: bool | None


@dataclass(slots=True)
class Sheet:
    """Facts beside the figures: a table."""

    title: str
    columns: Sequence[str]
    rows: list[list[str]] = field(default_factory=list)


@dataclass(slots=True)
class Measured:
    """The samples of one contestant at one figure, a round each."""

    figure: str
    contestant: str
    kind: Kind
    records: str
    samples: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return median(self.samples)

    @property
    def least(self) -> float:
        return min(self.samples)

    @property
    def most(self) -> float:
        return max(self.samples)


def medians(measured: Sequence[Measured]) -> Medians:
    return {(one.figure, one.contestant): one.median for one in measured if one.samples}


def judged(goal: Goal, found: Medians) -> Verdict:
    """What came of the goal, given these medians."""
    try:
        value: float | None = goal.value(found)
    except (KeyError, ZeroDivisionError):
        value = None
    met = None if value is None else goal.met_by(value)
    return Verdict(goal.text, goal.limit, goal.at_least, goal.unit, value, met)


def times_as_good(figure: Figure, ours: float, other: float) -> float:
    """How many times as good `ours` is as `other`: above 1 is better, whichever way the figure is read."""
    worse, better = (other, ours) if figure.more_is_better else (ours, other)
    return better / worse if worse else math.inf


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least this share of them does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def faster(figure: str, other: str, ours: str = OURS) -> Callable[[Medians], float]:
    """How many times longer the other takes, for a figure in seconds."""
    return lambda found: found[figure, other] / found[figure, ours]


def more(figure: str, other: str, ours: str = OURS) -> Callable[[Medians], float]:
    """How many times as many ours does, for a figure in things a second."""
    return lambda found: found[figure, ours] / found[figure, other]


def only(figure: str, contestant: str = OURS) -> Callable[[Medians], float]:
    """The median itself."""
    return lambda found: found[figure, contestant]
