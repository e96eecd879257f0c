"""Definitions that come with the call that runs them. Each is kept once, so that what ran can always be looked up.

It is a workflow that is archived from the start: it is in no list, and nobody runs or changes it by its id.
"""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.crypto import salted_hmac

from contract import json_values
from contract.json_values import JSON
from tenants.models import Tenant
from workflows import authoring, catalog
from workflows.models import Workflow, WorkflowVersion
from workflows.spec import Spec

NAME = "inline"


def definition(steps: JSON) -> dict[str, JSON]:
    """The definition that consists of these steps."""
    return {"name": NAME, "steps": steps}


def kept(tenant: Tenant, raw: dict[str, JSON]) -> WorkflowVersion:
    """The published version that holds this definition, found or made. Raises DefinitionInvalid, InvalidInput."""
    key = _key(raw)
    found = _found(tenant, key)
    if found is not None:
        return found
    written = authoring.read_definition(raw)
    try:
        with transaction.atomic():
            _keep(tenant, key, written)
    except IntegrityError as error:
        # The same definition came to another server at the same moment.
        if "workflow_inline_once" not in str(error):
            raise
    made = _found(tenant, key)
    assert made is not None, "it was kept, by us or by another"
    return made


def unkept(tenant: Tenant, raw: dict[str, JSON]) -> tuple[WorkflowVersion, Spec]:
    """What kept() would keep, and its spec; nothing is stored. Raises as kept() does."""
    written = authoring.read_definition(raw)
    return authoring.unsaved(Workflow(tenant=tenant, name=NAME), written, written.spec.version), written.spec


def _keep(tenant: Tenant, key: str, written: authoring.Written) -> None:
    workflow = Workflow.objects.create(tenant=tenant, name=NAME, inline_key=key, archived_at=Now())
    version = authoring.unsaved(workflow, written, written.spec.version)
    version.published_at = Now()
    version.save(force_insert=True)
    Workflow.objects.filter(id=workflow.id).update(live_version=version)


def _found(tenant: Tenant, key: str) -> WorkflowVersion | None:
    workflow = catalog.workflows_of(tenant).filter(inline_key=key).first()
    if workflow is None or workflow.live_version is None:
        return None
    workflow.live_version.workflow = workflow
    return workflow.live_version


def _key(raw: dict[str, JSON]) -> str:
    """Tells definitions apart, secrets included, and tells nothing of them."""
    return salted_hmac("workflows.inline", json_values.canonical(raw), algorithm="sha256").hexdigest()
