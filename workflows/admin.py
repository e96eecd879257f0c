"""The admin's windows on workflows, their versions and templates."""

from __future__ import annotations

from django.contrib import admin
from unfold.admin import TabularInline

from tenants.admin import ReadOnlyAdmin
from workflows.models import Template, Workflow, WorkflowVersion


class VersionInline(TabularInline):  # type: ignore[misc]
    """A workflow's versions."""

    model = WorkflowVersion
    fields = ("version", "published_at", "digest", "price_amount", "price_currency", "visibility", "created_at")
    readonly_fields = fields
    extra = 0
    can_delete = False
    show_change_link = True


@admin.register(Workflow)
class WorkflowAdmin(ReadOnlyAdmin):
    """Workflows with their versions."""

    list_display = ("name", "tenant", "status", "live_version", "draft_version", "created_at")
    list_filter = ("tenant",)
    list_select_related = ("tenant", "live_version", "draft_version")
    search_fields = ("name", "id")
    inlines = (VersionInline,)


@admin.register(WorkflowVersion)
class WorkflowVersionAdmin(ReadOnlyAdmin):
    """Versions; secrets show as ***, for so they are stored."""

    list_display = ("workflow", "version", "published_at", "digest", "created_at")
    list_filter = ("visibility",)
    list_select_related = ("workflow",)
    search_fields = ("digest", "workflow__name")
    exclude = ("sealed",)


@admin.register(Template)
class TemplateAdmin(ReadOnlyAdmin):
    """Templates, the deleted ones too."""

    list_display = ("name", "short_id", "tenant", "workflow", "status", "created_at", "deleted_at")
    list_filter = ("status", "tenant")
    list_select_related = ("tenant", "workflow")
    search_fields = ("name", "short_id", "id")
