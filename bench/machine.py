"""What was measured on, and whether it was quiet. Nothing here names the machine, a person or a path."""

from __future__ import annotations

import os
import platform
import re
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil
import psycopg
import redis

from bench.ground import Ground
from bench.quiet import QUIET_SHARE
from config.code_version import code_version
from config.stack.data_dir import CHECKOUT

_LOOK_SECONDS = 3.0
_DURABILITY = ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size")


def machine() -> dict[str, Any]:
    """Processors, memory, system."""
    return {
        "processor": _processor(),
        "processors": os.cpu_count() or 1,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
    }


def load() -> dict[str, float]:
    """The load average of the last minute, and the share of the processors that is used at this moment."""
    return {"average": round(os.getloadavg()[0], 2), "used": round(psutil.cpu_percent(_LOOK_SECONDS) / 100, 3)}


def is_quiet(found: dict[str, float]) -> bool:
    return found["used"] <= QUIET_SHARE


def versions(ground: Ground) -> dict[str, str]:
    """Of the product and all that it runs on; the peers' are their own."""
    found = {"python": platform.python_version(), "traceway": code_version(CHECKOUT)}
    for package in ("django", "djangorestframework", "celery", "psycopg", "gunicorn", "orjson"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    with psycopg.connect(ground.main.database_url) as connection:
        found["postgresql"] = (
            str(connection.info.server_version // 10000) + "." + str(connection.info.server_version % 10000)
        )
    with redis.Redis.from_url(ground.stack.data.redis_url()) as client:
        told = client.info("server")
        found["valkey"] = str(told.get("valkey_version") or told["redis_version"])
    return found


def durability(ground: Ground) -> dict[str, str]:
    """The settings of PostgreSQL that make a commit one, as the server has them; the same for all contestants."""
    with psycopg.connect(ground.main.database_url) as connection:
        rows = connection.execute(
            "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY(%s)", [list(_DURABILITY)]
        )
        return {str(name): str(value) for name, value in rows}


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _processor() -> str:
    found = (
        re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
        if Path("/proc/cpuinfo").exists()
        else None
    )
    return found.group(1).strip() if found else platform.machine()
