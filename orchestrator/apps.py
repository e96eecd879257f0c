"""The orchestrator: what drives executions. Importing the shipped tools registers them."""

from __future__ import annotations

from django.apps import AppConfig

from orchestrator.actions import tools

__all__ = ["OrchestratorConfig", "tools"]


class OrchestratorConfig(AppConfig):
    name = "orchestrator"
    default_auto_field = "django.db.models.BigAutoField"
