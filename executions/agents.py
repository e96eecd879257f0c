"""The agents an execution runs for: which ones, and whether they may do what the workflow's steps do."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from contract.identifiers import AGENT, parse_id
from contract.problems import FieldProblem, Forbidden, NotFound, UnknownReference
from executions.allowed import TASKS, action_names
from tenants import registry
from tenants.models import Agent, Tenant
from tenants.permissions import permits
from workflows.models import Workflow
from workflows.spec import Spec, StepSpec


def agent_of(tenant: Tenant, workflow: Workflow) -> Agent:
    """The agent of executions that name none: the workflow's, else the tenant's default."""
    return workflow.default_agent or registry.default_agent_of(tenant)


def named_agent(tenant: Tenant, agent_id: str | None) -> Agent | None:
    """The agent that a body's agent_id names; None where it names none. Raises UnknownReference."""
    if agent_id is None:
        return None
    try:
        return registry.agent_of(tenant, agent_id)
    except NotFound as refusal:
        problem = FieldProblem("/agent_id", refusal.reason, refusal.message)
        raise UnknownReference(refusal.message, fields=[problem]) from refusal


def check_agents(tenant: Tenant, agent: Agent, spec: Spec) -> None:
    """Raise Forbidden unless `agent`, and whom a step names instead, are active and may carry their steps out."""
    _check_active(agent)
    named = _named(tenant, spec)
    for other in named.values():
        _check_active(other)
    for step in spec.all_steps():
        _check_permitted(agent if step.agent_id is None else named.get(_uuid(step.agent_id)), step)


def check_at_work(agent: Agent) -> None:
    """Raise Forbidden unless workers of the agent may claim and end its tasks now."""
    _check_active(agent)
    if not permits(agent.actions, TASKS):
        raise Forbidden(f"the agent {agent.name!r} may not carry tasks out", reason="agent_denied")


def carried_out_by(step: StepSpec, agent_id: UUID | None) -> str | None:
    """The id, as a UUID, of the step's own agent or else of the execution's."""
    own = agent_id if step.agent_id is None else _uuid(step.agent_id)
    return None if own is None else str(own)


def _named(tenant: Tenant, spec: Spec) -> Mapping[UUID | None, Agent]:
    written = {_uuid(step.agent_id) for step in spec.all_steps() if step.agent_id is not None}
    known = [agent_id for agent_id in written if agent_id is not None]
    return {agent.id: agent for agent in registry.agents_of(tenant).filter(id__in=known)} if known else {}


def _uuid(agent_id: str) -> UUID | None:
    return parse_id(agent_id, AGENT)


def _check_active(agent: Agent) -> None:
    if agent.status != Agent.Status.ACTIVE:
        raise Forbidden(f"the agent {agent.name!r} is {agent.status}", reason=f"agent_{agent.status}")


def _check_permitted(agent: Agent | None, step: StepSpec) -> None:
    if agent is None:
        raise Forbidden(f"the step {step.name!r} names an agent that does not exist", reason="agent_denied")
    if not permits(agent.actions, action_names(step)):
        message = f"the agent {agent.name!r} may not carry out the step {step.name!r} ({step.action})"
        raise Forbidden(message, reason="agent_denied")
