"""The paths of this room."""

from __future__ import annotations

from django.urls import path

from workflows.api import VersionDoor, WorkflowDoor
from workflows.api_templates import PATH as TEMPLATES
from workflows.api_templates import TemplateDoor

_WORKFLOW = "v1/workflows/<str:workflow_id>"
_TEMPLATES = TEMPLATES.lstrip("/")

urlpatterns = [
    path("v1/workflows", WorkflowDoor.as_view({"get": "index", "post": "create"})),
    path("v1/workflows/validate", WorkflowDoor.as_view({"post": "validate"})),
    path(_WORKFLOW, WorkflowDoor.as_view({"get": "show", "put": "replace", "delete": "remove"})),
    path(f"{_WORKFLOW}/versions", VersionDoor.as_view({"get": "index"})),
    path(f"{_WORKFLOW}/versions/<str:version>", VersionDoor.as_view({"get": "show"})),
    *[
        path(f"{_WORKFLOW}/{verb}", WorkflowDoor.as_view({"post": verb}))
        for verb in ("publish", "rollback", "archive", "pause", "resume")
    ],
    path(_TEMPLATES, TemplateDoor.as_view({"get": "index", "post": "create"})),
    path(
        f"{_TEMPLATES}/<str:template_id>",
        TemplateDoor.as_view({"get": "show", "put": "replace", "delete": "remove"}),
    ),
]
