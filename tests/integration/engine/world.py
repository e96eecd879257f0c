"""An engine on the real database, and executions for it: what the engine's tests arrange with."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Self
from uuid import uuid4

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from executions.change import Carrier
from executions.commands.inbox import arrive
from executions.creation import Origin, Request, create_execution
from executions.models import ArrivalKind, Attempt, Execution
from executions.payloads.reading import contents
from executions.postgres_store import PostgresStore
from orchestrator.actions import tenant_secrets
from orchestrator.actions.carrying import Carrier as StepCarrier
from orchestrator.engine import CarryOut, Engine
from orchestrator.held import Held
from orchestrator.outcomes import Limits
from orchestrator.process import Runnables, actions
from tenants import registry
from tenants.models import Tenant
from workflows import authoring, catalog

_numbers = count()


def database_url() -> str:
    """The test database as a libpq URI."""
    parameters = connection.get_connection_params()
    name = connection.settings_dict["NAME"]
    host, port = parameters.get("host") or "", parameters.get("port") or ""
    return (
        f"host='{host}' dbname='{name}' user='{parameters.get('user')}' password='{parameters.get('password') or ''}'"
        + (f" port='{port}'" if port else "")
    )


def published(tenant: Tenant, steps: list[dict[str, Any]], **members: Any) -> str:
    """The id of a workflow that is published with these steps."""
    definition = {"name": f"workflow-{next(_numbers)}", "steps": steps, **members}
    workflow = authoring.create(tenant, authoring.read_definition(definition))
    authoring.publish(tenant, workflow.id)
    return str(workflow.id)


def submitted(tenant: Tenant, workflow_id: str, value: dict[str, Any] | None = None, **members: Any) -> Execution:
    """An execution of it, as a front door would create it."""
    origin = Origin("tests", "test", "api_key", str(uuid4()), "request-1")
    request = Request(
        version=catalog.live_version(tenant, workflow_id),
        origin=origin,
        input=value or {},
        input_at="/input",
        agent=registry.default_agent_of(tenant),
        **members,
    )
    return create_execution(tenant, request)


@dataclass
class World:
    """One worker process's engine, in this process; `announced` are its hints, by the seconds until each."""

    now: Callable[[], datetime | None] = lambda: None
    carry_out: CarryOut | None = None
    announced: list[float] = field(default_factory=list)
    carrier: Carrier = field(default_factory=lambda: Carrier(uuid4(), "test:1", "test"))

    def __post_init__(self) -> None:
        limits, held = Limits(settings.OUTPUT_LIMIT_BYTES), Held()
        self.store = PostgresStore(database_url(), self.carrier, contents(), self._clock)
        self.engine = Engine(
            store=self.store,
            runnables=Runnables(),
            carry_out=self.carry_out or StepCarrier(actions(), limits, held, tenant_secrets.of_tenant),
            announce=self._announce,
            limits=limits,
            held=held,
        )

    def _clock(self) -> datetime | None:
        return self.now()

    def _announce(self, after_seconds: float = 0.0) -> None:
        self.announced.append(after_seconds)

    def drain(self, seconds: float = 10.0) -> int:
        return self.engine.drain(seconds)

    def drain_after(self, seconds: float) -> int:
        """Drain as this engine would when so many seconds have gone by; its clock goes on from there."""
        ahead = timedelta(seconds=seconds) + ((self.now() or timezone.now()) - timezone.now())
        self.now = lambda: timezone.now() + ahead
        return self.drain()

    def close(self) -> None:
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def statuses(execution: Execution) -> dict[str, str]:
    return dict(execution.steps.values_list("name", "status"))


def noop(name: str, *depends_on: str, **members: Any) -> dict[str, Any]:
    """A step of the effectful kind that does nothing."""
    config = {"tool": "noop", "arguments": {"name": name}}
    return {"name": name, "type": "tool_call", "config": config, "depends_on": list(depends_on), **members}


def transform(name: str, output: Any, *depends_on: str, **members: Any) -> dict[str, Any]:
    return {"name": name, "type": "transform", "config": {"output": output}, "depends_on": list(depends_on), **members}


def wait(name: str, *depends_on: str, **config: Any) -> dict[str, Any]:
    return {"name": name, "type": "wait", "config": config, "depends_on": list(depends_on)}


def failing(name: str, *depends_on: str, **members: Any) -> dict[str, Any]:
    """A step that fails each time; with `times`, so many times and then no more."""
    arguments = {"times": members.pop("times")} if "times" in members else {}
    config = {"tool": "fail", "arguments": arguments}
    return {"name": name, "type": "tool_call", "config": config, "depends_on": list(depends_on), **members}


def child(name: str, workflow_id: str, *depends_on: str, given: Any = None, **members: Any) -> dict[str, Any]:
    """A step that starts an execution of this workflow."""
    config = {"workflow_id": workflow_id, "input": given or {}}
    return {"name": name, "type": "workflow", "config": config, "depends_on": list(depends_on), **members}


def ended(execution: Execution) -> tuple[str, str | None]:
    """Where it stands now, and why."""
    execution.refresh_from_db()
    return execution.status, execution.status_reason


def output(execution: Execution) -> Any:
    """What it came to; None while it has not succeeded."""
    execution.refresh_from_db()
    return None if execution.output is None else json.loads(execution.output)


def attempts(execution: Execution, step: str) -> list[str]:
    """How the attempts at a step, part or compensation stand, in order."""
    index = execution.steps.get(name=step).index
    return list(execution.attempts.filter(step_index=index).order_by("number").values_list("status", flat=True))


def result(execution: Execution, step: str) -> Any:
    """The output of a step's newest attempt, or the error where it has none."""
    index = execution.steps.get(name=step).index
    newest = execution.attempts.filter(step_index=index).order_by("-number")[0]
    return json.loads(newest.output or newest.error or "null")


def begun(execution: Execution) -> list[str]:
    """The steps in the order in which attempts at them began."""
    events = execution.events.filter(type="step.started").order_by("sequence")
    return [step or "" for step in events.values_list("step", flat=True)]


def told(execution: Execution, event: str) -> list[tuple[str | None, dict[str, Any]]]:
    """The step and the data of every event of a type, in order."""
    events = execution.events.filter(type=event).order_by("sequence")
    return [(row.step, json.loads(row.body)["data"]) for row in events]


def lost(execution: Execution) -> None:
    """Say of the attempt that runs what a sweep says of one whose worker is gone."""
    attempt = Attempt.objects.get(execution=execution, status="running")
    payload = {"index": attempt.step_index, "number": attempt.number}
    with transaction.atomic():
        arrive(execution, ArrivalKind.ATTEMPT_LOST, payload, "sweep")
