from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.payload_storage import payload_storage
from tenants import registry
from tenants.models import Tenant
from tests.integration.engine.world import World


@pytest.fixture(autouse=True)
def _store_of_its_own(settings: Any, tmp_path: Path) -> None:
    settings.PAYLOAD_STORE = str(tmp_path)
    settings.STORAGES = settings.STORAGES | {"payloads": payload_storage(str(tmp_path), None)}


@pytest.fixture
def alice(transactional_db: None) -> Tenant:
    return registry.create_tenant("alice", "Alice")


@pytest.fixture
def world(alice: Tenant) -> Iterator[World]:
    made = World()
    yield made
    made.close()
