"""Version numbers: which is above which, and which comes next. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from semver import Version


def next_patch(live: str, published: Iterable[str]) -> str:
    """The patch after `live` or, where that is not above all of `published`, after the highest of them."""
    candidate = _bumped(Version.parse(live))
    highest = max(map(Version.parse, published), default=candidate)
    return str(candidate if candidate > highest else _bumped(highest))


def is_above_all(version: str, published: Iterable[str]) -> bool:
    """Whether `version` has higher precedence than each of `published`."""
    parsed = Version.parse(version)
    return all(parsed > Version.parse(other) for other in published)


def _bumped(version: Version) -> Version:
    return version.replace(prerelease=None, build=None).bump_patch()
