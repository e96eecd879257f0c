from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from tests.integration.callers import alice, bob

if TYPE_CHECKING:
    from tests.integration.provenance.bound import Bound

__all__ = ["alice", "bob"]


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> Bound:
    """Watches what the engine binds from here on."""
    made: Bound = import_module("tests.integration.provenance.bound").Bound()
    made.watch(monkeypatch)
    return made
