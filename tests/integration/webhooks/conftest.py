from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tenants.models import Tenant
    from tests.integration.engine.world import World


def module(name: str) -> Any:
    # pytest reads this file before the one above it has set Django up, so it cannot import models at its top.
    return import_module(name)


@pytest.fixture
def alice(transactional_db: None) -> Tenant:
    made: Tenant = module("tenants.registry").create_tenant("alice", "Alice")
    return made


@pytest.fixture
def bob(transactional_db: None) -> Tenant:
    made: Tenant = module("tenants.registry").create_tenant("bob", "Bob")
    return made


@pytest.fixture
def world(alice: Tenant) -> Iterator[World]:
    made: World = module("tests.integration.engine.world").World()
    yield made
    made.close()
