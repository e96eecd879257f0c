"""/v1/workflows/{id}/execute and /v1/orchestrations: run a workflow and follow it, in the workflow dialect."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from contract.answers import PAYMENT_LINK, shown
from contract.http import Answer
from contract.identifiers import agent_name, run_name
from contract.json_values import JSON
from contract.problems import Conflict, FieldProblem, InvalidInput
from contract.shapes import ABSENT, Flag, FreeObject, Shape, Text
from contract.timestamps import wire
from executions.agents import agent_of, carried_out_by, check_agents, named_agent
from executions.api.executions import as_object, checkout_url, payment_link
from executions.api.orchestration_answers import EXECUTED_OR_PLAN, ORCHESTRATION
from executions.api.origins import origin_at
from executions.api.receipts import show_receipts
from executions.api.waiting import PREFER, WaitingDoor
from executions.creation import Request, checked_spec, create_execution
from executions.events import digest
from executions.models import Execution, Receipt
from executions.payloads.reading import value_of
from executions.payloads.references import is_dropped, size_of
from executions.planned import check_plan, plan_hash, planned_steps
from executions.reading import execution_of
from executions.receipts.reading import receipts_by_execution
from executions.states import DEADLINE, Status, StepStatus
from executions.steps import SteppedOn, defined_steps
from tenants.door import Door, takes
from tenants.models import Agent
from workflows import catalog
from workflows.models import WorkflowVersion
from workflows.spec import Spec

STEPS_SHOWN = 1000
RESULT_SHOWN_BYTES = 64 * 1024
TENANT_HEADER = "X-Tenant-ID"


class Execute(Shape):
    """The body of POST /v1/workflows/{id}/execute: the union of the page's two contracts."""

    agent_id = Text(required=False, empty=ABSENT)
    input = FreeObject(required=False, default=dict)
    parameters = FreeObject(required=False, default=dict)
    dry_run = Flag(required=False, default=False)
    plan_hash = Text(required=False, empty=ABSENT)


ORCHESTRATION_STATUS = {
    Status.AWAITING_PAYMENT: "pending",
    Status.PAYMENT_CONFIRMED: "pending",
    Status.QUEUED: "running",
    Status.RUNNING: "running",
    Status.WAITING: "running",
    Status.SUCCEEDED: "completed",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
}
STEP_STATUS = {
    StepStatus.SUCCEEDED: "completed",
    StepStatus.WAITING: "running",
    StepStatus.RETRYING: "running",
    StepStatus.OUTCOME_UNKNOWN: "running",
}
EXECUTED_STEP = ("name", "action", "agent_id", "status", "result")


class ExecuteDoor(WaitingDoor):
    """Runs a published workflow, or shows what a run would do."""

    def check_headers(self) -> None:
        """A body of the page's prose contract names its tenant; one of only parameters and dry_run need not."""
        prose = "agent_id" in self.input or self.body.get("input") is not None
        if prose and not self.request.headers.get(TENANT_HEADER, "").strip():
            problem = FieldProblem(f"header.{TENANT_HEADER}", "missing", "the tenant's id or slug is wanted")
            raise InvalidInput(f"the header {TENANT_HEADER} is missing", fields=[problem])

    def idempotency_key(self) -> str | None:
        """A dry run takes none: nothing of it is stored."""
        return None if self.input["dry_run"] else super().idempotency_key()

    @takes(
        "workflows:execute",
        body=Execute.read,
        headers=PREFER,
        answers=shown(EXECUTED_OR_PLAN, "It was created; of a dry run, the plan.", headers=PAYMENT_LINK),
    )
    def execute(self, workflow_id: str) -> Answer:
        """The execution as it was created; for a dry run its plan."""
        version, agent = self._named(workflow_id)
        check_agents(self.tenant, agent, catalog.spec_of(version.id))
        request = self._request(version, agent)
        hashed = plan_hash(request)
        check_plan(self.input.get("plan_hash"), hashed)
        if self.input["dry_run"]:
            return self.ok(show_plan(request, checked_spec(request), hashed))
        execution = create_execution(self.tenant, request)
        return self.ok(show_created(execution, request), headers=payment_link(execution))

    def made(self, body: JSON) -> str | None:
        """The execution's id; a dry run made none."""
        made: str | None = body["execution_id"]
        return made

    def reached(self, execution: Execution) -> Answer:
        """The execution and its steps as they stand."""
        return self.ok(show_executed(execution), headers=payment_link(execution))

    def _named(self, workflow_id: str) -> tuple[WorkflowVersion, Agent]:
        """What the path and the body name. An id that names nothing answers before a workflow that may not be run."""
        agent_id = self.input.get("agent_id")
        try:
            version = catalog.live_version(self.tenant, workflow_id)
        except Conflict:
            named_agent(self.tenant, agent_id)
            raise
        return version, named_agent(self.tenant, agent_id) or agent_of(self.tenant, version.workflow)

    def _request(self, version: WorkflowVersion, agent: Agent) -> Request:
        return Request(
            version=version,
            origin=origin_at(self, "workflows", "agent", str(agent.id)),
            input=self.input["input"],
            input_at="/input",
            agent=agent,
            parameters=self.input["parameters"],
        )


