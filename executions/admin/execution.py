"""The window on executions: where each stands, what was asked for, its steps and newest events; confirm and cancel."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import action

from contract.identifiers import RUN, parse_id, run_name
from contract.problems import Conflict
from executions import commands
from executions.admin import panels
from executions.admin.filters import QuarantinedFilter, WorkflowFilter
from executions.admin.operating import Question, ask_and_act
from executions.admin.windows import EngineAdmin
from executions.models import Arrival, Attempt, DueStep, Event, Execution
from executions.money import formatted
from executions.reading import payment_of
from executions.states import TERMINAL, Status
from tenants.models import Tenant

CONFIRM = Question("confirm", "Confirm the payment", "reference", 255, "Confirm the payment")
CANCEL = Question("cancel", "Cancel the execution", "reason", 1000, "Cancel the execution")


@admin.register(Execution)
class ExecutionAdmin(EngineAdmin):
    """Executions, with their steps and newest events."""

    list_display = ("id", "coloured", "workflow", "version", "tenant", "external_ref", "created_at", "duration")
    list_filter = ("status", "tenant", WorkflowFilter, QuarantinedFilter)
    list_select_related = ("tenant", "workflow", "version", "submission")
    ordering = ("-id",)
    search_fields = ("id",)
    search_help_text = "id, run id or external reference"
    actions = ("confirm", "cancel")
    actions_detail = ("confirm_this", "cancel_this")
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
                    "event_sequence",
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
        for column in ("id", "run_id") if identifier else ():
            if (found := rows.filter(**{column: identifier})).exists():
                return found, False
        tenants = Tenant.objects.values("id")
        return rows.filter(submission__tenant__in=tenants, submission__external_ref=term), False

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **members: Any) -> HttpResponse:
        """With the tables of steps and events."""
        if (execution := members.get("obj")) is not None:
            context |= _tables(execution, request.GET.get("steps", ""))
        return super().render_change_form(request, context, **members)  # type: ignore[no-any-return]

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Those that the execution's status allows."""
        status = _rows(object_id).values_list("status", flat=True).first()
        open_ = {"cancel"} if status and Status(status) not in TERMINAL else set()
        open_ |= {"confirm"} if status == Status.AWAITING_PAYMENT else set()
        return [one for one in super().get_actions_detail(request, object_id) if one.path in open_]

    def has_confirm_permission(self, request: HttpRequest, object_id: Any = None) -> bool:  # noqa: ARG002
        """Those who may change payments."""
        return request.user.has_perm("executions.change_payment")

    def has_cancel_permission(self, request: HttpRequest, object_id: Any = None) -> bool:  # noqa: ARG002
        """Those who may change executions."""
        return request.user.has_perm("executions.change_execution")

    @admin.action(description="Confirm the payment of the chosen executions", permissions=("confirm",))
    def confirm(self, request: HttpRequest, rows: QuerySet[Execution]) -> HttpResponse | None:
        """Asks for a reference."""
        rows = rows.select_related("payment")
        return ask_and_act(self, request, rows, CONFIRM, _confirm_execution, back=request.get_full_path())

    @admin.action(description="Cancel the chosen executions", permissions=("cancel",))
    def cancel(self, request: HttpRequest, rows: QuerySet[Execution]) -> HttpResponse | None:
        """Asks for a reason."""
        return ask_and_act(self, request, rows, CANCEL, _cancel, back=request.get_full_path())

    @action(description="Confirm the payment", permissions=("confirm",), url_path="confirm")  # type: ignore[untyped-decorator]
    def confirm_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for a reference."""
        back = _page(object_id)
        answer = ask_and_act(self, request, _one(object_id), CONFIRM, _confirm_execution, back=back)
        return answer or HttpResponseRedirect(back)

    @action(description="Cancel", permissions=("cancel",), url_path="cancel")  # type: ignore[untyped-decorator]
    def cancel_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for a reason."""
        back = _page(object_id)
        answer = ask_and_act(self, request, _one(object_id), CANCEL, _cancel, back=back)
        return answer or HttpResponseRedirect(back)

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
        return panels.pretty(row.submission.input)

    @admin.display(description="parameters")
    def asked_parameters(self, row: Execution) -> SafeString | str:
        """Readable."""
        return panels.pretty(row.submission.parameters)

    @admin.display(description="output")
    def pretty_output(self, row: Execution) -> SafeString | str:
        """Readable."""
        return panels.pretty(row.output)

    @admin.display(description="newest hash")
    def head(self, row: Execution) -> str:
        """In hex."""
        return bytes(row.chain_head).hex()


def _confirm_execution(row: Execution, reference: str, actor: str) -> None:
    payment = payment_of(row)
    if payment is None:
        raise Conflict("it costs nothing")
    commands.confirm_payment(payment, reference, actor)


def _cancel(row: Execution, reason: str, actor: str) -> None:
    commands.cancel(row.id, reason, actor)


def _rows(object_id: str) -> QuerySet[Execution]:
    identifier = parse_id(object_id)
    return Execution.objects.filter(id=identifier) if identifier else Execution.objects.none()


def _one(object_id: str) -> QuerySet[Execution]:
    rows = _rows(object_id)
    if not rows.exists():
        raise Http404
    return rows


def _page(object_id: str) -> str:
    return reverse("admin:executions_execution_change", args=[object_id])


def _tables(execution: Execution, asked: str) -> dict[str, Any]:
    first = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 0
    steps = panels.steps_table(execution, first)
    more = len(steps["rows"]) == panels.STEPS_SHOWN
    return {
        "steps": steps,
        "steps_before": max(0, first - panels.STEPS_SHOWN) if first else None,
        "steps_after": first + panels.STEPS_SHOWN if more else None,
        "events": panels.events_table(execution),
        "attempts_list": panels.list_of(Attempt, execution),
        "events_list": panels.list_of(Event, execution),
        "inbox_list": panels.list_of(Arrival, execution),
        "due_list": panels.list_of(DueStep, execution),
    }
