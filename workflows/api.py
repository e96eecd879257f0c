"""/v1/workflows: definitions and their life cycle, in the workflow dialect. Executing one is the executions' room."""

from __future__ import annotations

from functools import partial

from contract import json_values
from contract.answers import created, gone, pages, shown
from contract.http import DEFINITION_LIMIT, Answer
from contract.json_values import JSON
from contract.queries import listing
from contract.schema import JSON_VALUE
from contract.shapes import Shape, Text
from contract.timestamps import wire
from tenants.door import Door, takes
from workflows import authoring, catalog
from workflows.answers import (
    DEFINITION,
    PUT_DEFINITION,
    VALIDITY,
    VERSION,
    VERSION_SUMMARY,
    WORKFLOW,
    WORKFLOW_SUMMARY,
)
from workflows.authoring import ANSWERED_ONLY, read_definition
from workflows.definition import DefinitionInvalid
from workflows.models import Workflow, WorkflowVersion


class Rollback(Shape):
    """The body of POST /v1/workflows/{id}/rollback."""

    version = Text()


class WorkflowDoor(Door):
    """Workflows of the caller's tenant."""

    @takes("workflows:read", query=listing(), answers=pages(WORKFLOW_SUMMARY))
    def index(self) -> Answer:
        """Newest first, archived ones too, without their definitions."""
        return self.page(self.newest_first(catalog.listed_workflows(self.tenant), self.query.window), summary)

    @takes(
        "workflows:write",
        body=read_definition,
        shape=DEFINITION,
        limit=DEFINITION_LIMIT,
        answers=created(WORKFLOW),
    )
    def create(self) -> Answer:
        """A new one, as a draft."""
        workflow = authoring.create(self.tenant, self.input)
        return self.created(show(workflow), f"/v1/workflows/{workflow.id}")

    @takes("workflows:read", answers=shown(WORKFLOW))
    def show(self, workflow_id: str) -> Answer:
        """The live version or, never published, the draft."""
        return self.ok(show(catalog.workflow_of(self.tenant, workflow_id)))

    @takes(
        "workflows:write",
        body=partial(read_definition, ignored=ANSWERED_ONLY),
        shape=PUT_DEFINITION,
        limit=DEFINITION_LIMIT,
        answers=shown(WORKFLOW),
    )
    def replace(self, workflow_id: str) -> Answer:
        """Replaces or opens the draft, and answers with it."""
        workflow = authoring.put(self.tenant, workflow_id, self.input)
        return self.ok(show(workflow, workflow.draft_version))

    @takes("workflows:write", answers=gone())
    def remove(self, workflow_id: str) -> Answer:
        """Gone if it was never published, else archived."""
        authoring.delete(self.tenant, workflow_id)
        return self.gone()

    @takes(
        "workflows:write",
        body=lambda body: body,
        shape=JSON_VALUE,
        limit=DEFINITION_LIMIT,
        keyless=True,
        answers=shown(VALIDITY, "Whether it is valid, and all that is wrong with it."),
    )
    def validate(self) -> Answer:
        """Whether the body is a definition, and everything that is wrong with it."""
        try:
            read_definition(self.body)
        except DefinitionInvalid as refusal:
            errors = [{"field": p.field, "code": p.code, "message": p.message} for p in refusal.fields]
            return self.ok({"valid": False, "errors": errors})
        return self.ok({"valid": True, "errors": []})

    @takes("workflows:publish", answers=shown(WORKFLOW))
    def publish(self, workflow_id: str) -> Answer:
        """The draft becomes the live version."""
        return self.ok(show(authoring.publish(self.tenant, workflow_id)))

    @takes("workflows:publish", body=Rollback.read, answers=shown(WORKFLOW))
    def rollback(self, workflow_id: str) -> Answer:
        """An earlier published version is live again."""
        return self.ok(show(authoring.rollback(self.tenant, workflow_id, self.input["version"])))

    @takes("workflows:write", answers=shown(WORKFLOW))
    def archive(self, workflow_id: str) -> Answer:
        """Out of use for good."""
        return self.ok(show(authoring.archive(self.tenant, workflow_id)))

    @takes("workflows:write", answers=shown(WORKFLOW))
    def pause(self, workflow_id: str) -> Answer:
        """No execution starts."""
        return self.ok(show(authoring.pause(self.tenant, workflow_id)))

    @takes("workflows:write", answers=shown(WORKFLOW))
    def resume(self, workflow_id: str) -> Answer:
        """Executions start again."""
        return self.ok(show(authoring.resume(self.tenant, workflow_id)))


class VersionDoor(Door):
    """Versions of one workflow."""

    @takes("workflows:read", query=listing(), answers=pages(VERSION_SUMMARY))
    def index(self, workflow_id: str) -> Answer:
        """Newest first, the draft too, without their definitions."""
        workflow = catalog.workflow_of(self.tenant, workflow_id)
        page = self.newest_first(catalog.versions_of(workflow), self.query.window)
        return self.page(page, partial(version_summary, workflow))

    @takes("workflows:read", answers=shown(VERSION))
    def show(self, workflow_id: str, version: str) -> Answer:
        """One, with its definition."""
        workflow = catalog.workflow_of(self.tenant, workflow_id)
        row = catalog.version_of(workflow, version)
        return self.ok({**_definition(row), **version_summary(workflow, row)})


def show(workflow: Workflow, version: WorkflowVersion | None = None) -> JSON:
    """A workflow with the definition of `version`, left out: of the version that stands for it."""
    version = version or catalog.shown_version(workflow)
    return {**_definition(version), **summary(workflow, version)}


def summary(workflow: Workflow, version: WorkflowVersion | None = None) -> dict[str, JSON]:
    """A workflow without its definition."""
    version = version or catalog.shown_version(workflow)
    return {
        "id": str(workflow.id),
        "workflow_id": str(workflow.id),
        "name": version.name,
        "description": version.description or None,
        "version": version.version,
        "status": workflow.status,
        "digest": version.digest,
        "draft_version": workflow.draft_version and workflow.draft_version.version,
        "created_at": wire(workflow.created_at),
        "published_at": wire(version.published_at),
    }


def version_summary(workflow: Workflow, version: WorkflowVersion) -> dict[str, JSON]:
    """A version without its definition; `status` is draft or published, `live` whether executions take it."""
    return {
        "id": str(version.id),
        "workflow_id": str(workflow.id),
        "name": version.name,
        "description": version.description or None,
        "version": version.version,
        "status": "draft" if version.published_at is None else "published",
        "live": version.id == workflow.live_version_id,
        "digest": version.digest,
        "created_at": wire(version.created_at),
        "published_at": wire(version.published_at),
    }


def _definition(version: WorkflowVersion) -> dict[str, JSON]:
    stored: dict[str, JSON] = json_values.load(version.definition)
    return {**dict.fromkeys(_OPTIONAL_MEMBERS), **stored, "visibility": version.visibility}


_OPTIONAL_MEMBERS = ("input_schema", "output", "price", "timeout_seconds", "triggers", "concurrency", "priority")
