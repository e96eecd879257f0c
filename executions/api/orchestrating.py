"""/v1/orchestrations: run a workflow or a list of steps, list what runs, cancel it. Workflow dialect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from contract.answers import PAYMENT_LINK, pages, shown
from contract.http import Answer
from contract.json_values import JSON
from contract.problems import FieldProblem, Forbidden, InvalidContent, NotFound, UnknownReference
from contract.queries import identifier, listing, one_of, timestamp
from contract.shapes import ABSENT, Anything, Flag, FreeObject, Number, Several, Shape, Text, Whole, invalid
from executions import commands
from executions.agents import agent_of, carried_out_by, check_agents, named_agent
from executions.api.commanding import Cancel
from executions.api.executions import payment_link
from executions.api.orchestration_answers import ORCHESTRATION, ORCHESTRATION_OR_PLAN, ORCHESTRATION_SUMMARY
from executions.api.orchestrations import ORCHESTRATION_STATUS, show, show_plan, summary
from executions.api.origins import origin_at
from executions.api.waiting import PREFER, WaitingDoor
from executions.creation import Request, checked_spec, create_execution
from executions.listing import EVERY, FAILED_OTHERWISE, TIMED_OUT, Sought, in_status, keys_of
from executions.models import Execution
from executions.planned import plan_hash
from executions.reading import execution_of, executions_of
from executions.receipts.reading import receipts_by_execution
from executions.states import Status
from tenants import registry
from tenants.door import takes
from tenants.models import Agent
from workflows import catalog, inline
from workflows.models import WorkflowVersion
from workflows.policies import YEAR
from workflows.spec import Spec
from workflows.written import MAX_STEPS

MAX_AGENTS = 100


class ExecuteOrchestration(Shape):
    """The body of POST /v1/orchestrations/execute."""

    workflow_id = Text(required=False)
    steps = Anything(required=False)
    agent_id = Text(required=False, empty=ABSENT)
    agents = Several(child=Text(), required=False, max_length=MAX_AGENTS)
    input = FreeObject(required=False, default=dict)
    parameters = FreeObject(required=False, default=dict)
    timeout_seconds = Number(required=False, low=0.001, high=YEAR)
    max_steps = Whole(required=False, low=1, high=MAX_STEPS)
    dry_run = Flag(required=False, default=False)


def read_execution(body: JSON) -> dict[str, Any]:
    """The members of an orchestration. Raises InvalidInput."""
    given = ExecuteOrchestration.read(body)
    if "workflow_id" in given and "steps" in given:
        raise invalid([FieldProblem("/steps", "conflicting", "either `workflow_id` or `steps` is given, not both")])
    if "workflow_id" not in given and "steps" not in given:
        raise invalid([FieldProblem("/workflow_id", "missing", "either `workflow_id` or `steps` is wanted")])
    return given


STANDING = {
    word: in_status(*(status for status in Status if ORCHESTRATION_STATUS[status] == word))
    for word in ("pending", "running", "completed", "cancelled")
} | {"failed": FAILED_OTHERWISE, "timeout": TIMED_OUT}


class OrchestrationsDoor(WaitingDoor):
    """Orchestrations of the caller's tenant."""

    def check_headers(self) -> None:
        """Steps of one's own are a definition, and writing one has a scope of its own."""
        if "steps" in self.input:
            self.credential.require("workflows:write")

    def idempotency_key(self) -> str | None:
        """A dry run takes none: nothing of it is stored."""
        return None if self.input.get("dry_run") else super().idempotency_key()

    @takes(
        "orchestrations:read",
        query=listing(
            status=one_of(*sorted(STANDING)), workflow_id=identifier, created_after=timestamp, created_before=timestamp
        ),
        answers=pages(ORCHESTRATION_SUMMARY),
    )
    def index(self) -> Answer:
        """Newest first, without their steps."""
        rows = executions_of(self.tenant).select_related("submission", "version")
        rows = rows.defer("version__definition", "version__sealed")
        page = self.newest_first(rows, self.query.window, among=keys_of(self.tenant, sought(self.query.filters)))
        signed = receipts_by_execution([execution.id for execution in page.items])
        return self.page(page, lambda execution: summary(execution, execution.version.version, signed[execution.id]))

    @takes(
        "orchestrations:write",
        body=read_execution,
        shape=ExecuteOrchestration,
        headers=PREFER,
        answers=shown(
            ORCHESTRATION_OR_PLAN, "It was created; of a dry run, the plan.", headers=PAYMENT_LINK, refuses=(404,)
        ),
    )
    def execute(self) -> Answer:
        """The orchestration as it was created; for a dry run its plan."""
        version, spec = self._version()
        agent = self._agent(version, spec)
        check_max_steps(spec, self.input.get("max_steps"))
        request = self._request(version, agent)
        if self.input["dry_run"]:
            return self.ok(self._plan(request, spec))
        execution = create_execution(self.tenant, request)
        return self.reached(execution)

    @takes("orchestrations:write", body=Cancel.read, answers=shown(ORCHESTRATION, refuses=(409,)))
    def cancel(self, orchestration_id: str) -> Answer:
        """End it: at once while it awaits payment, else as soon as what runs has ended."""
        commands.cancel(execution_of(self.tenant, orchestration_id).id, self.input.get("reason"), self.credential.actor)
        return self.ok(show(execution_of(self.tenant, orchestration_id)))

    def made(self, body: JSON) -> str | None:
        """The orchestration's id; a dry run made none, and one that is cancelled ends in its own time."""
        made: str | None = body.get("id") if self.action == "execute" else None
        return made

    def reached(self, execution: Execution) -> Answer:
        """The orchestration as it stands."""
        return self.ok(show(execution), headers=payment_link(execution))

    def _version(self) -> tuple[WorkflowVersion, Spec]:
        """What is to run: a workflow's live version, or the steps of the body, kept as one unless this is a dry run."""
        if "steps" not in self.input:
            version = self._named_version()
            return version, catalog.spec_of(version.id)
        definition = inline.definition(self.input["steps"])
        if self.input["dry_run"]:
            return inline.unkept(self.tenant, definition)
        version = inline.kept(self.tenant, definition)
        return version, catalog.spec_of(version.id)

    def _named_version(self) -> WorkflowVersion:
        try:
            return catalog.live_version(self.tenant, self.input["workflow_id"])
        except NotFound as refusal:
            problem = FieldProblem("/workflow_id", refusal.reason, refusal.message)
            raise UnknownReference(refusal.message, fields=[problem]) from refusal

    def _agent(self, version: WorkflowVersion, spec: Spec) -> Agent:
        """Who carries it out: the agent named, else the first of those who may take part, else as for any execution."""
        several = [self._taking_part(index, name) for index, name in enumerate(self.input.get("agents", ()))]
        named = named_agent(self.tenant, self.input.get("agent_id"))
        agent = named or (several[0] if several else agent_of(self.tenant, version.workflow))
        check_agents(self.tenant, agent, spec)
        if several:
            check_taking_part(agent, several, spec)
        return agent

    def _taking_part(self, index: int, agent_id: str) -> Agent:
        try:
            return registry.agent_of(self.tenant, agent_id)
        except NotFound as refusal:
            problem = FieldProblem(f"/agents/{index}", refusal.reason, refusal.message)
            raise UnknownReference(refusal.message, fields=[problem]) from refusal

    def _request(self, version: WorkflowVersion, agent: Agent) -> Request:
        return Request(
            version=version,
            origin=origin_at(self, "orchestrations", "agent", str(agent.id)),
            input=self.input["input"],
            input_at="/input",
            agent=agent,
            parameters=self.input["parameters"],
            timeout_seconds=self.input.get("timeout_seconds"),
        )

    def _plan(self, request: Request, spec: Spec) -> JSON:
        if "steps" not in self.input:
            return show_plan(request, checked_spec(request), plan_hash(request))
        plan = show_plan(request, checked_spec(request, unkept=spec), plan_hash(request))
        return {**plan, "workflow_id": None}


