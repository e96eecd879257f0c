"""The admin's windows on tenants, keys, agents and idempotent answers; trusted issuers and secrets are made here."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextareaWidget

from contract.problems import InvalidInput
from tenants import jwks, registry, secrets
from tenants.models import Agent, ApiKey, IdempotentRequest, Secret, Tenant, TrustedIssuer


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


class RateLimitAdmin(ReadOnlyAdmin):
    """A window in which one thing may be changed: the rate limit."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Those whom Django's permissions allow it."""
        return bool(ModelAdmin.has_change_permission(self, request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:  # noqa: ARG002
        """All but the rate limit."""
        return [field.name for field in self.opts.fields if field.name != "rate_limit_per_minute"]


@admin.register(Tenant)
class TenantAdmin(RateLimitAdmin):
    """Tenants are made by `create_tenant`, because each needs its default agent."""

    list_display = ("slug", "name", "rate_limit_per_minute", "id", "created_at")
    search_fields = ("slug", "name", "id")


@admin.register(ApiKey)
class ApiKeyAdmin(RateLimitAdmin):
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
            self.log_change(request, key, "Revoked.")
        self.message_user(request, "Revoked.")


class TrustedIssuerForm(forms.ModelForm):  # type: ignore[type-arg]
    """The row, its algorithms as boxes to tick."""

    algorithms = forms.MultipleChoiceField(
        choices=[(word, word) for word in jwks.ALGORITHMS],
        initial=jwks.ALGORITHMS,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text=TrustedIssuer._meta.get_field("algorithms").help_text,
    )


@admin.register(TrustedIssuer)
class TrustedIssuerAdmin(ModelAdmin):  # type: ignore[misc]
    """Who vouches for users. What is changed or deleted here counts from the next request on."""

    form = TrustedIssuerForm
    list_display = ("issuer", "audience", "tenant", "algorithms", "scopes", "rate_limit_per_minute", "created_at")
    list_filter = ("tenant",)
    list_select_related = ("tenant",)
    search_fields = ("issuer", "audience")


@admin.register(Agent)
class AgentAdmin(ReadOnlyAdmin):
    """Agents."""

    list_display = ("name", "tenant", "status", "actions", "created_at")
    list_filter = ("status", "tenant")
    list_select_related = ("tenant",)
    search_fields = ("name", "id")


class _WriteOnly(UnfoldAdminTextareaWidget):  # type: ignore[misc]
    """A field that is never filled in by us, not even with what was just refused."""

    def format_value(self, value: Any) -> str:  # noqa: ARG002
        return ""


class SecretForm(forms.ModelForm):  # type: ignore[type-arg]
    """The row, its value to be written and never read."""

    value = forms.CharField(
        strip=False, widget=_WriteOnly(), help_text="The new value. What is set cannot be seen here or anywhere."
    )

    def clean_value(self) -> str:
        """The text, with the line ends that it had before a browser sent it."""
        try:
            return secrets.checked_value(self.cleaned_data["value"].replace("\r\n", "\n"))
        except InvalidInput as error:
            raise forms.ValidationError(error.message) from error


@admin.register(Secret)
class SecretAdmin(ModelAdmin):  # type: ignore[misc]
    """Names of secrets; new values."""

    form = SecretForm
    list_display = ("name", "tenant", "version", "updated_at", "last_used_at")
    list_filter = ("tenant",)
    list_select_related = ("tenant",)
    search_fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Secret]:
        """Without what is sealed."""
        return super().get_queryset(request).defer("sealed")  # type: ignore[no-any-return]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:  # noqa: ARG002
        """Whose it is and what it is called, once it is."""
        return [] if obj is None else ["tenant", "name", "version", "created_at", "updated_at", "last_used_at"]

    def save_model(self, request: HttpRequest, obj: Secret, form: Any, change: bool) -> None:  # noqa: ARG002
        """Through the service."""
        obj.pk = secrets.put(obj.tenant, obj.name, form.cleaned_data["value"]).pk


@admin.register(IdempotentRequest)
class IdempotentRequestAdmin(ReadOnlyAdmin):
    """Answers kept for a repeat."""

    list_display = ("tenant", "method", "path", "key", "status", "created_at")
    list_filter = ("tenant",)
    list_select_related = ("tenant",)
    search_fields = ("key", "path")
