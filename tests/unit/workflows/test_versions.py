"""Version numbers."""

from __future__ import annotations

from itertools import pairwise

import pytest

from workflows.versions import is_above_all, next_patch


@pytest.mark.parametrize(
    ("live", "published", "following"),
    [
        ("1.0.0", ["1.0.0"], "1.0.1"),
        ("1.0.9", ["1.0.0", "1.0.9"], "1.0.10"),
        ("1.0.0", ["1.0.0", "1.0.1"], "1.0.2"),
        ("1.0.0", ["1.0.0", "2.1.0"], "2.1.1"),
        ("1.0.0-rc.1", ["1.0.0-rc.1"], "1.0.1"),
        ("1.0.0+build", ["1.0.0+build"], "1.0.1"),
    ],
)
def test_the_next_patch_is_above_all_that_were_published(live: str, published: list[str], following: str) -> None:
    assert next_patch(live, published) == following
    assert is_above_all(following, published)


def test_precedence_is_that_of_semantic_versions() -> None:
    ascending = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0", "1.9.0", "1.10.0", "2.0.0"]
    for lower, higher in pairwise(ascending):
        assert is_above_all(higher, [lower])
        assert not is_above_all(lower, [higher])
    assert not is_above_all("1.0.0+b", ["1.0.0+a"])
    assert is_above_all("0.0.1", [])
