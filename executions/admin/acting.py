"""What operators do to executions: confirm, cancel, pause, resume and redrive, by lists and on the page of one."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.decorators import action

from contract.away import Unreachable
from contract.identifiers import parse_id
from contract.problems import Conflict, Refusal
from executions import commands
from executions.admin import panels
from executions.admin.operating import Command, Question, ask_and_act
from executions.admin.verdicts import verdict_tables
from executions.admin.windows import EngineAdmin
from executions.models import Execution
from executions.payloads.dropping import REQUEST, drop_payloads
from executions.provenance.verification import check
from executions.reading import payment_of
from executions.states import MOVES, TERMINAL, Intent, Status
from traceway.records import as_members

CONFIRM = Question("confirm", "Confirm the payment", "reference", 255, "Confirm the payment")
CANCEL = Question("cancel", "Cancel the execution", "reason", 1000, "Cancel the execution")
PAUSE = Question("pause", "Pause the execution", "reason", 1000, "Pause the execution")
RESUME = Question("resume", "Resume the execution", "reason", 1000, "Resume the execution")
REDRIVE = Question("redrive", "Redrive the execution", "reason", 1000, "Redrive the execution")
DROP = Question("drop_payloads", "Drop the payloads of the execution", "reason", 1000, "Drop its payloads for good")


class ExecutionActions(EngineAdmin):
    """The actions of the window on executions; each asks first."""

    actions = ("confirm", "cancel", "pause", "resume", "redrive", "drop_payloads")
    actions_detail = ("confirm_this", "cancel_this", "pause_this", "resume_this", "redrive_this", "verify_this")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Those that the state of the execution allows."""
        row = _rows(object_id).only("status", "intent", "quarantined_at", "payloads_dropped_at").first()
        open_ = _possible(row) if row else frozenset()
        return [one for one in super().get_actions_detail(request, object_id) if one.path in open_]

    def has_confirm_permission(self, request: HttpRequest, object_id: Any = None) -> bool:  # noqa: ARG002
        """Those who may change payments."""
        return request.user.has_perm("executions.change_payment")

    def has_command_permission(self, request: HttpRequest, object_id: Any = None) -> bool:  # noqa: ARG002
        """Those who may change executions."""
        return request.user.has_perm("executions.change_execution")

    @admin.action(description="Confirm the payment of the chosen executions", permissions=("confirm",))
    def confirm(self, request: HttpRequest, rows: QuerySet[Execution]) -> HttpResponse | None:
        """Asks for a reference."""
        return self._ask(request, rows.select_related("payment"), CONFIRM, _confirm)

    @admin.action(description="Drop the payloads of the chosen executions", permissions=("command",))
    def drop_payloads(self, request: HttpRequest, rows: QuerySet[Execution]) -> HttpResponse | None:
        """Asks for a reason."""
        return self._ask(request, rows, DROP, _drop)

    @admin.action(description="Cancel the chosen executions", permissions=("command",))
    def cancel(self, request: HttpRequest, rows: QuerySet[Execution]) -> HttpResponse | None:
        """Asks for a reason."""
        return self._ask(request, rows, CANCEL, _cancel)

    @admin.action(description="Pause the chosen executions", permissions=("command",))
    def pause(self, request: HttpRequest, rows: QuerySet[Execution]) -> HttpResponse | None:
        """Asks for a reason."""
        return self._ask(request, rows, PAUSE, _pause)

    @admin.action(description="Resume the chosen executions, or release them from quarantine", permissions=("command",))
    def resume(self, request: HttpRequest, rows: QuerySet[Execution]) -> HttpResponse | None:
        """Asks for a reason."""
        return self._ask(request, rows, RESUME, _resume)

    @admin.action(description="Redrive the chosen executions from where they failed", permissions=("command",))
    def redrive(self, request: HttpRequest, rows: QuerySet[Execution]) -> HttpResponse | None:
        """Asks for a reason; what each would repeat is shown on its own page only."""
        return self._ask(request, rows, REDRIVE, _redrive)

    @action(description="Confirm the payment", permissions=("confirm",), url_path="confirm")  # type: ignore[untyped-decorator]
    def confirm_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for a reference."""
        return self._ask_this(request, object_id, CONFIRM, _confirm)

    @action(description="Cancel", permissions=("command",), url_path="cancel")  # type: ignore[untyped-decorator]
    def cancel_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for a reason."""
        return self._ask_this(request, object_id, CANCEL, _cancel)

    @action(description="Pause", permissions=("command",), url_path="pause")  # type: ignore[untyped-decorator]
    def pause_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for a reason."""
        return self._ask_this(request, object_id, PAUSE, _pause)

    @action(description="Resume", permissions=("command",), url_path="resume")  # type: ignore[untyped-decorator]
    def resume_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for a reason."""
        return self._ask_this(request, object_id, RESUME, _resume)

    @action(description="Redrive", permissions=("command",), url_path="redrive")  # type: ignore[untyped-decorator]
    def redrive_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Shows what would be repeated, from the step that `from` in the address names, and asks for a reason."""
        back, from_step = page_of_execution(object_id), request.GET.get("from") or None
        [execution] = _one(object_id)
        try:
            tables = panels.redrive_tables(commands.preview_redrive(execution.id, from_step, None))
        except Refusal as refusal:
            self.message_user(request, f"{REDRIVE.title}: {refusal.message}.", messages.ERROR)
            return HttpResponseRedirect(back)

        def redrive(row: Execution, _reason: str, actor: str) -> None:
            commands.redrive(row.id, from_step, None, actor)

        answer = ask_and_act(self, request, [execution], REDRIVE, redrive, back=back, tables=tables)
        return answer or HttpResponseRedirect(back)

    @action(description="Verify the record", permissions=("view",), url_path="verify")  # type: ignore[untyped-decorator]
    def verify_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Shows what verification says of what stands on record now; nothing is changed."""
        [execution], back = _one(object_id), page_of_execution(object_id)
        try:
            [checked] = check([execution.id])
        except Unreachable as error:
            self.message_user(request, f"{error}.", messages.ERROR)
            return HttpResponseRedirect(back)
        context = {**self.admin_site.each_context(request), "title": "Verify the record", "opts": self.opts}
        context |= verdict_tables(as_members(checked.verdict), checked.verdict.signed_by)
        return TemplateResponse(request, "executions/verdict.html", context | {"back": back, "execution": execution.id})

    def _ask(
        self, request: HttpRequest, rows: QuerySet[Execution], question: Question, command: Command
    ) -> HttpResponse | None:
        return ask_and_act(self, request, rows, question, command, back=request.get_full_path())

    def _ask_this(self, request: HttpRequest, object_id: str, question: Question, command: Command) -> HttpResponse:
        back = page_of_execution(object_id)
        return ask_and_act(self, request, _one(object_id), question, command, back=back) or HttpResponseRedirect(back)


