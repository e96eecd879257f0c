"""Workflows, written: the only place that makes, publishes, pauses or removes one.

Each function locks the workflow's row first (FOR NO KEY UPDATE: executions that refer to it are not blocked), so two
at once follow each other, and each either does all it says or raises and changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from contract import json_values
from contract.identifiers import parse_id
from contract.json_values import JSON
from contract.problems import Conflict, FieldProblem, InvalidInput, NotFound, UnknownReference
from tenants.models import Tenant
from tenants.sealing import Purpose, seal
from workflows import catalog, versions
from workflows.definition import digest, parse_definition
from workflows.masking import mask
from workflows.models import Workflow, WorkflowVersion
from workflows.spec import Spec

ANSWERED_ONLY: Final = frozenset(
    {"id", "workflow_id", "status", "digest", "draft_version", "created_at", "published_at", "live"}
)
"""Members that only answers have; a PUT may carry them, so that what was got can be put back."""


@dataclass(frozen=True, slots=True)
class Written:
    """A definition that was found valid: as it came, and compiled."""

    raw: dict[str, JSON]
    spec: Spec


def read_definition(body: JSON, ignored: Collection[str] = ()) -> Written:
    """The definition in `body`. Raises DefinitionInvalid with every problem it has."""
    raw = {name: value for name, value in body.items() if name not in ignored} if isinstance(body, dict) else body
    return Written(raw, parse_definition(raw))


def create(tenant: Tenant, written: Written) -> Workflow:
    """A new workflow with this definition as its draft. Raises Conflict if the name is taken."""
    with transaction.atomic():
        workflow = Workflow(tenant=tenant, name=written.spec.name)
        _save(workflow, force_insert=True)
        _open_draft(workflow, written, written.spec.version)
    return catalog.workflow_of(tenant, workflow.id)


def put(tenant: Tenant, workflow_id: str | UUID, written: Written) -> Workflow:
    """The workflow with this definition as its one draft. Raises NotFound, InvalidInput, Conflict."""
    with transaction.atomic():
        workflow = _locked(tenant, workflow_id)
        version = _draft_version(workflow, written)
        if workflow.live_version is None:
            workflow.name = written.spec.name
            _save(workflow)
        else:
            _refuse_taken_name(workflow, written.spec.name)
        _open_draft(workflow, written, version)
    return catalog.workflow_of(tenant, workflow.id)


def publish(tenant: Tenant, workflow_id: str | UUID) -> Workflow:
    """The workflow with its draft as the live version. Raises NotFound, Conflict."""
    with transaction.atomic():
        workflow = _locked(tenant, workflow_id)
        draft = workflow.draft_version
        if draft is None:
            raise Conflict("there is no draft to publish", reason="no_draft")
        workflow.versions.filter(id=draft.id, published_at__isnull=True).update(published_at=Now())
        workflow.draft_version = None
        _make_live(workflow, draft)
    return catalog.workflow_of(tenant, workflow.id)


def rollback(tenant: Tenant, workflow_id: str | UUID, version: str) -> Workflow:
    """The workflow with an earlier published version live again. Raises NotFound, UnknownReference, Conflict."""
    with transaction.atomic():
        workflow = _locked(tenant, workflow_id)
        earlier = workflow.versions.filter(version=version, published_at__isnull=False).first()
        if earlier is None:
            message = "there is no published version with this number"
            raise UnknownReference(message, fields=[FieldProblem("/version", "not_found", message)])
        if earlier == workflow.live_version:
            raise Conflict("this version is live", reason="already_live")
        _make_live(workflow, earlier)
    return catalog.workflow_of(tenant, workflow.id)


def pause(tenant: Tenant, workflow_id: str | UUID) -> Workflow:
    """The workflow, starting no execution until it is resumed. Raises NotFound, Conflict unless it is published."""
    return _move(tenant, workflow_id, "published", paused_at=Now())


def resume(tenant: Tenant, workflow_id: str | UUID) -> Workflow:
    """The workflow, starting executions again. Raises NotFound, Conflict unless it is paused."""
    return _move(tenant, workflow_id, "paused", paused_at=None)


def archive(tenant: Tenant, workflow_id: str | UUID) -> Workflow:
    """The workflow, out of use for good; its name is free again. Raises NotFound, Conflict if it is so already."""
    with transaction.atomic():
        workflow = _locked(tenant, workflow_id)
        _update(workflow, archived_at=Now())
    return catalog.workflow_of(tenant, workflow.id)


def delete(tenant: Tenant, workflow_id: str | UUID) -> None:
    """Removes a workflow that was never published; archives any other. Raises NotFound."""
    with transaction.atomic():
        workflow = _locked(tenant, workflow_id, archived_too=True)
        if workflow.live_version is None:
            workflow.delete()
        elif workflow.archived_at is None:
            _update(workflow, archived_at=Now())


def unsaved(workflow: Workflow, written: Written, version: str, base: JSON = None) -> WorkflowVersion:
    """A version that is not stored yet; `***` keeps the secret that `base` has there. Raises InvalidInput."""
    masked = mask({**written.raw, "version": version}, base)
    if masked.problems:
        raise InvalidInput(masked.problems[0].message, fields=masked.problems)
    return _row(workflow, written.spec, version, masked.definition, seal(masked.secrets, Purpose.DEFINITION))


def _locked(tenant: Tenant, workflow_id: str | UUID, *, archived_too: bool = False) -> Workflow:
    identifier = parse_id(workflow_id)
    rows = Workflow.objects.select_for_update(no_key=True, of=("self",)).select_related("live_version", "draft_version")
    workflow = rows.filter(tenant=tenant, id=identifier).first() if identifier else None
    if workflow is None:
        raise NotFound("there is no such workflow")
    if workflow.archived_at is not None and not archived_too:
        raise Conflict("the workflow is archived", reason="workflow_archived")
    return workflow


def _move(tenant: Tenant, workflow_id: str | UUID, wanted: str, **changes: Any) -> Workflow:
    with transaction.atomic():
        workflow = _locked(tenant, workflow_id)
        if workflow.status != wanted:
            raise Conflict(f"the workflow is {workflow.status}, not {wanted}", reason=f"workflow_not_{wanted}")
        _update(workflow, **changes)
    return catalog.workflow_of(tenant, workflow.id)


def _draft_version(workflow: Workflow, written: Written) -> str:
    """The number of the draft that `written` becomes. Raises Conflict unless it is above all that were published."""
    published = list(workflow.versions.filter(published_at__isnull=False).values_list("version", flat=True))
    given = written.raw.get("version")
    if given is None:
        live = workflow.live_version
        return written.spec.version if live is None else versions.next_patch(live.version, published)
    if not versions.is_above_all(written.spec.version, published):
        message = f"version {given} is not above all that were published"
        fields = [FieldProblem("/version", "version_not_above", message)]
        raise Conflict(message, reason="version_not_above", fields=fields)
    return written.spec.version


def _open_draft(workflow: Workflow, written: Written, version: str) -> None:
    base = workflow.draft_version or workflow.live_version
    draft = unsaved(workflow, written, version, None if base is None else catalog.whole_definition(base))
    workflow.versions.filter(published_at__isnull=True).delete()
    draft.save(force_insert=True)
    _update(workflow, draft_version=draft)


def _row(workflow: Workflow, spec: Spec, version: str, definition: JSON, sealed: str) -> WorkflowVersion:
    price = spec.price
    amount, currency, refund = (price.amount, price.currency, price.refund.value) if price else (None, None, None)
    return WorkflowVersion(
        workflow=workflow,
        name=spec.name,
        version=version,
        description=spec.description,
        definition=json_values.dump(definition),
        digest=digest(definition),
        sealed=sealed,
        price_amount=amount,
        price_currency=currency,
        price_refund=refund,
        timeout_seconds=spec.timeout_seconds,
        visibility=spec.visibility.value,
    )


def _make_live(workflow: Workflow, version: WorkflowVersion) -> None:
    workflow.live_version = version
    workflow.name = version.name
    _save(workflow)


def _refuse_taken_name(workflow: Workflow, name: str) -> None:
    """Early, for the author's sake; what keeps names unique is the constraint, when the draft is published."""
    others = Workflow.objects.filter(tenant_id=workflow.tenant_id, name=name, archived_at__isnull=True)
    if others.exclude(id=workflow.id).exists():
        raise _name_taken(name)


def _update(workflow: Workflow, **changes: Any) -> None:
    Workflow.objects.filter(id=workflow.id).update(**changes)


def _save(workflow: Workflow, *, force_insert: bool = False) -> None:
    try:
        with transaction.atomic():
            workflow.save(force_insert=force_insert)
    except IntegrityError as error:
        if "workflow_name_is_unique" not in str(error):
            raise
        raise _name_taken(workflow.name) from error


def _name_taken(name: str) -> Conflict:
    message = f"another workflow is named {name!r}"
    return Conflict(message, reason="name_taken", fields=[FieldProblem("/name", "name_taken", message)])
