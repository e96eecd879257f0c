from __future__ import annotations

from collections.abc import Iterator

import pytest

from tenants import registry
from tenants.models import Tenant
from tests.integration.engine.world import World


@pytest.fixture
def alice(transactional_db: None) -> Tenant:
    return registry.create_tenant("alice", "Alice")


@pytest.fixture
def world(alice: Tenant) -> Iterator[World]:
    made = World()
    yield made
    made.close()
