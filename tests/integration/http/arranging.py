"""What the front doors' tests arrange with: workflows, templates, applications, made over HTTP; an engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from django.apps import apps

from tests.integration.engine.world import World, noop, transform
from tests.integration.http_client import Caller

TEMPLATES = "/api/v2/data_orchestration/templates"
EXECUTE = "/api/v2/data_orchestration/execute"
ECHO = [noop("first"), transform("second", {"got": "${{ input }}"}, "first")]

_numbers = count()


def published(alice: Caller, steps: Any = ECHO, **members: Any) -> str:
    """The id of a workflow of `alice`, published with these steps."""
    made = alice.post("/v1/workflows", {"name": f"over-http-{next(_numbers)}", "steps": steps, **members})
    assert made.status_code == 201, made.content
    workflow_id: str = made.json()["id"]
    assert alice.post(f"/v1/workflows/{workflow_id}/publish").status_code == 200
    return workflow_id


def template(alice: Caller, workflow_id: str, **members: Any) -> str:
    """The id of a template that hands the application's data on and finds it good."""
    body = {"name": "t", "workflow_id": workflow_id, "input": "${{ application }}", "outcome": "'pass'", **members}
    made: str = alice.post(TEMPLATES, body).json()["data"]["id"]
    return made


def application(alice: Caller, **data: Any) -> str:
    made: str = alice.post("/api/v2/applications", {"external_ref": "ref-1", "data": data}).json()["data"]["id"]
    return made


def creation(workflow_id: str, **members: Any) -> dict[str, Any]:
    """A body of POST /v1/executions."""
    return {"workflowId": workflow_id, "sourceSystem": "crm", "sourceEntityType": "lead", **members}


def created(alice: Caller, workflow_id: str, **members: Any) -> Any:
    """The data of a creation's answer."""
    answer = alice.post("/v1/executions", creation(workflow_id, **members))
    assert answer.status_code == 200, answer.content
    return answer.json()["data"]


def executed(alice: Caller, workflow_id: str, body: Any = None, **headers: str) -> Any:
    return alice.post(f"/v1/workflows/{workflow_id}/execute", {} if body is None else body, **headers)


def reasons(answer: Any) -> tuple[int, str, set[str]]:
    """Of a refusal in the workflow dialect: its status, its reason word, the fields it names."""
    body = answer.json()
    return answer.status_code, body["details"]["reason"], {error["field"] for error in body["details"]["errors"]}


@contextmanager
def engine() -> Iterator[World]:
    """One worker's engine on the test's own database; the test must commit (`transaction=True`)."""
    world = World()
    try:
        yield world
    finally:
        world.close()


def rows_of_every_table() -> dict[str, int]:
    """How many rows each table of the product has."""
    rooms = ("tenants", "workflows", "executions")
    return {
        m._meta.db_table: m._default_manager.count() for room in rooms for m in apps.get_app_config(room).get_models()
    }
