"""Templates, written: the only place that makes, changes or deletes one."""

from __future__ import annotations

from typing import Any

from django.db.models.functions import Now

from contract import json_values
from contract.problems import FieldProblem, NotFound, UnknownReference
from tenants.models import Tenant
from workflows import catalog
from workflows.models import Template, Workflow


def create(tenant: Tenant, members: dict[str, Any]) -> Template:
    """A new template. Raises UnknownReference where `workflow_id` names no published workflow."""
    return Template.objects.create(tenant=tenant, **_columns(tenant, members))


def replace(tenant: Tenant, template_id: str, members: dict[str, Any]) -> Template:
    """The template with these members instead of its own. Raises NotFound, UnknownReference."""
    template = catalog.template_of(tenant, template_id)
    _change(tenant, template, **_columns(tenant, members))
    return catalog.template_of(tenant, template.id)


def delete(tenant: Tenant, template_id: str) -> None:
    """Out of use; executions that came of it keep it. Raises NotFound."""
    _change(tenant, catalog.template_of(tenant, template_id), deleted_at=Now())


def _change(tenant: Tenant, template: Template, **columns: Any) -> None:
    if not catalog.templates_of(tenant).filter(id=template.id).update(updated_at=Now(), **columns):
        raise NotFound("there is no such template")


def _columns(tenant: Tenant, members: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": members["name"],
        "description": members["description"],
        "workflow": _published_workflow(tenant, members["workflow_id"]),
        "input": json_values.dump(members["input"]),
        "outcome": members["outcome"],
        "status": members["status"],
    }


def _published_workflow(tenant: Tenant, workflow_id: str) -> Workflow:
    try:
        workflow = catalog.workflow_of(tenant, workflow_id)
    except NotFound as refusal:
        raise _refused("there is no such workflow") from refusal
    if workflow.status not in {"published", "paused"}:
        raise _refused(f"the workflow is not published: its status is {workflow.status}")
    return workflow


def _refused(message: str) -> UnknownReference:
    return UnknownReference(message, fields=[FieldProblem("/workflow_id", "not_found", message)])
