"""Medians, shares, ratios, and goals that are met, missed or open."""

from __future__ import annotations

import pytest

from bench.figures import OURS, Goal, faster, judged, more, quantile, times_as_good
from tests.unit.bench.runs import RATE, SPEED


@pytest.mark.parametrize(("share", "value"), [(0.5, 2), (0.51, 3), (0.75, 3), (0.99, 4), (1.0, 4), (0.01, 1)])
def test_a_quantile_is_the_smallest_value_that_so_many_do_not_exceed(share: float, value: float) -> None:
    assert quantile([4, 1, 3, 2], share) == value


def test_twice_as_good_is_half_the_time_or_twice_the_rate() -> None:
    assert times_as_good(SPEED, 10, 20) == 2
    assert times_as_good(RATE, 20, 10) == 2
    assert times_as_good(SPEED, 20, 10) == times_as_good(RATE, 10, 20) == 0.5


def test_a_goal_is_met_at_its_limit() -> None:
    found = {("speed", OURS): 10.0, ("speed", "other"): 20.0, ("rate", OURS): 30.0, ("rate", "other"): 20.0}

    assert judged(Goal("", faster("speed", "other"), 2, at_least=True), found).met is True
    assert judged(Goal("", faster("speed", "other"), 2.1, at_least=True), found).met is False
    assert judged(Goal("", more("rate", "other"), 1.5, at_least=True), found).met is True
    assert judged(Goal("", more("rate", "other"), 1.5, at_least=False), found).met is True
    assert judged(Goal("", more("rate", "other"), 1.4, at_least=False), found).met is False


def test_a_goal_whose_contestant_is_missing_is_neither_met_nor_missed() -> None:
    verdict = judged(Goal("", faster("speed", "other"), 2, at_least=True), {("speed", OURS): 10.0})
    assert (verdict.value, verdict.met) == (None, None)
