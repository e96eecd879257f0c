"""What an agent may do: patterns with `*`, and `!` for deny, which wins."""

from __future__ import annotations

import pytest

from tenants.permissions import permits

NOOP = {"tool_call:run", "tool_call:noop", "noop"}


@pytest.mark.parametrize(
    "patterns", [["*"], ["noop"], ["tool_call:noop"], ["tool_call:run"], ["tool_call:*"], ["http:run", "no*"]]
)
def test_one_pattern_for_any_of_its_names_is_enough(patterns: list[str]) -> None:
    assert permits(patterns, NOOP)


@pytest.mark.parametrize("patterns", [[], ["http:run"], ["noo"], ["NOOP"], ["noop2"], ["tool_call"], ["!http:run"]])
def test_what_no_pattern_allows_is_not_allowed(patterns: list[str]) -> None:
    assert not permits(patterns, NOOP)


@pytest.mark.parametrize("denied", ["!noop", "!tool_call:noop", "!tool_call:*", "!*", "!*:run"])
@pytest.mark.parametrize("order", [1, -1])
def test_deny_wins_wherever_it_stands(denied: str, order: int) -> None:
    assert not permits(["*", "noop", denied][::order], NOOP)


def test_only_the_star_is_special() -> None:
    assert not permits(["n?op"], NOOP)
    assert not permits(["[n]oop"], NOOP)
    assert permits(["a?b", "a[b]"], {"a?b"})
    assert permits(["a[b]*"], {"a[b]c"})


def test_a_pattern_means_the_whole_name() -> None:
    assert not permits(["oop", "tool"], NOOP)
    assert permits(["*oop"], NOOP)
    assert permits(["multi*line"], {"multi\nline"})


def test_many_stars_are_matched_at_once() -> None:
    assert not permits(["*a" * 60 + "b"], {"a" * 250})
