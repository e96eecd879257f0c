"""Executions: what was asked for, where it stands, what happened."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from executions.streaming.restoring import settle_restored_events


class ExecutionsConfig(AppConfig):
    name = "executions"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Has every migration look whether the database was restored from another server's dump."""
        post_migrate.connect(settle_restored_events, sender=self)
