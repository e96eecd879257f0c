"""The window on bundles of other installations: taken in by an upload, then looked at as an execution is."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldBooleanSwitchWidget,
)

from contract import json_values
from contract.away import Unreachable
from executions.admin import panels
from executions.admin.import_tables import tables_of
from executions.admin.operating import actor
from executions.admin.verdicts import verdict_tables
from executions.admin.windows import EngineAdmin
from executions.models import ImportedBundle
from executions.provenance.imports import MOST_BYTES, Altered, files_of_import, import_bundle
from tenants.models import Tenant
from traceway.records import Unreadable, as_members


class ImportForm(forms.Form):
    """What an upload asks."""

    file = forms.FileField(label="Bundle", widget=UnfoldAdminFileFieldWidget())
    tenant = forms.ModelChoiceField(Tenant.objects.order_by("slug"), widget=UnfoldAdminSelectWidget())
    even_if_altered = forms.BooleanField(
        required=False, widget=UnfoldBooleanSwitchWidget(), label="Keep it even if something does not match"
    )

    def clean_file(self) -> Any:
        """Refuses what is larger than any that is taken in."""
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise forms.ValidationError(f"At most {MOST_BYTES:,} bytes are taken in.")
        return file


@admin.register(ImportedBundle)
class ImportedBundleAdmin(EngineAdmin):
    """Imported bundles, with what verification said of each."""

    list_display = ("execution_id", "workflow", "coloured", "verdict_badge", "tenant", "bytes", "imported_at")
    list_filter = ("tenant", "intact")
    list_select_related = ("tenant",)
    ordering = ("-id",)
    actions_list = ("take_in",)
    change_form_after_template = "executions/import_page.html"
    fields = (
        ("execution_id", "coloured"),
        ("workflow", "verdict_badge"),
        ("tenant", "bytes"),
        ("imported_by", "imported_at"),
        "digest",
    )

    def has_import_permission(self, request: HttpRequest, object_id: Any = None) -> bool:  # noqa: ARG002
        """Those who may add bundles."""
        return request.user.has_perm("executions.add_importedbundle")

    @action(description="Import a bundle", permissions=("import",), url_path="import")  # type: ignore[untyped-decorator]
    def take_in(self, request: HttpRequest) -> HttpResponse:
        """Asks for the file and whose it is; leads to its page."""
        form = ImportForm(request.POST or None, request.FILES or None)
        context = {"form": form, **self._around(request, "Import a bundle")}
        if not form.is_valid():
            return TemplateResponse(request, "executions/import.html", context)
        given, by = form.cleaned_data, actor(request.user)
        try:
            row, new = import_bundle(
                given["tenant"], given["file"].read(), by, even_if_altered=given["even_if_altered"]
            )
        except Altered as altered:
            form.add_error("file", "It is not as it was exported.")
            return TemplateResponse(
                request, "executions/import.html", context | verdict_tables(as_members(altered.verdict), ())
            )
        except (Unreadable, Unreachable) as error:
            form.add_error("file", str(error))
            return TemplateResponse(request, "executions/import.html", context)
        self.message_user(request, "Imported." if new else "It was imported before.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:executions_importedbundle_change", args=[row.pk]))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **members: Any) -> HttpResponse:
        """With the verdict and the tables of what the bundle holds."""
        if (row := members.get("obj")) is not None:
            told = json_values.load(row.verdict)
            context |= verdict_tables(told, told["known_keys"])
            context |= self._tables(request, row)
        return super().render_change_form(request, context, **members)  # type: ignore[no-any-return]

    @admin.display(description="status")
    def coloured(self, row: ImportedBundle) -> SafeString:
        """The status in its colour, if it is one that is known here."""
        return panels.badge(row.status, panels.tone_of(row.status))

    @admin.display(description="verified")
    def verdict_badge(self, row: ImportedBundle) -> SafeString:
        """Whether everything matched."""
        return panels.label("intact", "success") if row.intact else panels.label("altered", "danger")

    def _tables(self, request: HttpRequest, row: ImportedBundle) -> dict[str, Any]:
        asked = request.GET.get("from", "")
        first = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 11 else 0
        try:
            return tables_of(files_of_import(row), first)
        except Unreachable as error:
            self.message_user(request, str(error), messages.ERROR)
            return {}

    def _around(self, request: HttpRequest, title: str) -> dict[str, Any]:
        back = reverse("admin:executions_importedbundle_changelist")
        return {**self.admin_site.each_context(request), "title": title, "opts": self.opts, "back": back}
