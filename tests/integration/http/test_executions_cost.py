"""What the front doors cost: how many statements, and from which index a list is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from executions.models import Execution, Submission
from executions.payloads.contents import Contents
from tests.integration.engine.world import noop
from tests.integration.http.arranging import (
    EXECUTE,
    application,
    created,
    published,
    template,
)
from tests.integration.http_client import Caller, caller

LIST = "/v1/executions"

pytestmark = pytest.mark.usefixtures("kept_for_long")


@contextmanager
def statements(count: int) -> Iterator[None]:
    """Exactly so many, beside savepoints; in a test's own transaction none begins or ends one."""
    with CaptureQueriesContext(connection) as captured:
        yield
    written = [found["sql"][:160] for found in captured if "SAVEPOINT" not in found["sql"]]
    assert len(written) == count, "\n".join([f"{len(written)} statements", *written])


def test_a_creation_costs_the_same_whatever_the_workflows_size(alice: Caller) -> None:
    small, large = published(alice), published(alice, [noop(f"s{number}") for number in range(50)])
    for workflow_id in (small, large):
        created(alice, workflow_id)
        with statements(2):
            created(alice, workflow_id)
        with statements(5):
            created(alice, workflow_id, idempotencyKey=workflow_id)
        with statements(3):
            created(alice, workflow_id, idempotencyKey=workflow_id)


@pytest.mark.django_db(transaction=True)
def test_only_a_creation_with_a_key_opens_a_transaction() -> None:
    alice = caller("alice")
    workflow_id = published(alice)
    created(alice, workflow_id)
    for key, count in ((None, 2), ("k", 7), ("k", 5)):
        with statements(count):
            created(alice, workflow_id, idempotencyKey=key)


def test_what_was_stored_for_a_creation_is_at_hand_for_its_answer(
    alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not created again because its payload, which others crowd out of the process, would have to be fetched."""
    workflow_id, payload = published(alice), {"text": "x" * 300_000}
    created(alice, workflow_id)
    monkeypatch.setattr(Contents, "_remember", lambda *_: None)
    with statements(3):
        made = created(alice, workflow_id, requestPayload=payload)
    assert made["execution"]["requestPayload"] == payload
    assert Execution.objects.count() == 2


def test_a_data_orchestration_costs_a_fixed_number_of_statements(alice: Caller) -> None:
    body = {"template_id": template(alice, published(alice)), "application_id": application(alice, amount=1)}
    alice.post(EXECUTE, body)
    with statements(7):
        assert alice.post(EXECUTE, body).status_code == 200


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("/v1/executions", 2),
        ("/v1/executions/{execution}", 3),
        ("/v1/executions/{execution}/events", 3),
        ("/v1/executions/{execution}/steps", 3),
        ("/v1/executions/{execution}/steps/second/why-waiting", 6),
        ("/v1/orchestrations/{execution}", 4),
        ("/api/v2/applications/{application}/data_orch", 3),
    ],
)
def test_reading_costs_the_same_for_one_and_for_many(alice: Caller, path: str, count: int) -> None:
    workflow_id, application_id = published(alice), application(alice)
    body = {"template_id": template(alice, workflow_id), "application_id": application_id}
    execution = alice.post(EXECUTE, body).json()["data"]["id"]
    path = path.format(execution=execution, application=application_id)
    for _ in range(2):
        alice.post(EXECUTE, body)
        created(alice, workflow_id)
        with statements(count):
            assert alice.get(path).status_code == 200


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ("", "tenant_id"),
        ("status=awaiting_payment", "tenant_id status"),
        ("workflowId=01a2022d-9dbb-7513-ad1b-93c2e182697b", "tenant_id workflow_id"),
        ("externalRef=rare", "tenant_id external_ref"),
        ("sourceEntityId=rare", "tenant_id source_entity_id"),
        ("sourceSystem=rare", "tenant_id source_system"),
        ("createdBefore=2026-01-01T00:00:00Z", "tenant_id id"),
        ("status=workflow_queued&workflowId=01a2022d-9dbb-7513-ad1b-93c2e182697b", "tenant_id workflow_id status"),
    ],
)
def test_every_list_is_read_from_an_index_in_its_order(alice: Caller, query: str, condition: str) -> None:
    """So that a page costs the same however many executions are stored."""
    execution = created(alice, published(alice))["execution"]["id"]
    multiply(execution, 2000)
    with CaptureQueriesContext(connection) as captured:
        assert alice.get(f"{LIST}?{query}").status_code == 200
    [statement] = [found["sql"] for found in captured if 'FROM "execution"' in found["sql"]]
    plan = plan_of(statement)
    keys = plan.partition("Limit")[2]
    assert "->  Sort" not in keys, plan
    read = re.findall(r"Index Cond: (.*tenant_id.*)", keys)
    assert any(all(column in columns for column in condition.split()) for columns in read), plan


def multiply(execution_id: str, times: int) -> None:
    """Copy an execution and its submission, as they stand, and have the planner know."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE copies ON COMMIT DROP AS SELECT gen_random_uuid() AS copy "
            "FROM generate_series(1, %s)",
            [times],
        )
        for table, key in (("execution", "id"), ("submission", "execution_id")):
            model = Execution if table == "execution" else Submission
            columns = [str(field.column) for field in model._meta.concrete_fields]
            rest = ", ".join(column for column in columns if column != key)
            cursor.execute(
                f"INSERT INTO {table} ({key}, {rest}) SELECT copy, {rest} FROM copies, {table} WHERE {key} = %s",
                [execution_id],
            )
            cursor.execute(f"ANALYZE {table}")


def plan_of(statement: str) -> str:
    with connection.cursor() as cursor:
        for kind in ("seqscan", "bitmapscan", "hashjoin", "mergejoin"):
            cursor.execute(f"SET LOCAL enable_{kind} = off")
        cursor.execute(f"EXPLAIN {statement}")
        return "\n".join(row[0] for row in cursor.fetchall())
