"""The Django app of what is described."""

from __future__ import annotations

from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    """`workflows` as an app."""

    name = "workflows"
