"""Where a tenant is told of its executions, what it was told, and how that came out."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from contract.identifiers import new_id
from executions.models.constraints import choices, one_of
from executions.models.execution import Execution
from executions.models.transaction import CurrentTransactionId, TransactionIdField
from executions.webhooks.schedule import DEFAULT_RETRIES, MOST_RETRIES
from executions.webhooks.words import DISABLED, ENABLED, DeliveryStatus, DisabledReason, Format, SendStatus

_ENABLED = Q(enabled=True)
_KEPT = Q(deleted_at__isnull=True)


class WebhookEndpoint(models.Model):
    """An address of a tenant's that is told of events. Deleted ones stay as a name for their deliveries."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+", db_index=False)
    name = models.CharField(max_length=255)
    url = models.CharField(max_length=2048)
    description = models.CharField(max_length=4096, blank=True, default="")
    format = models.CharField(max_length=16, choices=choices(Format), default=Format.EVENT.value)
    subscribed = ArrayField(models.CharField(max_length=64), help_text="Types of events, or patterns of them.")
    max_retries = models.SmallIntegerField(default=DEFAULT_RETRIES)
    sealed = models.TextField(blank=True, editable=False, help_text="The secrets that sign, encrypted.")
    overlap_until = models.DateTimeField(null=True, blank=True, help_text="Until when the secret before signs too.")
    enabled = models.BooleanField(default=True)
    since = TransactionIdField(
        db_default=CurrentTransactionId(), editable=False, help_text="It is told of what later transactions write."
    )
    disabled_reason = models.CharField(max_length=16, choices=choices(DisabledReason), null=True, blank=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    failures = models.IntegerField(default=0, help_text="In a row.")
    failing_since = models.DateTimeField(null=True, blank=True)
    rest_until = models.DateTimeField(null=True, blank=True, help_text="Nothing is sent before, for the last failed.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "webhook_endpoint"
        ordering = ("-id",)
        constraints = (
            one_of("disabled_reason", DisabledReason, "webhook_endpoint_reason_known"),
            one_of("format", Format, "webhook_endpoint_format_known"),
            models.CheckConstraint(
                condition=Q(max_retries__gte=0, max_retries__lte=MOST_RETRIES), name="webhook_endpoint_retries"
            ),
            models.CheckConstraint(condition=Q(subscribed__len__gt=0), name="webhook_endpoint_subscribed"),
            models.CheckConstraint(
                condition=(_ENABLED & _KEPT & Q(disabled_at__isnull=True, disabled_reason__isnull=True))
                | (~_ENABLED & Q(disabled_at__isnull=False, disabled_reason__isnull=False)),
                name="webhook_endpoint_disabled_for_a_reason",
            ),
            models.CheckConstraint(condition=_KEPT | Q(sealed=""), name="webhook_endpoint_deleted_without_secret"),
        )
        indexes = (
            models.Index(fields=["tenant", "-id"], name="webhook_endpoint_tenant", condition=_KEPT),
            models.Index(fields=["since"], name="webhook_endpoint_enabled", condition=_ENABLED),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def status(self) -> str:
        """Whether it is told of anything."""
        return ENABLED if self.enabled else DISABLED


class WebhookDelivery(models.Model):
    """One event for one endpoint, until it is taken. `due_at` is when anyone may send it, or send it again."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+", db_index=False)
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    # No constraint: each insert would lock the row that the engine rewrites with every step.
    execution = models.ForeignKey(
        Execution, on_delete=models.CASCADE, related_name="deliveries", db_index=False, db_constraint=False
    )
    sequence = models.IntegerField(help_text="Of the event.")
    event_type = models.CharField(max_length=64)
    status = models.CharField(max_length=16, choices=choices(DeliveryStatus), default=DeliveryStatus.PENDING.value)
    due_at = models.DateTimeField(null=True, blank=True)
    attempts_made = models.IntegerField(default=0, help_text="The newest attempt's number: its fence.")
    failures = models.IntegerField(default=0)
    replay_of = models.UUIDField(null=True, blank=True, help_text="The delivery that this one repeats.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "webhook_delivery"
        ordering = ("-id",)
        verbose_name_plural = "webhook deliveries"
        constraints = (
            one_of("status", DeliveryStatus, "webhook_delivery_status_known"),
            models.UniqueConstraint(
                fields=["endpoint", "execution", "sequence"],
                name="webhook_delivery_once",
                condition=Q(replay_of__isnull=True),
            ),
            models.CheckConstraint(
                condition=Q(status=DeliveryStatus.PENDING.value, due_at__isnull=False, finished_at__isnull=True)
                | (~Q(status=DeliveryStatus.PENDING.value) & Q(due_at__isnull=True, finished_at__isnull=False)),
                name="webhook_delivery_due_if_pending",
            ),
        )
        indexes = (
            models.Index(fields=["endpoint", "due_at"], name="webhook_delivery_due", condition=Q(due_at__isnull=False)),
            models.Index(fields=["tenant", "status", "-id"], name="webhook_delivery_tenant"),
            models.Index(fields=["tenant", "endpoint", "status", "-id"], name="webhook_delivery_endpoint"),
            models.Index(fields=["tenant", "event_type", "-id"], name="webhook_delivery_type"),
            models.Index(fields=["execution", "-id"], name="webhook_delivery_execution"),
        )

    def __str__(self) -> str:
        return f"{self.event_type} #{self.sequence}"


class WebhookAttempt(models.Model):
    """One try at a delivery; written before it is sent, so that one that was cut short is seen."""

    id = models.BigAutoField(primary_key=True)
    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="attempts", db_index=False)
    number = models.IntegerField()
    status = models.CharField(max_length=16, choices=choices(SendStatus))
    response_status = models.SmallIntegerField(null=True, blank=True)
    response_excerpt = models.TextField(null=True, blank=True)
    error_kind = models.CharField(max_length=32, null=True, blank=True)
    error_message = models.TextField(null=True, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "webhook_attempt"
        constraints = (
            one_of("status", SendStatus, "webhook_attempt_status_known"),
            models.UniqueConstraint(fields=["delivery", "number"], name="webhook_attempt_once"),
            models.CheckConstraint(
                condition=Q(status=SendStatus.SENDING.value, finished_at__isnull=True)
                | (~Q(status=SendStatus.SENDING.value) & Q(finished_at__isnull=False)),
                name="webhook_attempt_finished_unless_sending",
            ),
        )

    def __str__(self) -> str:
        return f"{self.number} {self.status}"