def page_of_execution(object_id: object) -> str:
    """The address of an execution's page."""
    return reverse("admin:executions_execution_change", args=[object_id])


def _possible(row: Execution) -> frozenset[str]:
    status, intent = Status(row.status), Intent(row.intent)
    possible = {
        "verify": True,
        "confirm": status is Status.AWAITING_PAYMENT,
        "cancel": status not in TERMINAL,
        "pause": status not in TERMINAL and intent is Intent.RUN,
        "resume": status not in TERMINAL and (intent is Intent.PAUSE or row.quarantined_at is not None),
        "redrive": status in MOVES["redrive"].sources and row.payloads_dropped_at is None,
    }
    return frozenset(name for name, yes in possible.items() if yes)


def _confirm(row: Execution, reference: str, actor: str) -> None:
    payment = payment_of(row)
    if payment is None:
        raise Conflict("it costs nothing")
    commands.confirm_payment(payment, reference, actor)


def _cancel(row: Execution, reason: str, actor: str) -> None:
    commands.cancel(row.id, reason, actor)


def _pause(row: Execution, _reason: str, actor: str) -> None:
    commands.pause(row.id, actor)


def _resume(row: Execution, _reason: str, actor: str) -> None:
    commands.resume(row.id, actor)


def _redrive(row: Execution, _reason: str, actor: str) -> None:
    commands.redrive(row.id, None, None, actor)


def _drop(row: Execution, _reason: str, actor: str) -> None:
    drop_payloads(row.id, REQUEST, actor)


def _rows(object_id: str) -> QuerySet[Execution]:
    identifier = parse_id(object_id)
    return Execution.objects.filter(id=identifier) if identifier else Execution.objects.none()


def _one(object_id: str) -> QuerySet[Execution]:
    rows = _rows(object_id)
    if not rows.exists():
        raise Http404
    return rows
