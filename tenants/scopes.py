"""Scopes: what a credential may do. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

EVERYTHING: Final = "*"

_VERBS: Final = {
    "workflows": ("read", "write", "publish", "execute"),
    "executions": ("read", "write"),
    "orchestrations": ("read", "write"),
    "templates": ("read", "write"),
    "applications": ("read", "write"),
    "agents": ("read", "write", "work"),
    "payments": ("read", "write"),
    "webhooks": ("read", "write"),
    "secrets": ("read", "write"),
    "keys": ("write",),
    "retention": ("read", "write"),
}

SINGLE: Final = frozenset(f"{resource}:{verb}" for resource, verbs in _VERBS.items() for verb in verbs)
GRANTABLE: Final = SINGLE | {f"{resource}:*" for resource in _VERBS} | {EVERYTHING}
"""Every word that a key's scopes may hold."""


def allows(granted: Collection[str], scope: str) -> bool:
    """Whether `granted` covers `scope`, be that a single one, `<resource>:*` or `*`."""
    resource = scope.partition(":")[0]
    return scope in granted or EVERYTHING in granted or f"{resource}:*" in granted


def common(some: Collection[str], others: Collection[str]) -> frozenset[str]:
    """What both cover, in as few words as either has for it; words that are no scopes cover nothing."""
    both = {scope for scope in some if allows(others, scope)} | {scope for scope in others if allows(some, scope)}
    return frozenset(both & GRANTABLE)


def unknown(scopes: Collection[str]) -> list[str]:
    """Those of `scopes` that are none, in their order."""
    return [scope for scope in scopes if scope not in GRANTABLE]
