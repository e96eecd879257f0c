"""join: how many of a step's parents are enough, and what becomes of the others."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.workflows.writing import named, parse, problems


def joined(join: Any) -> tuple[int | None, bool]:
    step = parse(named("a"), named("b"), named("c"), named("j", depends_on=["a", "b", "c"], join=join)).steps[3]
    return step.join, step.cancels_rest


@pytest.mark.parametrize(
    ("join", "expected"),
    [
        (None, (None, False)),
        ("all", (None, False)),
        ("any", (1, False)),
        (2, (2, False)),
        (3, (3, False)),
        ({"n": "any"}, (1, False)),
        ({"n": 2, "rest": "leave"}, (2, False)),
        ({"n": "any", "rest": "cancel"}, (1, True)),
    ],
)
def test_a_join_says_how_many_parents_are_enough(join: Any, expected: Any) -> None:
    assert joined(join) == expected


@pytest.mark.parametrize(
    ("join", "expected"),
    [
        (4, {("", "invalid")}),
        (0, {("", "invalid")}),
        (True, {("", "invalid")}),
        (1.5, {("", "invalid")}),
        ("most", {("", "invalid")}),
        ([], {("", "invalid")}),
        ({}, {("/n", "missing")}),
        ({"n": 4}, {("/n", "invalid")}),
        (
            {"n": "all", "rest": "kill", "more": 1},
            {("/n", "invalid"), ("/rest", "invalid"), ("/more", "unknown_member")},
        ),
    ],
)
def test_a_join_that_cannot_be_is_told(join: Any, expected: Any) -> None:
    found = problems(named("a"), named("b"), named("c"), named("j", depends_on=["a", "b", "c"], join=join))
    assert found == {(f"/steps/3/join{field}", code) for field, code in expected}


def test_a_step_without_parents_has_nothing_to_join() -> None:
    assert problems(named("a", join="any"), named("f", on_failure="h"), named("h", join=1)) == {
        ("/steps/0/join", "invalid"),
        ("/steps/2/join", "invalid"),
    }
    assert parse(named("a", join="all")).steps[0].join is None


def test_the_step_before_is_the_parent_of_one_given_by_action() -> None:
    assert parse({"action": "noop"}, {"action": "noop", "join": "any"}).steps[1].join == 1


def test_parents_that_do_not_exist_are_told_once() -> None:
    assert problems(named("a"), named("j", depends_on=["a", "zz"], join=2)) == {
        ("/steps/1/depends_on/1", "unknown_step")
    }
