"""What the lists of executions and events can be narrowed to, without reading whole tables to say so."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest

from contract.identifiers import parse_id
from executions.models import Event, Execution
from executions.telling import EVENTS
from workflows.models import Workflow

WORKFLOWS_OFFERED = 50


class WorkflowFilter(SimpleListFilter):
    """One workflow: the newest ones of the chosen tenant, or of all, are offered; the address may name any."""

    title = "workflow"
    parameter_name = "workflow"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """(id, name)."""
        rows = Workflow.objects.order_by("-id")
        tenant = parse_id(request.GET.get("tenant__id__exact", ""))
        named = (rows.filter(tenant=tenant) if tenant else rows).values_list("id", "name")
        return [(str(identifier), name) for identifier, name in named[:WORKFLOWS_OFFERED]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Execution]) -> QuerySet[Execution]:  # noqa: ARG002
        """Its executions."""
        if self.value() is None:
            return queryset
        identifier = parse_id(self.value() or "")
        return queryset.filter(workflow=identifier) if identifier else queryset.none()


class QuarantinedFilter(SimpleListFilter):
    """Those that nobody could advance, five times over."""

    title = "quarantine"
    parameter_name = "quarantined"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """The one choice."""
        return [("yes", "quarantined")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Execution]) -> QuerySet[Execution]:  # noqa: ARG002
        """The quarantined ones."""
        stuck = queryset.filter(quarantined_at__isnull=False, finished_at__isnull=True)
        return stuck if self.value() == "yes" else queryset


class EventTypeFilter(SimpleListFilter):
    """One type of event."""

    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Every type there is."""
        return [(name, name) for name in EVENTS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:  # noqa: ARG002
        """The events of that type."""
        return queryset.filter(type=self.value()) if self.value() else queryset
