"""Scopes: what covers what."""

from __future__ import annotations

import pytest

from tenants import scopes


@pytest.mark.parametrize("scope", sorted(scopes.SINGLE))
def test_a_scope_is_covered_by_itself_its_resource_and_everything(scope: str) -> None:
    resource = scope.partition(":")[0]
    assert all(scopes.allows([granted], scope) for granted in (scope, f"{resource}:*", "*"))
    assert not scopes.allows(scopes.SINGLE - {scope}, scope)
    assert not scopes.allows({f"{other.partition(':')[0]}:*" for other in scopes.SINGLE} - {f"{resource}:*"}, scope)


def test_all_of_a_resource_is_more_than_each_of_its_scopes() -> None:
    assert not scopes.allows(scopes.SINGLE, "agents:*")
    assert not scopes.allows(scopes.GRANTABLE - {"*"}, "*")
    assert scopes.allows({"*"}, "agents:*")


def test_what_is_no_scope_is_told() -> None:
    assert scopes.unknown(["agents:read", "agents", "agents:fly", "*", "*:read"]) == ["agents", "agents:fly", "*:read"]


@pytest.mark.parametrize(
    ("some", "others", "both"),
    [
        ({"*"}, {"*"}, {"*"}),
        ({"*"}, {"agents:*", "keys:write"}, {"agents:*", "keys:write"}),
        ({"agents:*"}, {"agents:read", "keys:write"}, {"agents:read"}),
        ({"agents:*"}, {"agents:*"}, {"agents:*"}),
        ({"agents:read"}, {"agents:write"}, set()),
        ({"agents:read", "agents:*"}, {"*"}, {"agents:read", "agents:*"}),
        ({"openid", "agents:fly", "agents:read"}, {"*"}, {"agents:read"}),
        ({"agents:fly"}, {"agents:*"}, set()),
        (set(), {"*"}, set()),
    ],
)
def test_what_two_have_in_common_is_what_both_cover(some: set[str], others: set[str], both: set[str]) -> None:
    assert scopes.common(some, others) == scopes.common(others, some) == both
    for scope in scopes.SINGLE:
        assert scopes.allows(both, scope) == (scopes.allows(some, scope) and scopes.allows(others, scope))
