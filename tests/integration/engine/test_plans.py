"""What PostgreSQL does for a step: which rows it reads, in a new database as in one it knows, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from executions import statements, transitions
from executions.models import Attempt, Execution, Step
from tenants.models import Tenant
from tests.integration.engine.world import World, database_url, noop, published, submitted

KEYS = {
    "execution": "(id = ",
    "step": "(execution_id = given.execution_id) AND (index = given.index)",
    "attempt": "AND (step_index = given",
    "due_step": "AND (step_index = ANY",
}
"""What has to stand in the condition of the index through which a row of the table is found."""

AUTOVACUUM_ANALYZES = 50
"""So many rows have to change before it does; a table that is smaller than that may well be read as a whole."""


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def planned(statement: str, parameters: Any) -> list[dict[str, Any]]:
    """The nodes of the plan that an engine's connection makes."""
    with psycopg.connect(database_url(), options=statements.OPTIONS) as engine:
        plan = engine.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters).fetchall()[0][0]
    return list(nodes(plan[0]["Plan"]))


@pytest.mark.parametrize("analyzed", [False, True], ids=["never analyzed", "analyzed"])
def test_what_a_step_changes_is_looked_up_by_its_whole_key(
    alice: Tenant, world: World, monkeypatch: pytest.MonkeyPatch, analyzed: bool
) -> None:
    asked: dict[str, Any] = {}
    apply = transitions.apply

    def noting(cursor: Any, *arguments: Any) -> None:
        class Noting:
            def execute(self, statement: str, parameters: Any) -> None:
                asked[statement] = parameters
                cursor.execute(statement, parameters)

        apply(Noting(), *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(transitions, "apply", noting)
    leaves = [noop(f"leaf{n}", "first") for n in range(AUTOVACUUM_ANALYZES)]
    submitted(alice, published(alice, [noop("first"), *leaves, noop("last", "leaf0", "leaf1")]))
    world.drain()
    if analyzed:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE execution, step, attempt, due_step")

    seen = set()
    for statement, parameters in asked.items():
        for node in planned(statement, parameters):
            table = node.get("Relation Name")
            if "Scan" in node["Node Type"] and table in KEYS:
                seen.add(table)
                assert KEYS[table] in node.get("Index Cond", ""), f"{node} of {statement}"
            assert node["Node Type"] != "Materialize", statement
    assert seen == set(KEYS)


def test_what_is_due_is_taken_by_one_scan_in_order(alice: Tenant) -> None:
    plan = planned(statements.TAKE, {"now": None, "avoided": [uuid4()]})
    (scan,) = [node for node in plan if node.get("Index Name") == "execution_due_first"]
    assert "priority = ANY" in scan["Index Cond"]
    assert "due_at <=" in scan["Index Cond"]
    assert "Sort" not in {node["Node Type"] for node in plan}


FORBIDDEN: dict[str, tuple[type[Execution | Step | Attempt], dict[str, Any], str]] = {
    "a status of an execution that is none": (Execution, {"status": "gone"}, "execution_status_known_and_finished"),
    "an end without its time": (Execution, {"finished_at": None}, "execution_status_known_and_finished"),
    "a time of the end without one": (Execution, {"status": "workflow_running"}, "execution_status_known_and_finished"),
    "an intent that is none": (Execution, {"intent": "rest"}, "execution_intent_known"),
    "a counter below nothing": (Execution, {"steps_waiting": -1}, "execution_counters_not_negative"),
    "an ended execution that is due": (Execution, {"due_at": timezone.now()}, "execution_terminal_is_at_rest"),
    "an ended execution that runs a step": (Execution, {"steps_running": 1}, "execution_terminal_is_at_rest"),
    "a status of a step that is none": (Step, {"status": "gone"}, "step_status_known"),
    "parents below nothing": (Step, {"parents_left": -1}, "step_counters_not_negative"),
    "open parts below nothing": (Step, {"parts_open": -1}, "step_counters_not_negative"),
    "a status of an attempt that is none": (Attempt, {"status": "gone"}, "attempt_status_known_and_finished"),
    "an attempt that ended and runs": (Attempt, {"status": "running"}, "attempt_status_known_and_finished"),
    "an attempt that ended at no time": (Attempt, {"finished_at": None}, "attempt_status_known_and_finished"),
    "an attempt before the first": (Attempt, {"number": 0}, "attempt_number_positive"),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_tables_refuse_what_the_engine_never_writes(alice: Tenant, world: World, what: str) -> None:
    model, values, constraint = FORBIDDEN[what]
    submitted(alice, published(alice, [noop("only")]))
    world.drain()
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        model.objects.update(**values)
