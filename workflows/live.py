"""What is asked for each execution that is created, in one statement: what of a workflow runs now, and for whom.

The rest of what is read of workflows is in catalog.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS

from contract.identifiers import parse_id
from contract.prepared import one_row
from contract.problems import NotFound
from tenants.models import Agent, Tenant
from workflows.catalog import live_version_of
from workflows.models import Workflow, WorkflowVersion


@dataclass(frozen=True, slots=True)
class Live:
    """The version that an execution takes now, the agent it has if it names none, and the database's clock then."""

    version: WorkflowVersion
    agent: Agent
    now: datetime


def live(tenant: Tenant, workflow_id: str | UUID) -> Live:
    """What runs of the workflow with this id. Raises NotFound, and Conflict as catalog.live_version does."""
    identifier = parse_id(workflow_id)
    row = one_row(_LIVE, {"tenant": tenant.id, "id": identifier}) if identifier else None
    if row is None:
        raise NotFound("there is no such workflow")
    workflow = Workflow.from_db(DEFAULT_DB_ALIAS, _OF_WORKFLOW, row[: len(_OF_WORKFLOW)])
    *of_version, now = row[len(_OF_WORKFLOW) + len(_OF_AGENT) :]
    if workflow.live_version_id is not None:
        workflow.live_version = WorkflowVersion.from_db(DEFAULT_DB_ALIAS, _OF_VERSION, of_version)
    agent = Agent.from_db(DEFAULT_DB_ALIAS, _OF_AGENT, row[len(_OF_WORKFLOW) :][: len(_OF_AGENT)])
    return Live(live_version_of(workflow), agent, now)


_OF_WORKFLOW = ("id", "tenant_id", "name", "archived_at", "paused_at", "live_version_id")
_OF_AGENT = ("id", "tenant_id", "name", "actions", "status")
_OF_VERSION = ("id", "workflow_id", "version", "digest")
_LIVE = f"""
SELECT {", ".join(f"w.{name}" for name in _OF_WORKFLOW)},
  {", ".join(f"a.{name}" for name in _OF_AGENT)},
  {", ".join(f"v.{name}" for name in _OF_VERSION)}, clock_timestamp()
FROM workflows_workflow w
JOIN tenants_agent a ON a.id = COALESCE(w.default_agent_id,
  (SELECT d.id FROM tenants_agent d WHERE d.tenant_id = w.tenant_id AND d.name = '{Agent.DEFAULT_NAME}'))
LEFT JOIN workflows_workflowversion v ON v.id = w.live_version_id
WHERE w.id = %(id)s AND w.tenant_id = %(tenant)s"""
