"""The admin's windows on tenants, keys, agents and idempotent answers."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from tenants import registry
from tenants.models import Agent, ApiKey, IdempotentRequest, Tenant


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]
    """A window: nothing is added, changed or deleted but by a service."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Nobody."""
        return False


@admin.register(Tenant)
class TenantAdmin(ReadOnlyAdmin):
    """Tenants are made by `create_tenant`, because each needs its default agent."""

    list_display = ("slug", "name", "id", "created_at")
    search_fields = ("slug", "name", "id")


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Keys, without what would open anything."""

    list_display = ("prefix", "name", "tenant", "scopes", "last_used_at", "expires_at", "revoked_at")
    list_filter = ("tenant",)
    list_select_related = ("tenant",)
    search_fields = ("name", "prefix")
    exclude = ("hash",)
    actions = ("revoke",)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Those who may change keys."""
        return request.user.has_perm("tenants.change_apikey")

    @admin.action(description="Revoke the chosen keys", permissions=("revoke",))
    def revoke(self, request: HttpRequest, rows: QuerySet[ApiKey]) -> None:
        """Through the service."""
        for key in rows.select_related("tenant"):
            registry.revoke_key(key.tenant, str(key.id))
        self.message_user(request, "Revoked.")


@admin.register(Agent)
class AgentAdmin(ReadOnlyAdmin):
    """Agents."""

    list_display = ("name", "tenant", "status", "actions", "created_at")
    list_filter = ("status", "tenant")
    list_select_related = ("tenant",)
    search_fields = ("name", "id")


@admin.register(IdempotentRequest)
class IdempotentRequestAdmin(ReadOnlyAdmin):
    """Answers kept for a repeat."""

    list_display = ("tenant", "method", "path", "key", "status", "created_at")
    list_filter = ("tenant",)
    list_select_related = ("tenant",)
    search_fields = ("key", "path")
