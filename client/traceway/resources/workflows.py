"""`client.workflows` and `client.orchestrations`: definitions, their life, and runs of them. Workflow dialect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from traceway.answers import Answer, Json
from traceway.asking import PAGE, ask, get, keyless, nothing, one_page, pages, path, post
from traceway.drivers import Awaited, Direct
from traceway.effects import Flow, Program, Request
from traceway.errors import NotFound
from traceway.models import Me, Orchestration, Plan, Validation, Workflow, WorkflowVersion
from traceway.resources.account import ME
from traceway.resources.executions import Execution, waited
from traceway.surface import D, Resource, call, many

WORKFLOWS = "/v1/workflows"
ORCHESTRATIONS = "/v1/orchestrations"
TENANT_HEADER = "X-Tenant-ID"


@dataclass(frozen=True, kw_only=True)
class Run(Answer, Resource[D]):
    """A run as it was accepted; `status` knows pending, running, completed and failed."""

    _driver: D = field(repr=False, compare=False)
    execution_id: str
    run_id: str | None
    workflow_id: str
    workflow_version: str | None
    agent_id: str | None
    status: str
    steps: list[Json] = field(default_factory=list)
    checkout_url: str | None
    created_at: datetime | None
    started_at: datetime | None

    @call
    def wait(self, *, timeout: float | None = None) -> Program[Execution[D]]:
        """The execution as it ended. Raises WaitTimeout after `timeout` seconds."""
        return waited(self._driver, self.execution_id, timeout)


class Workflows(Resource[D]):
    """Workflows of the tenant. A `definition` is the JSON object that docs/api.md tells of."""

    @call
    def validate(self, definition: Mapping[str, Any]) -> Program[Validation]:
        """Everything that is wrong with a definition; nothing is stored."""
        return ask(self._retry, keyless(WORKFLOWS + "/validate", definition), Validation.of)

    @call
    def create(self, definition: Mapping[str, Any], *, idempotency_key: str | None = None) -> Program[Workflow]:
        """A new workflow with this draft."""
        return ask(self._retry, post(WORKFLOWS, definition, key=idempotency_key), Workflow.of)

    @call
    def get(self, workflow_id: str) -> Program[Workflow]:
        """The live version or, never published, the draft."""
        return ask(self._retry, get(_at(workflow_id)), Workflow.of)

    @call
    def named(self, name: str) -> Program[Workflow]:
        """The unarchived workflow with this name, without its steps. Raises NotFound."""
        cursor: str | None = None
        while True:
            items, cursor = yield from one_page(self._retry, WORKFLOWS, {"limit": PAGE, "cursor": cursor})
            for workflow in map(Workflow.of, items):
                if workflow.name == name and workflow.status != "archived":
                    return workflow
            if cursor is None:
                raise NotFound(f"there is no workflow named {name}", status=404, reason="not_found")

    @call
    def put(self, workflow_id: str, definition: Mapping[str, Any]) -> Program[Workflow]:
        """The workflow with this draft, which it answers with."""
        return ask(self._retry, post(_at(workflow_id), definition, method="PUT"), Workflow.of)

    @call
    def delete(self, workflow_id: str) -> Program[None]:
        """Gone if it was never published, else archived."""
        return ask(self._retry, post(_at(workflow_id), method="DELETE"), nothing)

    @many
    def list(self, *, limit: int | None = None) -> Flow[Workflow]:
        """Newest first, archived ones too, without their steps; all of them, or `limit`."""
        return pages(self._retry, WORKFLOWS, {}, Workflow.of, limit)

    @call
    def publish(self, workflow_id: str) -> Program[Workflow]:
        """The draft becomes the live version."""
        return ask(self._retry, post(_at(workflow_id, "/publish")), Workflow.of)

    @call
    def rollback(self, workflow_id: str, version: str) -> Program[Workflow]:
        """An earlier published version is live again."""
        return ask(self._retry, post(_at(workflow_id, "/rollback"), {"version": version}), Workflow.of)

    @call
    def archive(self, workflow_id: str) -> Program[Workflow]:
        """Out of use for good."""
        return ask(self._retry, post(_at(workflow_id, "/archive")), Workflow.of)

    @call
    def pause(self, workflow_id: str) -> Program[Workflow]:
        """No execution starts."""
        return ask(self._retry, post(_at(workflow_id, "/pause")), Workflow.of)

    @call
    def resume(self, workflow_id: str) -> Program[Workflow]:
        """Executions start again."""
        return ask(self._retry, post(_at(workflow_id, "/resume")), Workflow.of)

    @many
    def versions(self, workflow_id: str, *, limit: int | None = None) -> Flow[WorkflowVersion]:
        """Newest first, the draft too, without their steps."""
        return pages(self._retry, _at(workflow_id, "/versions"), {}, WorkflowVersion.of, limit)

    @call
    def version(self, workflow_id: str, version: str) -> Program[WorkflowVersion]:
        """One, with its steps."""
        return ask(self._retry, get(_at(workflow_id, "/versions/{version}", version=version)), WorkflowVersion.of)

    @call
    def execute(
        self,
        workflow_id: str,
        input: Mapping[str, Any] | None = None,
        *,
        parameters: Mapping[str, Any] | None = None,
        agent_id: str | None = None,
        plan_hash: str | None = None,
        wait: float = 0,
        idempotency_key: str | None = None,
    ) -> Program[Run[D]]:
        """A new run. With `wait` (1 to 30 seconds) the answer comes when it has ended, or the time is over."""
        body = {"input": input, "parameters": parameters, "agent_id": agent_id, "plan_hash": plan_hash}
        return _run(self._driver, post(_at(workflow_id, "/execute"), body, key=idempotency_key, wait=wait), body)

    @call
    def plan(
        self,
        workflow_id: str,
        input: Mapping[str, Any] | None = None,
        *,
        parameters: Mapping[str, Any] | None = None,
        agent_id: str | None = None,
    ) -> Program[Plan]:
        """What execute would do: a dry run, of which nothing is stored."""
        given = {"input": input, "parameters": parameters, "agent_id": agent_id}
        body = {"dry_run": True} | {name: value for name, value in given.items() if value is not None}
        request = yield from _for_tenant(self._driver, keyless(_at(workflow_id, "/execute"), body), given)
        return (yield from ask(self._retry, request, Plan.of))


class Orchestrations(Resource[D]):
    """Executions as the workflow dialect sees them, and runs of steps that are no workflow yet."""

    @call
    def execute(
        self,
        *,
        workflow_id: str | None = None,
        steps: Sequence[Mapping[str, Any]] | None = None,
        input: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        agent_id: str | None = None,
        agents: Sequence[str] | None = None,
        timeout_seconds: float | None = None,
        max_steps: int | None = None,
        wait: float = 0,
        idempotency_key: str | None = None,
    ) -> Program[Orchestration]:
        """A run of a workflow, or of `steps` that are given here."""
        body = {
            "workflow_id": workflow_id,
            "steps": steps,
            "input": input,
            "parameters": parameters,
            "agent_id": agent_id,
            "agents": agents,
            "timeout_seconds": timeout_seconds,
            "max_steps": max_steps,
        }
        request = post(ORCHESTRATIONS + "/execute", body, key=idempotency_key, wait=wait)
        return ask(self._retry, request, Orchestration.of)

    @call
    def get(self, orchestration_id: str) -> Program[Orchestration]:
        """One, by its run's or its execution's id."""
        return ask(self._retry, get(_orchestration(orchestration_id)), Orchestration.of)

    @many
    def list(
        self, *, status: str | None = None, workflow_id: str | None = None, limit: int | None = None
    ) -> Flow[Orchestration]:
        """Newest first, without their steps and results."""
        query = {"status": status, "workflow_id": workflow_id}
        return pages(self._retry, ORCHESTRATIONS, query, Orchestration.of, limit)

    @call
    def cancel(self, orchestration_id: str, reason: str | None = None) -> Program[Orchestration]:
        """End it."""
        request = post(_orchestration(orchestration_id, "/cancel"), {"reason": reason})
        return ask(self._retry, request, Orchestration.of)


def _at(workflow_id: str, more: str = "", **parts: str) -> str:
    return path(WORKFLOWS + "/{workflow_id}" + more, workflow_id=workflow_id, **parts)


def _orchestration(orchestration_id: str, more: str = "") -> str:
    return path(ORCHESTRATIONS + "/{orchestration_id}" + more, orchestration_id=orchestration_id)


def _run(driver: D, request: Request, body: Mapping[str, Any]) -> Program[Run[D]]:
    def read(raw: Any) -> Run[D]:
        return Run.of(raw, _driver=driver)

    asked = yield from _for_tenant(driver, request, body)
    return (yield from ask(driver.settings.retry, asked, read))


def _for_tenant(driver: Direct | Awaited, request: Request, body: Mapping[str, Any]) -> Program[Request]:
    """`request` with the tenant named where the route wants that; who it is, the service is asked once."""
    if body["input"] is None and body["agent_id"] is None:
        return request
    settings = driver.settings
    if settings.tenant is None:
        settings.tenant = (yield from ask(settings.retry, get(ME), Me.of)).tenant.id
    return replace(request, headers={**request.headers, TENANT_HEADER: settings.tenant})
