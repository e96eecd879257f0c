"""Workflows, versions and templates, read: always by tenant, except where the engine already holds a version's id."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

from django.db.models import QuerySet

from contract import json_values
from contract.identifiers import parse_id
from contract.json_values import JSON
from contract.problems import Conflict, FieldProblem, NotFound, UnknownReference
from tenants.models import Tenant
from tenants.sealing import Purpose, unseal
from workflows.definition import parse_definition
from workflows.masking import unmask
from workflows.models import Template, Workflow, WorkflowVersion
from workflows.names import SEMVER
from workflows.patches import apply_parameters
from workflows.spec import Runnable, Spec, Visibility

_BULKY = ("definition", "sealed")
_SPECS_KEPT = 256


def workflows_of(tenant: Tenant) -> QuerySet[Workflow]:
    """Every workflow of the tenant with its live and its draft version, their definitions left in the database."""
    rows = Workflow.objects.filter(tenant=tenant).select_related("live_version", "draft_version")
    return rows.defer(*(f"{which}__{column}" for which in ("live_version", "draft_version") for column in _BULKY))


def listed_workflows(tenant: Tenant) -> QuerySet[Workflow]:
    """Those that have a name: the definitions that came with a call to run them are left out."""
    return workflows_of(tenant).filter(inline_key__isnull=True)


def workflow_of(tenant: Tenant, workflow_id: str | UUID) -> Workflow:
    """The workflow with this id. Raises NotFound."""
    identifier = parse_id(workflow_id)
    workflow = workflows_of(tenant).filter(id=identifier).first() if identifier else None
    if workflow is None:
        raise NotFound("there is no such workflow")
    return workflow


def live_version(tenant: Tenant, workflow_id: str | UUID) -> WorkflowVersion:
    """The version that an execution takes now, its `workflow` at hand, its definition left in the database.

    Raises NotFound; Conflict with the reason workflow_archived, workflow_not_published or workflow_paused.
    """
    return live_version_of(workflow_of(tenant, workflow_id))


def live_version_of(workflow: Workflow) -> WorkflowVersion:
    """As live_version, of a workflow at hand."""
    if workflow.live_version is None or workflow.status != "published":
        state = {"draft": "not published"}.get(workflow.status, workflow.status)
        raise Conflict(f"the workflow is {state}", reason=f"workflow_{state.replace(' ', '_')}")
    workflow.live_version.workflow = workflow
    return workflow.live_version


def named_version(tenant: Tenant, named: str, version: str | None) -> WorkflowVersion:
    """The version that a step names: of the workflow with this id or name, the live one or one that was published.

    Raises NotFound, and Conflict as live_version does.
    """
    by_name = workflows_of(tenant).filter(name=named, archived_at__isnull=True).first()
    live = live_version(tenant, by_name.id if by_name is not None else named)
    if version is None or live.version == version:
        return live
    found = version_of(live.workflow, version)
    if found.published_at is None:
        raise NotFound("there is no such published version")
    return found


def public_workflow(workflow_id: str) -> Workflow:
    """The workflow with this id, whosever it is, if its live version is open to everybody. Raises NotFound."""
    identifier = parse_id(workflow_id)
    rows = Workflow.objects.select_related("tenant", "live_version", "default_agent")
    rows = rows.defer(*(f"live_version__{column}" for column in _BULKY))
    public = rows.filter(live_version__visibility=Visibility.PUBLIC_EXECUTE.value)
    found = public.filter(id=identifier).first() if identifier else None
    if found is None:
        raise NotFound("there is no such workflow")
    return found


def shown_version(workflow: Workflow) -> WorkflowVersion:
    """The version that stands for the workflow: the live one or, where none was published, the draft."""
    version = workflow.live_version or workflow.draft_version
    assert version is not None, "a workflow that was never published has a draft"
    return version


def versions_of(workflow: Workflow) -> QuerySet[WorkflowVersion]:
    """Its versions, the draft too, their definitions left in the database."""
    return workflow.versions.defer(*_BULKY)


def version_of(workflow: Workflow, version: str) -> WorkflowVersion:
    """The version with this number, published or draft. Raises NotFound."""
    row = workflow.versions.filter(version=version).first() if SEMVER.match(version) else None
    if row is None:
        raise NotFound("there is no such version")
    return row


def whole_definition(version: WorkflowVersion) -> JSON:
    """The definition with its secrets. Never to be shown."""
    return unmask(json_values.load(version.definition), unseal(version.sealed, Purpose.DEFINITION))


@lru_cache(maxsize=_SPECS_KEPT)
def spec_of(version_id: UUID) -> Spec:
    """The compiled definition, secrets included; a version never changes, so neither does this. Raises NotFound."""
    version = WorkflowVersion.objects.filter(id=version_id).first()
    if version is None:
        raise NotFound("there is no such version")
    return parse_definition(whole_definition(version))


@lru_cache(maxsize=_SPECS_KEPT)
def runnable_of(version_id: UUID, parameters: str) -> Runnable:
    """The version with these parameters (JSON text). Raises NotFound; ParametersInvalid with every problem."""
    return with_parameters(spec_of(version_id), json_values.load(parameters))


def with_parameters(spec: Spec, given: dict[str, JSON]) -> Runnable:
    """The spec with these parameters. Raises ParametersInvalid with every problem."""
    return Runnable(*apply_parameters(spec.raw, given)) if given else Runnable(spec, {})


def templates_of(tenant: Tenant) -> QuerySet[Template]:
    """Every template that was not deleted, drafts too."""
    return Template.objects.filter(tenant=tenant, deleted_at__isnull=True).select_related("workflow")


def template_of(tenant: Tenant, template_id: str | UUID) -> Template:
    """The template with this id. Raises NotFound, for a deleted one too."""
    identifier = parse_id(template_id)
    template = templates_of(tenant).filter(id=identifier).first() if identifier else None
    if template is None:
        raise NotFound("there is no such template")
    return template


def executable_template(
    tenant: Tenant, template_id: str, field: str = "/template_id"
) -> tuple[Template, WorkflowVersion]:
    """The template that a body names, and the version it runs now.

    Raises UnknownReference naming `field` where it is unknown, deleted, a draft, or its workflow not executable.
    """
    try:
        template = template_of(tenant, template_id)
        if template.status != Template.PUBLISHED:
            raise Conflict("the template is a draft")
        return template, live_version(tenant, template.workflow_id)
    except (NotFound, Conflict) as refusal:
        problem = FieldProblem(field, refusal.reason, refusal.message)
        raise UnknownReference(refusal.message, reason="template_not_executable", fields=[problem]) from refusal
