"""The windows on receipts, the keys that sign them, and what could not be signed; how far each reader of the log is."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString

from contract import json_values
from contract.problems import Conflict
from executions.admin import panels
from executions.admin.operating import Question, ask_and_act
from executions.admin.windows import EngineAdmin, OfExecutionAdmin
from executions.models import Execution, LogCursor, Receipt, SealingRefusal, SigningKey
from executions.receipts.sealing import seal
from executions.receipts.tokens import payload_of

AGAIN = Question("again", "Check the record again", "reason", 1000, "Check it, and seal it if it is good")


@admin.register(Receipt)
class ReceiptAdmin(OfExecutionAdmin):
    """Receipts, those of the newest executions first, with what they sign."""

    list_display = ("id", "coloured", "sequence", "kid", "created_at", "of_execution")
    fields = ("id", "of_execution", "run_id", "sequence", "coloured", "kid", "created_at", "signed", "jws")
    own_order = ("sequence",)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """By the index that each execution's receipts are found by."""
        own = super().get_ordering(request) == self.own_order
        return self.own_order if own else ("-execution_id", "-sequence")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Receipt]:
        """Without what can be megabytes."""
        return super().get_queryset(request).defer("jws")  # type: ignore[no-any-return]

    @admin.display(description="signed")
    def signed(self, row: Receipt) -> SafeString | str:
        """Readable."""
        return panels.pretty(json_values.dump(payload_of(row.jws)))


@admin.register(SealingRefusal)
class SealingRefusalAdmin(EngineAdmin):
    """Alarms: executions that have no receipt because their record does not verify."""

    list_display = ("finding", "refused_at", "of_execution")
    fields = ("of_execution", "finding", "refused_at")
    actions = ("again",)

    @admin.display(description="execution")
    def of_execution(self, row: SealingRefusal) -> SafeString:
        """A link, without reading the execution."""
        return panels.page_of(Execution(id=row.execution_id), str(row.execution_id))

    def has_again_permission(self, request: HttpRequest) -> bool:
        """Those who may change refusals."""
        return request.user.has_perm("executions.change_sealingrefusal")

    @admin.action(description="Check the chosen records again", permissions=("again",))
    def again(self, request: HttpRequest, rows: QuerySet[SealingRefusal]) -> HttpResponse | None:
        """Asks for a reason."""
        back = reverse("admin:executions_sealingrefusal_changelist")
        return ask_and_act(self, request, rows, AGAIN, _again, back=back)


@admin.register(SigningKey)
class SigningKeyAdmin(EngineAdmin):
    """The keys that sign receipts: rotated by `manage.py rotate_signing_key`."""

    list_display = ("kid", "standing", "created_at", "retired_at")
    fields = ("kid", "public_key", "standing", "created_at", "retired_at")

    @admin.display(description="status")
    def standing(self, row: SigningKey) -> SafeString:
        """Whether it signs."""
        return panels.label("signs", "success") if row.signs else panels.label("retired", "neutral")


@admin.register(LogCursor)
class LogCursorAdmin(EngineAdmin):
    """How far each of its readers has read the log of events."""

    list_display = ("name", "xid", "event")


def _again(row: SealingRefusal, _reason: str, _actor: str) -> None:
    seal([row.execution_id])
    if (left := SealingRefusal.objects.filter(execution_id=row.execution_id).first()) is not None:
        raise Conflict(left.finding, reason="record_altered")
