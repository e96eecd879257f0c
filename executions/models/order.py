"""What an execution is run for, and what it costs."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from contract.identifiers import new_id
from executions.models.constraints import choices, one_of
from executions.models.execution import Execution
from executions.states import PaymentStatus


class Application(models.Model):
    """What a data orchestration is run for: a caller's record, any JSON object."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="applications", db_index=False)
    external_ref = models.CharField(max_length=255, null=True, blank=True)
    data = models.TextField(help_text="JSON text of an object.")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "application"
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["tenant", "-id"], name="application_tenant"),
            models.Index(
                fields=["tenant", "external_ref", "-id"],
                name="application_external_ref",
                condition=Q(external_ref__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return self.external_ref or str(self.id)


class Payment(models.Model):
    """What an execution costs and whether it was paid; the price is frozen from the version at creation."""

    order_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    execution = models.OneToOneField(Execution, on_delete=models.CASCADE, related_name="payment")
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="payments", db_index=False)
    provider = models.CharField(max_length=32)
    status = models.CharField(max_length=32, choices=choices(PaymentStatus))
    amount = models.BigIntegerField(help_text="In minor units of the currency.")
    currency = models.CharField(max_length=3)
    refund_policy = models.CharField(max_length=16)
    refunded_amount = models.BigIntegerField(default=0)
    reference = models.CharField(max_length=255, null=True, blank=True, help_text="The provider's, or the operator's.")
    checkout_session_id = models.CharField(max_length=255, null=True, blank=True)
    created_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "payment"
        ordering = ("-order_id",)
        constraints = (
            one_of("status", PaymentStatus, "payment_status_known"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(
                condition=Q(refunded_amount__gte=0, refunded_amount__lte=F("amount")), name="payment_refund_within"
            ),
        )
        indexes = (
            models.Index(fields=["tenant", "-order_id"], name="payment_tenant"),
            models.Index(
                fields=["expires_at"], name="payment_expiring", condition=Q(status=PaymentStatus.UNPAID.value)
            ),
        )

    def __str__(self) -> str:
        return str(self.order_id)
