"""An engine on the real database, and executions for it: what the engine's tests arrange with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import connection

from executions.creation import Origin, Request, create_execution
from executions.models import Execution
from executions.store import PostgresStore
from executions.transitions import Carrier
from orchestrator.actions.carrying import Carrier as StepCarrier
from orchestrator.engine import Engine
from orchestrator.held import Held
from orchestrator.outcomes import Claim, Failed, Limits, Succeeded
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
    """One worker process's engine, in this process; `announced` counts its hints."""

    now: Callable[[], datetime | None] = lambda: None
    carry_out: Callable[[Claim], Succeeded | Failed] | None = None
    announced: int = 0
    carrier: Carrier = field(default_factory=lambda: Carrier(uuid4(), "test:1", "test"))

    def __post_init__(self) -> None:
        limits, held = Limits(settings.OUTPUT_LIMIT_BYTES), Held()
        self.store = PostgresStore(database_url(), self.carrier, self.now)
        self.engine = Engine(
            store=self.store,
            runnables=Runnables(),
            carry_out=self.carry_out or StepCarrier(actions(), limits, held),
            announce=self._announce,
            limits=limits,
            held=held,
        )

    def _announce(self) -> None:
        self.announced += 1

    def drain(self, seconds: float = 10.0) -> int:
        return self.engine.drain(seconds)

    def close(self) -> None:
        self.store.close()


def statuses(execution: Execution) -> dict[str, str]:
    return dict(execution.steps.values_list("name", "status"))


def noop(name: str, *depends_on: str, **members: Any) -> dict[str, Any]:
    """A step of the effectful kind that does nothing."""
    config = {"tool": "noop", "arguments": {"name": name}}
    return {"name": name, "type": "tool_call", "config": config, "depends_on": list(depends_on), **members}


def transform(name: str, output: Any, *depends_on: str, **members: Any) -> dict[str, Any]:
    return {"name": name, "type": "transform", "config": {"output": output}, "depends_on": list(depends_on), **members}