def sought(filters: Mapping[str, Any]) -> Sought:
    """What a query's filters leave of the list."""
    return Sought(
        standing=STANDING[filters["status"]] if "status" in filters else EVERY,
        workflow=filters.get("workflow_id"),
        after=filters.get("created_after"),
        before=filters.get("created_before"),
    )


def check_max_steps(spec: Spec, most: int | None) -> None:
    """Raises InvalidContent where the plan has more steps than the caller allows."""
    if most is not None and len(spec.steps) > most:
        problem = FieldProblem("/max_steps", "too_many_steps", f"the plan has {len(spec.steps):,} steps")
        raise InvalidContent(problem.message, fields=[problem])


def check_taking_part(agent: Agent, several: list[Agent], spec: Spec) -> None:
    """Raises Forbidden where somebody would carry out a step who is none of those who may take part."""
    allowed = {str(one.id) for one in several}
    for name, carrier in _carriers(agent, spec):
        if carrier not in allowed:
            message = f"{name} is carried out by an agent that is none of `agents`"
            raise Forbidden(message, reason="agent_denied", fields=[FieldProblem("/agents", "agent_denied", message)])


def _carriers(agent: Agent, spec: Spec) -> Iterator[tuple[str, str | None]]:
    yield "the orchestration", str(agent.id)
    for step in spec.all_steps():
        yield f"the step {step.name!r}", carried_out_by(step, agent.id)
