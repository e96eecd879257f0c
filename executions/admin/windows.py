"""Windows on rows by the million, and on those that belong to an execution."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from unfold import paginator

from contract.identifiers import parse_id
from executions.admin import panels
from executions.models import Execution
from tenants.admin import ReadOnlyAdmin


class InfinitePaginator(paginator.InfinitePaginator):  # type: ignore[misc]
    """Pages through the newest rows without counting them; older ones are found by searching.

    Named as unfold's own, because its templates go by that name.
    """

    @cached_property
    def count(self) -> int:
        """The most rows that can be paged through."""
        return 10_000


class EngineAdmin(ReadOnlyAdmin):
    """A window on rows by the million: nothing is counted, and nothing sorted by a column without an index."""

    paginator: type[Paginator[Any]] = InfinitePaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    list_per_page = 50
    list_disable_select_all = True
    list_fullwidth = True


class OfExecutionAdmin(EngineAdmin):
    """Rows that belong to an execution: searched by its id, and then in their own order."""

    search_fields = ("execution",)
    search_help_text = "the execution's id"
    own_order: ClassVar[tuple[str, ...]] = ("id",)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Newest first, except within one execution."""
        return self.own_order if {"execution__exact", "q"} & request.GET.keys() else ("-id",)

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002
        rows: QuerySet[Any],
        term: str,
    ) -> tuple[QuerySet[Any], bool]:
        """Those of one execution."""
        if not term:
            return rows, False
        identifier = parse_id(term.strip())
        return (rows.filter(execution=identifier) if identifier else rows.none()), False

    @admin.display(description="execution")
    def of_execution(self, row: Any) -> SafeString:
        """A link, without reading the execution."""
        return panels.page_of(Execution(id=row.execution_id), str(row.execution_id))

    @admin.display(description="status")
    def coloured(self, row: Any) -> SafeString:
        """The status in its colour."""
        return panels.badge(row.status)
