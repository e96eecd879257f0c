from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.engine.world import World
    from tests.integration.http_client import Caller
    from tests.integration.provenance.bound import Bound


def module(name: str) -> Any:
    # pytest reads this file before the one above it has set Django up, so it cannot import models at its top.
    return import_module(f"tests.integration.{name}")


@pytest.fixture
def alice(transactional_db: None) -> Caller:
    made: Caller = module("http_client").caller("alice")
    return made


@pytest.fixture
def bob(transactional_db: None) -> Caller:
    made: Caller = module("http_client").caller("bob")
    return made


@pytest.fixture
def world(alice: Caller) -> Iterator[World]:
    made: World = module("engine.world").World()
    yield made
    made.close()


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> Bound:
    """Watches what the engine binds from here on."""
    made: Bound = module("provenance.bound").Bound()
    made.watch(monkeypatch)
    return made
