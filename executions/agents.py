"""The agent an execution runs for: which one, and whether it may do what the workflow's steps do."""

from __future__ import annotations

from contract.problems import FieldProblem, Forbidden, NotFound, UnknownReference
from tenants import registry
from tenants.models import Agent, Tenant
from tenants.permissions import permits
from workflows.models import Workflow
from workflows.spec import Spec, StepSpec


def agent_for(tenant: Tenant, workflow: Workflow | None, agent_id: str | None) -> Agent:
    """The agent that the body names, else the workflow's, else the tenant's default. Raises UnknownReference."""
    if agent_id is None:
        return (workflow.default_agent if workflow else None) or registry.default_agent_of(tenant)
    try:
        return registry.agent_of(tenant, agent_id)
    except NotFound as refusal:
        problem = FieldProblem("/agent_id", refusal.reason, refusal.message)
        raise UnknownReference(refusal.message, fields=[problem]) from refusal


def check_agent(agent: Agent, spec: Spec) -> None:
    """Raise Forbidden unless the agent is active and may carry out every step."""
    if agent.status != Agent.Status.ACTIVE:
        raise Forbidden(f"the agent {agent.name!r} is {agent.status}", reason=f"agent_{agent.status}")
    for step in spec.steps:
        if not permits(agent.actions, action_names(step)):
            message = f"the agent {agent.name!r} may not carry out the step {step.name!r} ({step.action})"
            raise Forbidden(message, reason="agent_denied")


def action_names(step: StepSpec) -> set[str]:
    """The names under which an agent's patterns may mean this step."""
    return {f"{step.type}:run", step.action, *({f"tool_call:{step.action}"} if step.type == "tool_call" else ())}
