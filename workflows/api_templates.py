"""/api/v2/data_orchestration/templates: templates, in the data orchestration dialect."""

from __future__ import annotations

from typing import Any

from contract import json_values
from contract.answers import created, gone, pages, shown
from contract.http import Answer
from contract.json_values import JSON
from contract.queries import listing
from contract.shapes import ALLOWED, Anything, Shape, Text, Whole
from contract.timestamps import wire
from tenants.door import Door, takes
from workflows import bindings, catalog, template_authoring
from workflows.answers import TEMPLATE
from workflows.models import Template

PATH = "/api/v2/data_orchestration/templates"


class WriteTemplate(Shape):
    """The body of POST and PUT."""

    name = Text()
    description = Text(required=False, default="", longest=10_000, empty=ALLOWED)
    workflow_id = Text()
    input = Anything(allow_null=True)
    outcome = Text(longest=10_000)
    status = Whole(low=Template.DRAFT, high=Template.PUBLISHED, required=False, default=Template.PUBLISHED)


class PutTemplate(WriteTemplate):
    """The body of PUT: what was got can be put back."""

    ignored = frozenset({"id", "short_id", "workflow", "trigger", "created_at", "updated_at", "deleted_at"})


def read_new(body: JSON) -> dict[str, Any]:
    """The members of a POST. Raises InvalidInput, for an expression that cannot be used too."""
    return _checked(WriteTemplate.read(body))


def read_put(body: JSON) -> dict[str, Any]:
    """The members of a PUT. Raises InvalidInput, for an expression that cannot be used too."""
    return _checked(PutTemplate.read(body))


class TemplateDoor(Door):
    """Templates of the caller's tenant."""

    @takes("templates:read", query=listing(), answers=pages(TEMPLATE))
    def index(self) -> Answer:
        """The published ones, newest first."""
        rows = catalog.templates_of(self.tenant).filter(status=Template.PUBLISHED)
        return self.page(self.newest_first(rows, self.query.window), show)

    @takes("templates:write", body=read_new, shape=WriteTemplate, answers=created(TEMPLATE))
    def create(self) -> Answer:
        """A new one."""
        template = template_authoring.create(self.tenant, self.input)
        return self.created(show(template), f"{PATH}/{template.id}")

    @takes("templates:read", answers=shown(TEMPLATE))
    def show(self, template_id: str) -> Answer:
        """One, a draft too."""
        return self.ok(show(catalog.template_of(self.tenant, template_id)))

    @takes("templates:write", body=read_put, shape=PutTemplate, answers=shown(TEMPLATE))
    def replace(self, template_id: str) -> Answer:
        """The same one with other members."""
        return self.ok(show(template_authoring.replace(self.tenant, template_id, self.input)))

    @takes("templates:write", answers=gone())
    def remove(self, template_id: str) -> Answer:
        """Out of use."""
        template_authoring.delete(self.tenant, template_id)
        return self.gone()


def show(template: Template) -> JSON:
    """A template on the wire. Nothing but a call starts one yet, so `trigger` is null."""
    return {
        "id": str(template.id),
        "short_id": template.short_id,
        "name": template.name,
        "description": template.description or None,
        "workflow_id": str(template.workflow_id),
        "workflow": [template.workflow.name],
        "input": json_values.load(template.input),
        "outcome": template.outcome,
        "trigger": None,
        "status": template.status,
        "created_at": wire(template.created_at),
        "updated_at": wire(template.updated_at),
        "deleted_at": wire(template.deleted_at),
    }


def _checked(members: dict[str, Any]) -> dict[str, Any]:
    bindings.check(members["input"], members["outcome"])
    return members
