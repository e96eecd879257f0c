"""A million executions, as a service has after a while: a large tenant, a small one, values that are rare or old.

Imported only where Django is ready: by bench/fill.py and by tests/plans. The rows are made by one COPY and stored by
another (FREEZE: as if they had been vacuumed), a table at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import connection
from psycopg import sql

from bench import patterns
from executions import log_reading
from executions.models import Application, Execution, Submission
from executions.receipts import background
from executions.rows import database_now
from executions.webhooks import fan_out
from tenants import registry
from tenants.models import Tenant
from workflows import authoring

WORKFLOWS = 10


@dataclass(frozen=True)
class Filled:
    """The tenants, the large one's workflows and the application that a tenth of all executions are for.

    `stored` says of each table how many rows it has and how many bytes, indexes included.
    """

    large: Tenant
    small: Tenant
    workflows: list[str]
    application: str
    stored: dict[str, tuple[int, int]]


def fill(count: int, *, records: bool = False) -> Filled:
    """Make `count` executions, nearly all of one tenant, and as many rows of other kinds as such a tenant may have.

    With `records` each has its step, attempt, events, receipt and lineage too.
    """
    large, small = (registry.create_tenant(slug, slug.title()) for slug in ("large", "small"))
    workflows = [_workflow(large, f"workflow-{number}") for number in range(WORKFLOWS)]
    own = _workflow(small, "workflow")
    application = Application.objects.create(tenant=large, data="{}", external_ref="a", created_at=database_now())
    patterns.carry_out(large, workflows[0])
    values = {
        "count": count,
        "large": large.id,
        "small": small.id,
        "workflows": [UUID(one) for one in workflows],
        "versions": [_version(one) for one in workflows],
        "own": UUID(own),
        "own_version": _version(own),
        "application": application.id,
    }
    with connection.cursor() as cursor:
        cursor.execute(_MADE, values)
        cursor.execute("SET session_replication_role = replica")
        for statement in (_APPLICATIONS, _OTHERS):
            cursor.execute(statement, values)
        cursor.execute("SET session_replication_role = DEFAULT")
        _copy(patterns.recorded() if records else [Execution, Submission], values)
        cursor.execute("DROP TABLE made")
        patterns.forget()
        for reader in (background.READER, fan_out.READER):
            log_reading.move(cursor, reader, _newest(cursor))
        cursor.execute("VACUUM (ANALYZE)")
        cursor.execute("CHECKPOINT")
        stored = _stored(cursor)
    return Filled(large, small, workflows, str(application.id), stored)


def _copy(models: list[Any], values: dict[str, Any]) -> None:
    """Empty the tables and store the rows, all in one transaction; indexes that are no constraint's come last."""
    with psycopg.connect(settings.DATABASE_URL) as made, psycopg.connect(settings.DATABASE_URL) as stored:
        cursor = stored.cursor()
        cursor.execute("SET session_replication_role = replica")
        tables = [model._meta.db_table for model in models]
        cursor.execute(f"TRUNCATE {', '.join({*tables, *_RECORDED})} CASCADE")
        rebuild = _without_indexes(cursor, *tables)
        for model in models:
            columns, rows = patterns.selection(model, _GIVEN.get(model, {}))
            bound = psycopg.ClientCursor(made).mogrify(rows, values)
            into = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary, FREEZE)").format(
                sql.Identifier(model._meta.db_table), sql.SQL(", ").join(map(sql.Identifier, columns))
            )
            with made.cursor().copy(f"COPY ({bound}) TO STDOUT (FORMAT binary)") as source, cursor.copy(into) as target:
                for block in source:
                    target.write(block)
        for statement in rebuild:
            cursor.execute(statement)


def _newest(cursor: Any) -> log_reading.Place:
    """The last event's place: what is copied was told and sealed long ago."""
    cursor.execute("SELECT xid::text, id FROM event ORDER BY xid DESC, id DESC LIMIT 1")
    row = cursor.fetchone()
    return log_reading.BEGINNING if row is None else log_reading.Place(*row)


def _stored(cursor: Any) -> dict[str, tuple[int, int]]:
    cursor.execute(
        "SELECT relname, n_live_tup, pg_total_relation_size(relid) FROM pg_stat_user_tables "
        "WHERE relname = ANY(%s) AND n_live_tup > 0 ORDER BY 3 DESC",
        [list(_RECORDED)],
    )
    return {name: (rows, size) for name, rows, size in cursor.fetchall()}


def _workflow(tenant: Tenant, name: str) -> str:
    workflow = authoring.create(tenant, authoring.read_definition({"name": name, "steps": patterns.DIVISION}))
    authoring.publish(tenant, workflow.id)
    return str(workflow.id)


