"""/healthz: this process answers. /readyz: so do database and schema; a lost broker is told, but is no reason."""

from __future__ import annotations

from functools import cache

import redis
import structlog
from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from config.readable import readable
from contract.answers import Answers, Success, Wrapping
from contract.schema import record, words

logger = structlog.get_logger(__name__)

_BROKER_TIMEOUT = 0.5
"""Seconds."""
_CHECKS = record(
    {
        "database": words("ok", "unavailable"),
        "migrations": words("ok", "pending", "unknown"),
        "broker": words("ok", "unavailable"),
    }
)


@readable(Answers((Success(200, record({"status": words("ok")}), "It does.", Wrapping.NONE),)))
def healthz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """Whether this process answers"""
    return JsonResponse({"status": "ok"})


@readable(
    Answers(
        (
            Success(200, record({"status": words("ready"), "checks": _CHECKS}), "They can.", Wrapping.NONE),
            Success(503, record({"status": words("unavailable"), "checks": _CHECKS}), "They cannot.", Wrapping.NONE),
        )
    )
)
def readyz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """Whether requests can be served; a lost broker is told, but is no reason"""
    checks = {"database": _database(), "migrations": _migrations(), "broker": _broker()}
    ready = checks["database"] == checks["migrations"] == "ok"
    body = {"status": "ready" if ready else "unavailable", "checks": checks}
    return JsonResponse(body, status=200 if ready else 503)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as error:
        logger.warning("database_unavailable", error=str(error))
        return "unavailable"
    return "ok"


def _migrations() -> str:
    try:
        return "ok" if _Migrations.applied() else "pending"
    except Error as error:
        logger.warning("database_unavailable", error=str(error))
        return "unknown"


class _Migrations:
    """Whether the schema is up to date; once it is, it stays so for as long as this process lives."""

    _seen = False

    @classmethod
    def applied(cls) -> bool:
        """Asks the database only until the answer is yes."""
        if not cls._seen:
            executor = MigrationExecutor(connection)
            cls._seen = not executor.migration_plan(executor.loader.graph.leaf_nodes())
        return cls._seen


def _broker() -> str:
    try:
        _client().ping()
    except redis.RedisError:
        return "unavailable"
    return "ok"


@cache
def _client() -> redis.Redis:
    timeouts = {**settings.REDIS_TIMEOUTS, "socket_timeout": _BROKER_TIMEOUT, "socket_connect_timeout": _BROKER_TIMEOUT}
    return redis.Redis.from_url(settings.REDIS_URL, **timeouts)
