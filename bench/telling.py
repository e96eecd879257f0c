"""The rows of every table that is shown, for the terminal and for the page alike. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.figures import OURS, Figure, Kind, Measured, Verdict, times_as_good
from bench.results import Outcome

COLUMNS = ("figure", "contestant", "median", "min to max", "to the floor", "Traceway is")
GOAL_COLUMNS = ("goal", "wanted", "found", "")


@dataclass(frozen=True, slots=True)
class Row:
    """One contestant at one figure, in words. `ours`: whether it is this product's."""

    figure: str
    contestant: str
    median: str
    spread: str
    to_the_floor: str
    against: str
    ours: bool

    def cells(self) -> tuple[str, ...]:
        return (self.figure, self.contestant, self.median, self.spread, self.to_the_floor, self.against)


def rows(outcome: Outcome) -> Iterator[Row]:
    """Every figure with its contestants; the figure's title stands in the first of its rows only."""
    for figure in outcome.figures:
        found = outcome.of(figure.name)
        for number, one in enumerate(found):
            yield _row(figure, one, found, figure.title if number == 0 else "")


def _row(figure: Figure, one: Measured, found: list[Measured], title: str) -> Row:
    floor = next((other for other in found if other.kind is Kind.FLOOR), None)
    ours = next((other for other in found if other.contestant == OURS), None)
    is_ours = one.kind in (Kind.PRODUCT, Kind.VARIANT)
    beside = None if floor is None or one is floor or not floor.median else one.median / floor.median
    against = None if ours is None or one is ours else times_as_good(figure, ours.median, one.median)
    return Row(
        title,
        one.contestant,
        with_unit(one.median, figure.unit),
        f"{number(one.least)} to {number(one.most)}" if len(one.samples) > 1 else "",
        "" if beside is None else f"{number(beside)}x",
        "" if against is None else compared(against),
        is_ours,
    )


def compared(ratio: float) -> str:
    """`2.1x as good`: more than 1 is better, whether the figure is a time or a rate."""
    return f"{number(ratio)}x as good"


def number(value: float) -> str:
    """Three digits that count, with thousands set off."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def with_unit(value: float, unit: str) -> str:
    return f"{number(value)}{unit if unit == '/s' else f' {unit}' if unit else ''}"


def goal_cells(verdict: Verdict) -> tuple[str, str, str, str]:
    """The goal, what was wanted, what was found, and met, MISSED or not judged."""
    wanted = f"{'at least' if verdict.at_least else 'at most'} {_goal_number(verdict.limit, verdict.unit)}"
    if verdict.value is None:
        return verdict.text, wanted, "", "not judged"
    return verdict.text, wanted, _goal_number(verdict.value, verdict.unit), "met" if verdict.met else "MISSED"


def _goal_number(value: float, unit: str) -> str:
    return f"{number(value)}x" if unit == "x" else with_unit(value, unit)


def records(outcome: Outcome) -> list[tuple[str, str]]:
    """Each contestant once, with what it records."""
    return list(dict.fromkeys((one.contestant, one.records) for one in outcome.measured))


def counted(outcome: Outcome) -> str:
    """How the samples were taken."""
    warm = f"{outcome.warm_ups} warm-up round{'s' if outcome.warm_ups != 1 else ''} not counted"
    rounds = f"{outcome.rounds} round{'s' if outcome.rounds != 1 else ''}, contestants in turn"
    return f"{rounds}; {warm if outcome.warm_ups else 'no warm-up'}; {outcome.seconds:.0f} s in all."
