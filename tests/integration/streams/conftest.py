"""A real server process on the test's own database, and Alice and Bob, who speak to it over real HTTP."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from config.stack import commands
from config.stack.child import Child
from config.stack.data_dir import CHECKOUT, DataDir
from tests.integration.callers import alice, bob
from tests.waiting import eventually

__all__ = ["alice", "bob"]

HEARTBEAT_SECONDS = 0.5


@pytest.fixture(scope="module")
def address(django_db_setup: None) -> Iterator[str]:
    """Where the server serves. It ends with the module, for tests of others wait until nobody else is connected."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    environment = {
        **os.environ,
        "DATABASE_URL": _database_url(),
        "PORT": port,
        "STREAM_HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS),
        "GUNICORN_CMD_ARGS": "--workers 1",
    }
    log = DataDir.of_this_checkout().logs / "streams-web.log"
    server = Child("web", [sys.executable, *commands.WEB], log, environment, cwd=CHECKOUT)
    server.start()
    try:
        eventually(lambda: _serves(f"http://127.0.0.1:{port}"))
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()


def _database_url() -> str:
    settings, connection = (import_module("django.conf").settings, import_module("django.db").connection)
    url: Any = urlsplit(settings.DATABASE_URL)
    return str(url._replace(path=f"/{connection.settings_dict['NAME']}").geturl())


def _serves(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz").status_code == 200
    except httpx.TransportError:
        return False
