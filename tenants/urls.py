"""The paths of this room."""

from __future__ import annotations

from django.urls import path

from tenants.api import AgentDoor, ApiKeyDoor, MeDoor
from tenants.secrets_api import SecretDoor

urlpatterns = [
    path("v1/me", MeDoor.as_view({"get": "show"})),
    path("v1/api-keys", ApiKeyDoor.as_view({"get": "index", "post": "create"})),
    path("v1/api-keys/<str:key_id>", ApiKeyDoor.as_view({"get": "show"})),
    *[path(f"v1/api-keys/<str:key_id>/{verb}", ApiKeyDoor.as_view({"post": verb})) for verb in ("rotate", "revoke")],
    path("v1/secrets", SecretDoor.as_view({"get": "index"})),
    path("v1/secrets/<str:name>", SecretDoor.as_view({"put": "write", "delete": "destroy"})),
    path("v1/agents", AgentDoor.as_view({"get": "index", "post": "create"})),
    path("v1/agents/<str:agent_id>", AgentDoor.as_view({"get": "show"})),
    *[
        path(f"v1/agents/<str:agent_id>/{verb}", AgentDoor.as_view({"post": verb}))
        for verb in ("suspend", "activate", "revoke")
    ],
]
