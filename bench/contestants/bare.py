"""The bare DRF view: served by gunicorn as this product is, on a database of its own on the same servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from bench.bare.table import TABLE
from bench.ground import EMBEDDED, Ground, free_port
from bench.serving import serving
from bench.wire import request

NAME = "bare DRF view"
RECORDS = "one row inserted, one Celery message published; nobody is asked who they are"


@dataclass(frozen=True, slots=True)
class Bare:
    """Where it serves."""

    address: str

    def post(self, body: Any) -> bytes:
        return request("POST", self.address, "/rows", {}, body)


@contextmanager
def bare_view(ground: Ground) -> Iterator[Bare]:
    url, port = ground.database("bare"), free_port()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLE)
    address = f"http://127.0.0.1:{port}"
    with ground.redis() as redis_url:
        environment = {
            **ground.stack.environment,
            **EMBEDDED,
            "DATABASE_URL": url,
            "REDIS_URL": redis_url,
            "PORT": str(port),
            "DJANGO_SETTINGS_MODULE": "bench.bare.settings",
        }
        with serving("bare", ground.stack.data, environment, address, "/rows"):
            yield Bare(address)