class OrchestrationDoor(Door):
    """Executions as the workflow dialect sees them."""

    @takes("orchestrations:read", answers=shown(ORCHESTRATION))
    def show(self, orchestration_id: str) -> Answer:
        """One, by its run's or its execution's id."""
        return self.ok(show(execution_of(self.tenant, orchestration_id)))


def orchestration_status(execution: Execution) -> str:
    """The orchestration's word for the execution's status; `timeout` where its deadline passed."""
    if execution.status == Status.FAILED and execution.status_reason == DEADLINE:
        return "timeout"
    return ORCHESTRATION_STATUS[Status(execution.status)]


def show_created(execution: Execution, request: Request) -> JSON:
    """The execute answer as the execution was created: the union of both published objects."""
    steps = [
        {
            "name": step.name,
            "action": step.action,
            "agent_id": carried_out_by(step, request.agent.id),
            "status": "pending",
            "result": None,
        }
        for step in catalog.spec_of(request.version.id).steps[:STEPS_SHOWN]
    ]
    return _executed(execution, steps)


def show_executed(execution: Execution) -> JSON:
    """The execute answer as the execution stands."""
    steps = [show_step(step, execution.submission.agent_id) for step in defined_steps(execution, STEPS_SHOWN)]
    return _executed(execution, [{name: step[name] for name in EXECUTED_STEP} for step in steps])


def _executed(execution: Execution, steps: list[dict[str, JSON]]) -> JSON:
    agent_id, status = execution.submission.agent_id, orchestration_status(execution)
    return {
        "execution_id": str(execution.id),
        "run_id": run_name(execution.run_id) if execution.run_id else None,
        "workflow_id": str(execution.workflow_id),
        "workflow_version": catalog.spec_of(execution.version_id).version,
        "agent_id": agent_name(agent_id) if agent_id else None,
        "status": "failed" if status in {"timeout", "cancelled"} else status,
        "steps": steps,
        "created_at": wire(execution.created_at),
        "started_at": wire(execution.queued_at),
        "checkout_url": checkout_url(execution),
    }


def show_plan(request: Request, spec: Spec, hashed: str) -> JSON:
    """The answer of a dry run: nothing is stored and nothing runs."""
    return {
        "execution_id": None,
        "run_id": None,
        "workflow_id": str(request.version.workflow_id),
        "workflow_version": request.version.version,
        "agent_id": agent_name(request.agent.id),
        "status": "pending",
        "steps": planned_steps(request, spec),
        "created_at": None,
        "started_at": None,
        "checkout_url": None,
        "plan_hash": hashed,
        "price": None
        if spec.price is None
        else {"amount": spec.price.amount, "currency": spec.price.currency, "refund": spec.price.refund.value},
    }


def show(execution: Execution) -> JSON:
    """The orchestration: the union of both published objects."""
    steps = defined_steps(execution, STEPS_SHOWN)
    agent_id: UUID | None = execution.submission.agent_id
    carriers = {carried_out_by(step.spec, agent_id) for step in steps}
    signed = receipts_by_execution([execution.id])[execution.id]
    return {
        **summary(execution, catalog.spec_of(execution.version_id).version, signed),
        "agents": sorted(carrier for carrier in carriers if carrier),
        "steps": [show_step(step, agent_id) for step in steps],
        "results": {step.spec.name: shown_result(step) for step in steps if step.status == StepStatus.SUCCEEDED},
    }


def summary(execution: Execution, version: str, signed: Sequence[Receipt]) -> dict[str, JSON]:
    """The orchestration without what its definition and its steps say; `version` is the version's number, `signed` its
    receipts.

    Until it is queued it goes by the id of its execution, which goes on naming it.
    """
    asked = execution.submission
    output = value_of(execution.output, execution.id)
    run = run_name(execution.run_id or execution.id)
    failed = execution.status in {Status.FAILED, Status.CANCELLED}
    return {
        "id": run,
        "orchestration_id": run,
        "workflow_id": str(execution.workflow_id),
        "workflow_version": version,
        "agent_id": agent_name(asked.agent_id) if asked.agent_id else None,
        "parameters": value_of(asked.parameters, execution.id),
        "status": orchestration_status(execution),
        "output": as_object(output),
        "total_cost_cents": None,
        **show_receipts(execution, signed),
        "error": {"code": execution.status, "message": execution.status_reason} if failed else None,
        "created_at": wire(execution.created_at),
        "started_at": wire(execution.queued_at),
        "completed_at": wire(execution.finished_at),
    }


def show_step(step: SteppedOn, agent_id: UUID | None) -> dict[str, JSON]:
    started, ended = step.started_at, step.finished_at
    return {
        "step_id": str(step.id),
        "step_number": step.spec.index + 1,
        "name": step.spec.name,
        "agent_id": carried_out_by(step.spec, agent_id),
        "action": step.spec.action,
        "status": STEP_STATUS.get(StepStatus(step.status), step.status),
        "result": shown_result(step),
        "started_at": wire(started),
        "completed_at": wire(ended),
        "duration_ms": round((ended - started).total_seconds() * 1000) if started and ended else None,
    }


def shown_result(step: SteppedOn) -> JSON:
    """A step's output as an object; a large one as its digest."""
    text = step.output_text
    if text is not None and not is_dropped(text) and size_of(text) > RESULT_SHOWN_BYTES:
        return {"digest": digest(text), "bytes": size_of(text)}
    return as_object(step.output)
