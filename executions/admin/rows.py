"""The windows on everything beside the execution itself: steps, attempts, events, the engine's own rows."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from contract.identifiers import parse_id, run_name
from executions.admin import panels
from executions.admin.deciding import StepActions
from executions.admin.filters import EventTypeFilter
from executions.admin.lineage import lineage_table
from executions.admin.windows import EngineAdmin, OfExecutionAdmin
from executions.models import (
    Application,
    Arrival,
    Attempt,
    DueStep,
    EarlierRun,
    Event,
    Execution,
    Step,
    Submission,
    Task,
    Worker,
)
from tenants.admin import ReadOnlyAdmin


@admin.register(Submission)
class SubmissionAdmin(OfExecutionAdmin):
    """What was asked for."""

    list_display = ("of_execution", "tenant", "source_system", "source_entity_type", "source_entity_id", "external_ref")
    list_filter = ("tenant",)
    list_select_related = ("tenant",)
    own_order = ("-pk",)
    fields = (
        "of_execution", "tenant", "source_system", "source_entity_type", "source_entity_id", "external_ref",
        "idempotency_key", "initiated_by_type", "initiated_by_id", "request_id", "agent", "application", "template",
        "outcome_expression", "readable_input", "readable_parameters", "readable_metadata", "readable_application",
    )  # fmt: skip

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:  # noqa: ARG002
        """Newest first: its key is the execution's."""
        return ("-pk",)

    @admin.display(description="input")
    def readable_input(self, row: Submission) -> SafeString | str:
        """Indented."""
        return panels.payload(row.input, row.execution_id)

    @admin.display(description="parameters")
    def readable_parameters(self, row: Submission) -> SafeString | str:
        """Indented."""
        return panels.payload(row.parameters, row.execution_id)

    @admin.display(description="client-safe metadata")
    def readable_metadata(self, row: Submission) -> SafeString | str:
        """Indented."""
        return panels.payload(row.client_safe_metadata, row.execution_id)

    @admin.display(description="application, as it was")
    def readable_application(self, row: Submission) -> SafeString | str:
        """Indented."""
        return panels.payload(row.application_data, row.execution_id)


@admin.register(Step)
class StepAdmin(StepActions):
    """Steps, with what they wait for and their newest attempts."""

    list_display = ("name", "index", "coloured", "attempts", "failures", "losses", "of_execution")
    list_filter = ("status",)
    own_order = ("index",)
    change_form_after_template = "executions/step_page.html"
    fields = (
        ("name", "index", "coloured"),
        "of_execution",
        ("attempts", "failures", "losses"),
        ("parents_left", "parents_live"),
        ("parts_made", "parts_left", "parts_failed"),
        ("generation", "readable_item"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Step]:
        """Without what can be megabytes."""
        return super().get_queryset(request).defer("item")  # type: ignore[no-any-return]

    @admin.display(description="item")
    def readable_item(self, row: Step) -> SafeString | str:
        """Indented."""
        return panels.payload(row.item, row.execution_id)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **members: Any) -> HttpResponse:
        """With the tables of what it waits for, of its attempts and of what their inputs came from."""
        if (step := members.get("obj")) is not None:
            context |= {"reasons": panels.reasons_table(step), "attempts": panels.attempts_table(step)}
            context |= {"lineage": lineage_table(step.execution, step.name)}
        return super().render_change_form(request, context, **members)  # type: ignore[no-any-return]


@admin.register(Attempt)
class AttemptAdmin(OfExecutionAdmin):
    """Attempts, with what went in and what came out."""

    list_display = ("id", "step_index", "number", "coloured", "started_at", "duration", "worker_name", "of_execution")
    list_filter = ("status",)
    own_order = ("step_index", "number")
    fields = (
        ("step_index", "number", "coloured"), "of_execution", ("started_at", "finished_at", "duration"),
        ("worker_name", "worker", "code_version"), "started_execution",
        "readable_error", "readable_input", "readable_output",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Attempt]:
        """Without what can be megabytes."""
        return super().get_queryset(request).defer("input", "output")  # type: ignore[no-any-return]

    @admin.display(description="took")
    def duration(self, row: Attempt) -> str:
        """From start to end."""
        return panels.took(row)

    @admin.display(description="started execution")
    def started_execution(self, row: Attempt) -> SafeString | str:
        """A link to the execution that was started for it."""
        return panels.page_of(Execution(id=row.child), str(row.child)) if row.child else "-"

    @admin.display(description="input")
    def readable_input(self, row: Attempt) -> SafeString | str:
        """Indented."""
        return panels.payload(row.input, row.execution_id)

    @admin.display(description="output")
    def readable_output(self, row: Attempt) -> SafeString | str:
        """Indented."""
        return panels.payload(row.output, row.execution_id)

    @admin.display(description="error")
    def readable_error(self, row: Attempt) -> SafeString | str:
        """Indented."""
        return panels.payload(row.error, row.execution_id)


