"""The window on how long payloads are kept. It is set by the API, and payloads are dropped on an execution's page."""

from __future__ import annotations

from django.contrib import admin

from executions.admin.windows import EngineAdmin
from executions.models import Retention


@admin.register(Retention)
class RetentionAdmin(EngineAdmin):
    """What tenants and workflows say."""

    list_display = ("tenant", "workflow", "payload_days")
    list_filter = ("tenant",)
    list_select_related = ("tenant", "workflow")
    fields = ("tenant", "workflow", "payload_days")
    ordering = ("-id",)
