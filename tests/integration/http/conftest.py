"""Three callers: Alice and Bob of different tenants, and a stranger without a key."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.http_client import Caller


def http_client() -> Any:
    # pytest reads this file before the one above it has set Django up, so it cannot import models at its top.
    return import_module("tests.integration.http_client")


@pytest.fixture
def alice(db: None) -> Caller:
    made: Caller = http_client().caller("alice")
    return made


@pytest.fixture
def bob(db: None) -> Caller:
    made: Caller = http_client().caller("bob")
    return made


@pytest.fixture
def stranger(db: None) -> Caller:
    made: Caller = http_client().Caller()
    return made


@pytest.fixture
def kept_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs of a workflow stays known, however slow the machine is."""
    monkeypatch.setattr("contract.clock.KNOWN_SECONDS", 600.0)
    monkeypatch.setattr("workflows.live.NEAR_SECONDS", 600.0)