@admin.register(Task)
class TaskAdmin(OfExecutionAdmin):
    """Agents' tasks: who has claimed which, and until when."""

    list_display = ("step_index", "number", "coloured", "agent", "claimed_by", "leased_until", "of_execution")
    list_select_related = ("agent",)
    own_order = ("step_index", "number")
    fields = (
        ("step_index", "number", "coloured"), "of_execution", ("agent", "priority"), ("opened_at", "deadline_at"),
        ("claimed_by", "claimed_at", "leased_until"),
    )  # fmt: skip


@admin.register(Event)
class EventAdmin(OfExecutionAdmin):
    """Events, chained by hash."""

    list_display = ("sequence", "created_at", "titled", "type", "step", "message", "of_execution")
    list_filter = (EventTypeFilter,)
    list_display_links = ("sequence",)
    own_order = ("sequence",)
    fields = (("sequence", "titled", "type"), "of_execution", ("step", "created_at"), "message", "body", "hex_hash")

    @admin.display(description="event")
    def titled(self, row: Event) -> SafeString:
        """Its title in the colour of its level."""
        return panels.event_badge(row)

    @admin.display(description="message")
    def message(self, row: Event) -> str:
        """What it says."""
        return panels.message_of(row)

    @admin.display(description="hash")
    def hex_hash(self, row: Event) -> str:
        """In hex."""
        return bytes(row.hash).hex()


@admin.register(DueStep)
class DueStepAdmin(OfExecutionAdmin):
    """Steps that may begin."""

    list_display = ("step_index", "due_at", "of_execution")
    own_order = ("due_at", "step_index")


@admin.register(EarlierRun)
class EarlierRunAdmin(OfExecutionAdmin):
    """Runs that ended before a redrive."""

    list_display = ("run_name", "coloured", "status_reason", "queued_at", "finished_at", "of_execution")
    own_order = ("queued_at",)
    fields = (
        ("run_name", "coloured"), "of_execution", "status_reason", ("queued_at", "started_at", "finished_at"),
        "readable_parameters",
    )  # fmt: skip

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:  # noqa: ARG002
        """Newest first: its key is the run's id."""
        return ("-pk",)

    @admin.display(description="run id")
    def run_name(self, row: EarlierRun) -> str:
        """As the API spells it."""
        return run_name(row.run_id)

    @admin.display(description="parameters")
    def readable_parameters(self, row: EarlierRun) -> SafeString | str:
        """Indented."""
        return panels.payload(row.parameters, row.execution_id)


@admin.register(Arrival)
class ArrivalAdmin(OfExecutionAdmin):
    """The inboxes."""

    list_display = ("id", "kind", "name", "actor", "created_at", "kept_at", "consumed_at", "of_execution")
    list_filter = ("kind",)


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """Worker processes and their leases."""

    list_display = ("name", "boot_id", "started_at", "beat_at", "expires_at", "in_hand")
    ordering = ("-beat_at",)

    @admin.display(description="attempts in hand")
    def in_hand(self, row: Worker) -> int:
        """How many."""
        return len(row.held)


@admin.register(Application)
class ApplicationAdmin(EngineAdmin):
    """Applications, as they are now."""

    list_display = ("id", "external_ref", "tenant", "created_at")
    list_filter = ("tenant",)
    list_select_related = ("tenant",)
    search_fields = ("id",)
    search_help_text = "the application's id"
    fields = ("id", "external_ref", "tenant", "created_at", "readable_data")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Application]:
        """Without what can be megabytes."""
        return super().get_queryset(request).defer("data")  # type: ignore[no-any-return]

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002
        rows: QuerySet[Application],
        term: str,
    ) -> tuple[QuerySet[Application], bool]:
        """By id."""
        if not term:
            return rows, False
        identifier = parse_id(term.strip())
        return (rows.filter(id=identifier) if identifier else rows.none()), False

    @admin.display(description="data")
    def readable_data(self, row: Application) -> SafeString | str:
        """Indented."""
        return panels.pretty(row.data)
