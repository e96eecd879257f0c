"""What is asked of the filled database, over HTTP, and what PostgreSQL says that it cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench.filling import Filled
from contract.identifiers import first_id_at
from executions.rows import database_now
from tenants.models import Tenant

WORKFLOWS, TEMPLATES = "/v1/workflows", "/api/v2/data_orchestration/templates"
APPLICATIONS, AGENTS, KEYS = "/api/v2/applications", "/v1/agents", "/v1/api-keys"
EXECUTIONS, ORCHESTRATIONS = "/v1/executions", "/v1/orchestrations"
STATISTICS = "/v1/executions/stats"
BIG = 1_000
"""Rows of a table that is never to be read as a whole."""


@dataclass(frozen=True)
class Asked:
    """One page: which list, for whom, what of it."""

    path: str
    tenant: Tenant
    filters: dict[str, str]
    where: str

    @property
    def most(self) -> int | None:
        """Buffers of 8 KiB that it may look at: each of 20 rows is four look-ups of three to five.

        An offset passes over 10,000 keys. None: not judged are filters that stand in two tables, neither of them rare,
        and figures, which read all that they count.
        """
        if self.path == STATISTICS:
            return None
        submitted = {"sourceSystem", "sourceEntityId", "externalRef"}
        if self.filters.keys() & submitted and self.filters.keys() & {"status", "workflowId"}:
            return None
        return 1_200 if self.where.startswith("offset") else 320

    @property
    def named(self) -> str:
        return f"{self.path} {urlencode(self.filters)} [{self.tenant.slug}, {self.where}]"


@dataclass(frozen=True)
class Cost:
    """Pages of 8 KiB that were looked at, milliseconds, the indexes that were read, tables that were read whole."""

    buffers: int
    milliseconds: float
    indexes: list[str]
    scanned: list[str]


def questions(filled: Filled) -> Iterator[Asked]:
    """Every list with each of its filters and those that go together: the first page, a deep one, a far offset."""
    for path, filters in [*_of_executions(filled), *_of_orchestrations(filled), *_of_others(filled)]:
        for where in ("first", "deep", "offset 10000"):
            yield Asked(path, filled.large, filters, where)
    for path, filters in [*_of_executions(filled), *_of_orchestrations(filled)]:
        yield Asked(path, filled.small, filters, "first")
    for tenant in (filled.large, filled.small):
        for days, granularity in ((1, "hourly"), (30, "hourly"), (99, "daily")):
            since = str(int((database_now() - timedelta(days=days)).timestamp() * 1000))
            yield Asked(STATISTICS, tenant, {"from": since, "granularity": granularity}, "first")


def _of_executions(filled: Filled) -> Iterator[tuple[str, dict[str, str]]]:
    old = (database_now() - timedelta(days=90)).isoformat().replace("+00:00", "Z")
    older = (database_now() - timedelta(days=91)).isoformat().replace("+00:00", "Z")
    alone: list[dict[str, str]] = [
        {},
        *({"status": f"workflow_{word}"} for word in ("succeeded", "failed", "cancelled", "queued", "waiting")),
        {"status": "awaiting_payment"},
        {"workflowId": filled.workflows[0]},
        {"workflowId": filled.workflows[-1]},
        *({"sourceSystem": word} for word in ("crm", "import", "nothing")),
        *({"externalRef": word} for word in ("common", "ref-5", "nothing")),
        *({"sourceEntityId": word} for word in ("common", "ref-5", "nothing")),
        {"createdAfter": old},
        {"createdBefore": old},
        {"createdAfter": older, "createdBefore": old},
    ]
    together = [
        {"status": "workflow_failed", "createdBefore": old},
        {"status": "workflow_failed", "workflowId": filled.workflows[0]},
        {"status": "workflow_failed", "workflowId": filled.workflows[-1]},
        {"status": "awaiting_payment", "workflowId": filled.workflows[0]},
        {"status": "workflow_succeeded", "sourceSystem": "import"},
        {"status": "workflow_failed", "sourceSystem": "crm"},
        {"status": "awaiting_payment", "sourceSystem": "crm"},
        {"status": "workflow_cancelled", "sourceSystem": "workflows"},
        {"workflowId": filled.workflows[0], "createdBefore": old},
        {"workflowId": filled.workflows[-1], "sourceSystem": "crm"},
        {"workflowId": filled.workflows[0], "externalRef": "ref-5"},
        {"sourceSystem": "crm", "externalRef": "ref-4", "status": "workflow_succeeded"},
        {"externalRef": "common", "createdBefore": old},
        {"externalRef": "common", "status": "workflow_failed"},
    ]
    yield from ((EXECUTIONS, filters) for filters in [*alone, *together])


def _of_orchestrations(filled: Filled) -> Iterator[tuple[str, dict[str, str]]]:
    for word in ("pending", "running", "completed", "failed", "timeout", "cancelled"):
        yield ORCHESTRATIONS, {"status": word}
    yield ORCHESTRATIONS, {}
    yield ORCHESTRATIONS, {"status": "running", "workflow_id": filled.workflows[0]}
    yield ORCHESTRATIONS, {"status": "timeout", "workflow_id": filled.workflows[0]}


def _of_others(filled: Filled) -> Iterator[tuple[str, dict[str, str]]]:
    yield APPLICATIONS, {}
    yield APPLICATIONS, {"external_ref": "ref-7"}
    yield APPLICATIONS, {"external_ref": "nothing"}
    yield f"{APPLICATIONS}/{filled.application}/data_orch", {}
    yield f"{WORKFLOWS}/{filled.workflows[0]}/versions", {}
    yield from ((path, {}) for path in (WORKFLOWS, TEMPLATES, AGENTS, KEYS))


def ask(key: str, asked: Asked) -> Cost:
    """Ask it, and have its most expensive statement explained."""
    window = {"deep": {"cursor": "x"}, "offset 10000": {"offset": "10000"}}.get(asked.where, {})
    middle = first_id_at(database_now() - timedelta(days=50))
    with CaptureQueriesContext(connection) as captured, patch("contract.pages.open_cursor", lambda *_: middle):
        headers = {"Authorization": f"Bearer {key}"}
        answer = Client().get(f"{asked.path}?{urlencode({**asked.filters, **window})}", headers=headers)
    assert answer.status_code == 200, (asked.named, answer.content)
    texts = [found["sql"].strip() for found in captured]
    reads = [text for text in texts if text.startswith("SELECT") and ("LIMIT" in text or "percentile" in text)]
    return max((explained(statement) for statement in reads), key=lambda cost: cost.buffers)


def explained(statement: str) -> Cost:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}")
        [told] = json.loads(json.dumps(cursor.fetchone()[0]))
    plan = told["Plan"]
    nodes = list(_nodes(plan))
    return Cost(
        plan["Shared Hit Blocks"] + plan["Shared Read Blocks"],
        told["Execution Time"],
        list(dict.fromkeys(node["Index Name"] for node in nodes if "Index Name" in node)),
        [node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan" and _reads(node) > BIG],
    )


def _nodes(plan: Any) -> Iterator[Any]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _reads(node: Any) -> int:
    """The rows that were looked at."""
    return int((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
