"""Tests against real servers: those of DATABASE_URL and REDIS_URL, else embedded ones in a temporary folder.

They start when this folder is collected, before anything reads Django's settings, and end with the session.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
import pytest
from pytest_django.plugin import blocking_manager_key

from config.stack.data_dir import DataDir
from config.stack.servers import Servers

if TYPE_CHECKING:
    from tenants.models import Tenant
    from tests.integration.engine.world import World


def pytest_configure(config: pytest.Config) -> None:
    """Start what is missing, then Django, with the database closed to tests that do not ask for it."""
    data = DataDir(Path(tempfile.mkdtemp(prefix="traceway-test-")))
    config.add_cleanup(lambda: shutil.rmtree(data.root))
    os.environ["TRACEWAY_DATA_DIR"] = str(data.root)
    servers = Servers(
        data,
        postgres=not os.environ.get("DATABASE_URL"),
        valkey=not os.environ.get("REDIS_URL"),
        pause=time.sleep,
        say=lambda _: None,
    )
    config.add_cleanup(servers.stop)
    servers.start()
    os.environ.setdefault("DATABASE_URL", data.database_url())
    os.environ.setdefault("REDIS_URL", data.redis_url())
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()
    config.stash[blocking_manager_key].block()


@pytest.fixture
def alice(transactional_db: None) -> Tenant:
    return _tenant("alice")


@pytest.fixture
def bob(transactional_db: None) -> Tenant:
    return _tenant("bob")


@pytest.fixture
def world(alice: Any) -> Iterator[World]:
    """One worker's engine, once Alice is there, whichever she is."""
    made: World = import_module("tests.integration.engine.world").World()
    yield made
    made.close()


def _tenant(slug: str) -> Tenant:
    # Models can be imported only once pytest_configure has set Django up.
    made: Tenant = import_module("tenants.registry").create_tenant(slug, slug.title())
    return made
