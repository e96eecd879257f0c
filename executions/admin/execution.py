"""The window on executions: where each stands, what was asked for, its steps, children, earlier runs and events."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from contract.identifiers import RUN, parse_id, run_name
from executions.admin import panels
from executions.admin.acting import ExecutionActions
from executions.admin.filters import QuarantinedFilter, WorkflowFilter
from executions.admin.lineage import lineage_table
from executions.models import Arrival, Attempt, DueStep, Event, Execution
from executions.money import formatted
from executions.reading import payment_of
from executions.states import TERMINAL
from tenants.models import Tenant


@admin.register(Execution)
class ExecutionAdmin(ExecutionActions):
    """Executions, with their steps and newest events."""

    list_display = ("id", "coloured", "workflow", "version", "tenant", "external_ref", "created_at", "duration")
    list_filter = ("status", "tenant", WorkflowFilter, QuarantinedFilter)
    list_select_related = ("tenant", "workflow", "version", "submission")
    ordering = ("-id",)
    search_fields = ("id",)
    search_help_text = "id, run id or external reference"
    change_form_after_template = "executions/execution_page.html"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("coloured", "outcome"),
                    ("status_reason", "intent"),
                    ("workflow", "version"),
                    ("tenant", "payment_page"),
                    ("parent", "priority"),
                    ("created_at", "queued_at"),
                    ("started_at", "finished_at"),
                    ("duration", "deadline_at"),
                    "run_name",
                )
            },
        ),
        ("Output", {"fields": ("pretty_output",)}),
        (
            "Asked for",
            {
                "fields": (
                    ("source", "external_ref"),
                    ("initiated_by", "application"),
                    "request_id",
                    "agent",
                    "asked_input",
                    "asked_parameters",
                )
            },
        ),
        (
            "Engine",
            {
                "classes": ("collapse",),
                "fields": (
                    ("steps_left", "steps_running"),
                    ("steps_ready", "steps_waiting"),
                    ("due_at", "tries"),
                    ("quarantined_at", "seq"),
                    ("grace_at", "compensating"),
                    ("concurrency_key", "event_sequence"),
                    "head",
                ),
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Execution]:
        """Without what can be megabytes."""
        return super().get_queryset(request).defer("output", "version__definition", "version__sealed")  # type: ignore[no-any-return]

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002
        rows: QuerySet[Execution],
        term: str,
    ) -> tuple[QuerySet[Execution], bool]:
        """By id, by run id in either spelling, else by external reference: each by an index."""
        term = term.strip()
        if not term:
            return rows, False
        identifier = parse_id(term, RUN)
        for column in ("id", "run_id", "earlier_runs__run_id") if identifier else ():
            if (found := rows.filter(**{column: identifier})).exists():
                return found, False
        tenants = Tenant.objects.values("id")
        return rows.filter(submission__tenant__in=tenants, submission__external_ref=term), False

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **members: Any) -> HttpResponse:
        """With the tables of steps and events."""
        if (execution := members.get("obj")) is not None:
            context |= _tables(execution, request.GET.get("steps", ""))
        return super().render_change_form(request, context, **members)  # type: ignore[no-any-return]

    @admin.display(description="status")
    def coloured(self, row: Execution) -> SafeString:
        """The status in its colour; a quarantined one says so."""
        stuck = row.quarantined_at is not None and row.status not in TERMINAL
        return panels.label("quarantined", "danger") if stuck else panels.badge(row.status)

    @admin.display(description="took")
    def duration(self, row: Execution) -> str:
        """From start to end."""
        return panels.took(row)

    @admin.display(description="external ref")
    def external_ref(self, row: Execution) -> str:
        """The caller's own name for it."""
        return row.submission.external_ref or "-"

    @admin.display(description="run id")
    def run_name(self, row: Execution) -> str:
        """As the API spells it."""
        return run_name(row.run_id) if row.run_id else "-"

    @admin.display(description="payment")
    def payment_page(self, row: Execution) -> SafeString | str:
        """A link, where it costs something."""
        payment = payment_of(row)
        return panels.page_of(payment, formatted(payment.amount, payment.currency)) if payment else "not required"

    @admin.display(description="started by")
    def parent(self, row: Execution) -> SafeString | str:
        """A link to the execution whose step started it."""
        parent_id = row.submission.parent_id
        return panels.page_of(Execution(id=parent_id), str(parent_id)) if parent_id else "-"

    @admin.display(description="source")
    def source(self, row: Execution) -> str:
        """The caller's system and thing."""
        asked = row.submission
        return f"{asked.source_system} / {asked.source_entity_type} / {asked.source_entity_id or '-'}"

    @admin.display(description="initiated by")
    def initiated_by(self, row: Execution) -> str:
        """Who created it."""
        return f"{row.submission.initiated_by_type} {row.submission.initiated_by_id}"

    @admin.display(description="application")
    def application(self, row: Execution) -> SafeString | str:
        """A link, for a data orchestration."""
        application = row.submission.application
        return panels.page_of(application) if application else "-"

    @admin.display(description="request id")
    def request_id(self, row: Execution) -> str:
        """Of the request that created it."""
        return row.submission.request_id

    @admin.display(description="agent")
    def agent(self, row: Execution) -> SafeString | str:
        """Whom it runs for."""
        return panels.page_of(row.submission.agent) if row.submission.agent else "-"

    @admin.display(description="input")
    def asked_input(self, row: Execution) -> SafeString | str:
        """Readable."""
        return panels.payload(row.submission.input, row.id)

    @admin.display(description="parameters")
    def asked_parameters(self, row: Execution) -> SafeString | str:
        """Readable."""
        return panels.payload(row.submission.parameters, row.id)

    @admin.display(description="output")
    def pretty_output(self, row: Execution) -> SafeString | str:
        """Readable."""
        return panels.payload(row.output, row.id)

    @admin.display(description="newest hash")
    def head(self, row: Execution) -> str:
        """In hex."""
        return bytes(row.chain_head).hex()


def _tables(execution: Execution, asked: str) -> dict[str, Any]:
    first = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 11 else 0
    steps = panels.steps_table(execution, first)
    more = len(steps["rows"]) == panels.STEPS_SHOWN
    return {
        "steps": steps,
        "steps_first": first > 0,
        "steps_after": steps["rows"][-1][0] + 1 if more else None,
        "children": panels.children_table(execution),
        "earlier_runs": panels.runs_table(execution),
        "lineage": lineage_table(execution),
        "events": panels.events_table(execution),
        "attempts_list": panels.list_of(Attempt, execution),
        "events_list": panels.list_of(Event, execution),
        "inbox_list": panels.list_of(Arrival, execution),
        "due_list": panels.list_of(DueStep, execution),
    }
