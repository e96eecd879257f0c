"""The paths of this room."""

from __future__ import annotations

from django.urls import path

from workflows.api import VersionDoor, WorkflowDoor

_ONE = "v1/workflows/<str:workflow_id>"

urlpatterns = [
    path("v1/workflows", WorkflowDoor.as_view({"get": "index", "post": "create"})),
    path("v1/workflows/validate", WorkflowDoor.as_view({"post": "validate"})),
    path(_ONE, WorkflowDoor.as_view({"get": "show", "put": "replace", "delete": "remove"})),
    path(f"{_ONE}/versions", VersionDoor.as_view({"get": "index"})),
    path(f"{_ONE}/versions/<str:version>", VersionDoor.as_view({"get": "show"})),
    *[
        path(f"{_ONE}/{verb}", WorkflowDoor.as_view({"post": verb}))
        for verb in ("publish", "rollback", "archive", "pause", "resume")
    ],
]