def _version(workflow_id: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT live_version_id FROM workflows_workflow WHERE id = %s", [workflow_id])
        return cursor.fetchone()[0]


def _without_indexes(cursor: Any, *tables: str) -> list[str]:
    """Drop the indexes of these tables that no constraint needs; the statements that make them again."""
    cursor.execute(
        "SELECT i.indexname, i.indexdef FROM pg_indexes i LEFT JOIN pg_constraint c ON c.conname = i.indexname "
        "WHERE i.tablename = ANY(%s) AND c.oid IS NULL",
        [list(tables)],
    )
    found = cursor.fetchall()
    for name, _ in found:
        cursor.execute(f'DROP INDEX "{name}"')
    return [definition for _, definition in found]


# The moments lie evenly in the last 100 days; number 0 is the oldest. What is rare is old, so that who reads from the
# newest on, and not by an index, reads nearly everything before it is found.
_MADE = """
CREATE TABLE made AS SELECT number,
  (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008' || lpad(to_hex(number), 15, '0'))::uuid
    AS id,
  at AS created_at,
  CASE WHEN small THEN %(small)s ELSE %(large)s END AS tenant,
  CASE WHEN small THEN %(own)s ELSE (%(workflows)s::uuid[])[workflow] END AS workflow,
  CASE WHEN small THEN %(own_version)s ELSE (%(versions)s::uuid[])[workflow] END AS version,
  CASE WHEN number < 10 THEN 'awaiting_payment' WHEN number < 40 THEN 'workflow_waiting'
    WHEN number > %(count)s - 500 THEN 'workflow_queued' WHEN number > %(count)s - 520 THEN 'workflow_running'
    WHEN workflow <> 10 AND number %% 12 = 0 THEN 'workflow_failed'
    WHEN number %% 50 = 1 THEN 'workflow_cancelled' ELSE 'workflow_succeeded' END AS status,
  CASE WHEN number BETWEEN 1000 AND 3000 THEN 'deadline_exceeded' ELSE 'step only failed' END AS reason,
  CASE WHEN number < 50 THEN 'import' WHEN number %% 2 = 0 THEN 'crm' ELSE 'workflows' END AS source,
  CASE WHEN number %% 10 = 3 THEN 'common' ELSE 'ref-' || number END AS reference
FROM (
  SELECT number, now() - interval '100 days' * (1 - number::float8 / %(count)s) AS at,
    number %% 50000 = 7 AS small, 1 + floor(10 * (number %% 1000 / 1000.0) ^ 2)::int AS workflow
  FROM generate_series(0, %(count)s - 1) AS number) AS numbered"""

_RECORDED = ("execution", "submission", "step", "attempt", "event", "receipt", "lineage")
"""Those whose rows do not all go with their execution's when the tables are emptied, and those that are told of."""
_GIVEN = {
    Execution: {
        "workflow_id": "m.workflow",
        "version_id": "m.version",
        "status": "m.status",
        "status_reason": "CASE m.status WHEN 'workflow_failed' THEN m.reason END",
        "due_at": "NULL::timestamptz",
    },
    Submission: {
        "source_system": "m.source",
        "source_entity_id": "m.reference",
        "external_ref": "m.reference",
        "application_id": "CASE WHEN m.number %% 10 = 3 THEN %(application)s::uuid END",
    },
}
_APPLICATIONS = """
INSERT INTO application (id, tenant_id, external_ref, data, created_at)
SELECT gen_random_uuid(), %(large)s, 'ref-' || n %% 1000, '{}', now() FROM generate_series(1, 100000) AS n"""
_OTHERS = """
INSERT INTO workflows_workflow (id, tenant_id, name, archived_at, inline_key)
  SELECT gen_random_uuid(), %(large)s, 'w-' || n, now(), CASE WHEN n %% 50 > 0 THEN 'key-' || n END
  FROM generate_series(1, 100000) AS n;
INSERT INTO workflows_workflowversion
    (id, workflow_id, name, version, description, definition, digest, sealed, visibility, published_at)
  SELECT gen_random_uuid(), (%(workflows)s::uuid[])[1], 'n', '2.0.' || n, '', '{}', repeat('0', 64), '', 'private',
    now()
  FROM generate_series(1, 20000) AS n;
UPDATE workflows_workflow SET live_version_id = %(own_version)s WHERE live_version_id IS NULL;
INSERT INTO workflows_template
    (id, short_id, tenant_id, name, description, workflow_id, input, outcome, status, deleted_at)
  SELECT gen_random_uuid(), 't' || n, %(large)s, 't', '', %(own)s, '{}', '''pass''', 2,
    CASE WHEN n %% 100 > 0 THEN now() END
  FROM generate_series(1, 50000) AS n;
INSERT INTO tenants_idempotentrequest (tenant_id, method, path, key, body_digest, status, headers, text, created_at)
  SELECT %(large)s, 'POST', '/v1/executions', 'key-' || n, repeat('0', 64), 200, '{}', '{}',
    now() - interval '20 days' * (1 - n / 50000.0)
  FROM generate_series(1, 50000) AS n;
INSERT INTO tenants_agent (id, tenant_id, name, description, actions, status)
  SELECT gen_random_uuid(), %(large)s, 'agent-' || n, '', '{*}', 'active' FROM generate_series(1, 20000) AS n"""
