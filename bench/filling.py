"""A million executions, as a service has after a while: a large tenant, a small one, values that are rare or old.

Imported only where Django is ready: by bench/fill.py and by tests/plans.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from executions.models import Application, Attempt, Event, Execution, Step, Submission
from executions.rows import database_now
from tenants import registry
from tenants.models import Tenant
from workflows import authoring

WORKFLOWS = 10
STEPS = [{"name": "only", "type": "transform", "config": {"output": 1}}]


@dataclass(frozen=True)
class Filled:
    """The tenants, the large one's workflows and the application that a tenth of all executions are for."""

    large: Tenant
    small: Tenant
    workflows: list[str]
    application: str


def fill(count: int, *, records: bool = False) -> Filled:
    """Make `count` executions, nearly all of one tenant, and as many rows of other kinds as such a tenant may have.

    With `records` each has a step, an attempt at it and four events too.
    """
    large, small = (registry.create_tenant(slug, slug.title()) for slug in ("large", "small"))
    workflows = [_workflow(large, f"workflow-{number}") for number in range(WORKFLOWS)]
    own = _workflow(small, "workflow")
    application = Application.objects.create(tenant=large, data="{}", external_ref="a", created_at=database_now())
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
        cursor.execute("SET session_replication_role = replica")
        rebuild = _without_indexes(cursor, "execution", "submission", "event")
        recorded = (_STEPS, _ATTEMPTS, _EVENTS) if records else ()
        for statement in (_MADE, _EXECUTIONS, _SUBMISSIONS, _APPLICATIONS, _OTHERS, *recorded):
            cursor.execute(statement, values)
        for statement in rebuild:
            cursor.execute(statement)
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("VACUUM (ANALYZE)")
    return Filled(large, small, workflows, str(application.id))


def _workflow(tenant: Tenant, name: str) -> str:
    workflow = authoring.create(tenant, authoring.read_definition({"name": name, "steps": STEPS}))
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


def _defaults(model: Any, given: dict[str, str], *, each: int = 1) -> str:
    """An insert into the model's table from `made`: of what is given, and for the rest of anything that is allowed."""
    generated = {"AutoField", "BigAutoField"}
    filler = {"CharField": "''", "TextField": "'{}'", "IntegerField": "0", "BigIntegerField": "0"}
    filler |= {
        "SmallIntegerField": "0",
        "BooleanField": "false",
        "BinaryField": "'\\x00'",
        "DateTimeField": "created_at",
        "UUIDField": "gen_random_uuid()",
    }
    columns = {
        field.column: given.get(field.column, "NULL" if field.null else filler.get(field.get_internal_type(), ""))
        for field in model._meta.concrete_fields
        if field.column in given or not (field.has_db_default() or field.get_internal_type() in generated)
    }
    source = f"made, generate_series(1, {each}) AS nth" if each > 1 else "made"
    return (
        f"INSERT INTO {model._meta.db_table} ({', '.join(columns)}) SELECT {', '.join(columns.values())} FROM {source}"
    )


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

_ENDED = "status IN ('workflow_succeeded', 'workflow_failed', 'workflow_cancelled')"
_EXECUTIONS = _defaults(
    Execution,
    {
        "id": "id",
        "tenant_id": "tenant",
        "workflow_id": "workflow",
        "version_id": "version",
        "status": "status",
        "status_reason": "CASE status WHEN 'workflow_failed' THEN reason END",
        "intent": "'run'",
        "run_id": "gen_random_uuid()",
        "finished_at": f"CASE WHEN {_ENDED} THEN created_at + interval '1 second' END",
        "due_at": "NULL",
    },
)
_SUBMISSIONS = _defaults(
    Submission,
    {
        "execution_id": "id",
        "tenant_id": "tenant",
        "source_system": "source",
        "source_entity_type": "'lead'",
        "source_entity_id": "reference",
        "external_ref": "reference",
        "application_id": "CASE WHEN number %% 10 = 3 THEN %(application)s::uuid END",
    },
)
_STEPS = _defaults(Step, {"execution_id": "id", "name": "'only'", "status": "'succeeded'", "attempts": "1"})
_ATTEMPTS = _defaults(
    Attempt,
    {
        "execution_id": "id",
        "number": "1",
        "status": "'succeeded'",
        "worker_name": "'worker:1'",
        "code_version": "'0'",
        "input": "'{}'",
        "output": "'1'",
        "finished_at": "created_at",
    },
)
_EVENTS = _defaults(
    Event,
    {
        "execution_id": "id",
        "sequence": "nth",
        "type": "(ARRAY['execution.created', 'execution.started', 'step.succeeded', 'execution.succeeded'])[nth]",
        "body": "'{\"data\":{},\"filler\":\"' || repeat('x', 200) || '\"}'",
        "hash": "decode(repeat('00', 32), 'hex')",
    },
    each=4,
)
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
INSERT INTO tenants_agent (id, tenant_id, name, description, actions, status)
  SELECT gen_random_uuid(), %(large)s, 'agent-' || n, '', '{*}', 'active' FROM generate_series(1, 20000) AS n"""
