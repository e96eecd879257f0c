"""Real executions as patterns: the engine carries out one of each kind, and what it recorded is copied for a million.

Imported only where Django is ready. A copy has its own id, moments and owner; all else is as the engine wrote it: its
hashes and signatures are as long as real ones, and do not verify.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection, models
from django.test import Client

from executions.models import Execution
from executions.models.transaction import TransactionIdField
from executions.receipts.background import seal_what_ended
from orchestrator.process import WorkerProcess
from tenants import registry
from tenants.models import Tenant

DIVISION = [{"name": "only", "type": "transform", "config": {"output": {"rate": "${{ 100 / input.by }}"}}}]
"""Its one step succeeds, unless it is to divide by nothing."""
APPLICANT = {
    "name": "Ada Example",
    "income": 52_000,
    "requested": 12_500,
    "purpose": "a car, used",
    "since": "2019-04-01",
}
SUCCEEDED, FAILED, CANCELLED, QUEUED = "workflow_succeeded", "workflow_failed", "workflow_cancelled", "workflow_queued"
ENDS = (SUCCEEDED, FAILED, CANCELLED)


def carry_out(tenant: Tenant, workflow_id: str) -> None:
    """One execution of `DIVISION` in each of the four states, sealed where it ended, as tables `pattern_...`."""
    client = Client(SERVER_NAME="localhost")
    headers = {"Authorization": f"Bearer {registry.create_key(tenant, 'patterns', ['*'])[1]}"}
    engine = WorkerProcess(settings.DATABASE_URL).engine

    def created(by: int) -> str:
        payload = {"by": by, "applicant": APPLICANT}
        body = {"workflowId": workflow_id, "sourceSystem": "crm", "sourceEntityType": "lead", "requestPayload": payload}
        return str(_posted(client, "/v1/executions", body, headers)["data"]["execution"]["id"])

    found = {SUCCEEDED: created(by=4), FAILED: created(by=0)}
    engine.drain(60)
    found[CANCELLED] = created(by=4)
    _posted(client, f"/v1/executions/{found[CANCELLED]}/cancel", {}, headers)
    engine.drain(60)
    while seal_what_ended():
        pass
    found[QUEUED] = created(by=4)
    _keep(found)


def _posted(client: Client, path: str, body: Mapping[str, Any], headers: dict[str, str]) -> Any:
    answer = client.post(path, body, content_type="application/json", headers=headers)
    if answer.status_code >= 300:
        raise ValueError(answer.content.decode()[:500])
    return answer.json()


def _keep(found: Mapping[str, str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, status FROM execution WHERE id = ANY(%s::uuid[])", [list(found.values())])
        came_to = {str(execution): status for execution, status in cursor.fetchall()}
        if wrong := {came_to[one] for status, one in found.items() if came_to[one] != status}:
            raise ValueError(f"a pattern came to {wrong}")
        for model in _of_executions():
            table = model._meta.db_table
            cursor.execute(
                f"CREATE TABLE pattern_{table} AS SELECT * FROM {table} WHERE {_key(model)}::text = ANY(%s)",
                [list(found.values())],
            )


def recorded() -> list[type[models.Model]]:
    """What the patterns have rows of; the executions first."""
    with connection.cursor() as cursor:
        return [model for model in _of_executions() if _any(cursor, model._meta.db_table)]


def forget() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {', '.join(f'pattern_{model._meta.db_table}' for model in _of_executions())}")


def selection(model: type[models.Model], given: Mapping[str, str]) -> tuple[list[str], str]:
    """The columns, and the SELECT of the model's rows for all of `made`: what is `given`, else as in the pattern.

    A column that the database fills by itself is left to it.
    """
    fields = [field for field in model._meta.concrete_fields if field.column in given or not _is_generated(field)]
    columns = {str(field.column): given.get(str(field.column)) or _copied(model, field) for field in fields}
    table = model._meta.db_table
    return list(columns), (
        f"SELECT {', '.join(columns.values())} FROM made m JOIN pattern_execution e "
        f"ON e.status = CASE WHEN m.status = ANY(ARRAY{list(ENDS)}) THEN m.status ELSE '{QUEUED}' END "
        f"JOIN pattern_{table} p ON p.{_key(model)} = e.id"
    )


def _is_generated(field: Any) -> bool:
    return field.get_internal_type() == "BigAutoField" or isinstance(field, TransactionIdField)


def _copied(model: type[models.Model], field: Any) -> str:
    name = field.column
    if name == _key(model):
        return "m.id"
    if name == "tenant_id":
        return "m.tenant"
    if name == "run_id":
        return "CASE WHEN p.run_id IS NOT NULL THEN md5(m.number::text)::uuid END"
    if field.primary_key:
        return "gen_random_uuid()"
    if field.get_internal_type() == "DateTimeField":
        return f"p.{name} + (m.created_at - e.created_at)"
    return f"p.{name}"


def _of_executions() -> Iterable[type[models.Model]]:
    """Every table that has rows of an execution."""
    yield Execution
    for model in apps.get_app_config("executions").get_models():
        if any(field.column == "execution_id" for field in model._meta.concrete_fields):
            yield model


def _key(model: type[models.Model]) -> str:
    return "id" if model is Execution else "execution_id"


def _any(cursor: Any, table: str) -> bool:
    cursor.execute(f"SELECT EXISTS (SELECT FROM pattern_{table})")
    return bool(cursor.fetchone()[0])
