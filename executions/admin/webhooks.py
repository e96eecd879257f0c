"""The windows on outbound webhooks: endpoints, deliveries with a retry and a replay, attempts, the cursor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString

from executions.admin import panels
from executions.admin.operating import Question, ask_and_act
from executions.admin.windows import EngineAdmin, OfExecutionAdmin
from executions.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from executions.webhooks import deliveries, endpoints
from executions.webhooks.words import DISABLED, ENABLED, DeliveryStatus, SendStatus

TONES: Final[Mapping[str, str]] = {
    ENABLED: "success",
    DISABLED: "neutral",
    DeliveryStatus.PENDING: "info",
    DeliveryStatus.DELIVERED: "success",
    DeliveryStatus.FAILED: "danger",
    DeliveryStatus.DROPPED: "neutral",
    SendStatus.SENDING: "info",
    SendStatus.LOST: "warning",
}
ENABLE = Question("enable", "Enable the endpoint", "reason", 1000, "Enable the endpoint")
DISABLE = Question("disable", "Disable the endpoint", "reason", 1000, "Disable the endpoint")
RETRY = Question("retry", "Retry the delivery", "reason", 1000, "Send it now")
REPLAY = Question("replay", "Replay the delivery", "reason", 1000, "Deliver the event anew")


class HookAdmin(EngineAdmin):
    """What the windows of this file share."""

    ordering = ("-id",)

    @admin.display(description="status")
    def coloured(self, row: Any) -> SafeString:
        """The status in its colour."""
        return panels.badge(row.status, TONES[row.status])


@admin.register(WebhookEndpoint)
class EndpointAdmin(HookAdmin):
    """Endpoints, without what signs for them; the deleted ones too."""

    list_display = (
        "name", "tenant", "coloured", "disabled_reason", "failures", "failing_since", "created_at", "deleted_at",
    )  # fmt: skip
    list_filter = ("enabled", "disabled_reason", "tenant")
    list_select_related = ("tenant",)
    exclude = ("sealed",)
    actions = ("enable", "disable")

    def has_switch_permission(self, request: HttpRequest) -> bool:
        """Those who may change endpoints."""
        return request.user.has_perm("executions.change_webhookendpoint")

    @admin.action(description="Enable the chosen endpoints", permissions=("switch",))
    def enable(self, request: HttpRequest, rows: QuerySet[WebhookEndpoint]) -> HttpResponse | None:
        """Asks for a reason."""
        back = reverse("admin:executions_webhookendpoint_changelist")
        return ask_and_act(self, request, rows.select_related("tenant"), ENABLE, _enable, back=back)

    @admin.action(description="Disable the chosen endpoints", permissions=("switch",))
    def disable(self, request: HttpRequest, rows: QuerySet[WebhookEndpoint]) -> HttpResponse | None:
        """Asks for a reason."""
        back = reverse("admin:executions_webhookendpoint_changelist")
        return ask_and_act(self, request, rows.select_related("tenant"), DISABLE, _disable, back=back)


@admin.register(WebhookDelivery)
class DeliveryAdmin(OfExecutionAdmin):
    """Deliveries, with their newest attempts."""

    list_display = (
        "event_type", "coloured", "endpoint", "attempts_made", "due_at", "created_at", "finished_at", "of_execution",
    )  # fmt: skip
    list_filter = ("status", "tenant")
    list_select_related = ("endpoint",)
    own_order = ("id",)
    change_form_after_template = "executions/delivery_page.html"
    actions = ("retry", "replay")

    @admin.display(description="status")
    def coloured(self, row: WebhookDelivery) -> SafeString:
        """The status in its colour."""
        return panels.badge(row.status, TONES[row.status])

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Those who may change deliveries."""
        return request.user.has_perm("executions.change_webhookdelivery")

    @admin.action(description="Send the chosen deliveries now", permissions=("send",))
    def retry(self, request: HttpRequest, rows: QuerySet[WebhookDelivery]) -> HttpResponse | None:
        """Asks for a reason."""
        back = reverse("admin:executions_webhookdelivery_changelist")
        return ask_and_act(self, request, rows.select_related("tenant"), RETRY, _retry, back=back)

    @admin.action(description="Deliver the events of the chosen deliveries anew", permissions=("send",))
    def replay(self, request: HttpRequest, rows: QuerySet[WebhookDelivery]) -> HttpResponse | None:
        """Asks for a reason."""
        back = reverse("admin:executions_webhookdelivery_changelist")
        return ask_and_act(self, request, rows.select_related("tenant"), REPLAY, _replay, back=back)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **members: Any) -> HttpResponse:
        """With the table of its attempts."""
        if (delivery := members.get("obj")) is not None:
            context |= {"attempts": _attempts_table(delivery)}
        return super().render_change_form(request, context, **members)  # type: ignore[no-any-return]


@admin.register(WebhookAttempt)
class WebhookAttemptAdmin(HookAdmin):
    """Attempts at deliveries, and what the receivers answered."""

    list_display = ("number", "coloured", "response_status", "error_kind", "started_at", "finished_at", "of_delivery")
    list_display_links = ("number",)

    @admin.display(description="delivery")
    def of_delivery(self, row: WebhookAttempt) -> SafeString:
        """A link, without reading the delivery."""
        return panels.page_of(WebhookDelivery(id=row.delivery_id), str(row.delivery_id))


def _attempts_table(delivery: WebhookDelivery) -> panels.Table:
    rows = WebhookAttempt.objects.filter(delivery=delivery).order_by("-number")[: deliveries.ATTEMPTS_SHOWN]
    headers = ["attempt", "status", "started", "finished", "answer", "what went wrong"]
    return {
        "headers": headers,
        "rows": [
            [
                panels.page_of(row, f"{row.number}"),
                panels.badge(row.status, TONES[row.status]),
                panels.moment(row.started_at),
                panels.moment(row.finished_at),
                row.response_status or "-",
                f"{row.error_kind}: {row.error_message}" if row.error_kind else "",
            ]
            for row in rows
        ],
    }


@transaction.atomic
def _enable(row: WebhookEndpoint, _reason: str, _actor: str) -> None:
    endpoints.enable(row.tenant, str(row.id))


@transaction.atomic
def _disable(row: WebhookEndpoint, _reason: str, _actor: str) -> None:
    endpoints.disable(row.tenant, str(row.id))


@transaction.atomic
def _retry(row: WebhookDelivery, _reason: str, _actor: str) -> None:
    deliveries.retry(row.tenant, str(row.id))


@transaction.atomic
def _replay(row: WebhookDelivery, _reason: str, _actor: str) -> None:
    deliveries.replay(row.tenant, str(row.id))
