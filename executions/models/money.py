"""What is on record of money: a tenant's account with a provider, charges, refunds, providers' events, the ledger.

What an execution costs is the Payment in order.py.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from contract.identifiers import new_id
from executions.models.constraints import choices, one_of
from executions.models.order import Payment
from executions.payments.words import (
    MANUAL,
    STRIPE,
    Cause,
    EventOutcome,
    LedgerAccount,
    Posting,
    RefundStatus,
)


class PaymentAccount(models.Model):
    """A tenant's account with a provider: its active one is where new orders are paid. Its keys are sealed."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+", db_index=False)
    provider = models.CharField(max_length=32, choices=[(MANUAL, MANUAL), (STRIPE, STRIPE)])
    active = models.BooleanField(default=True, help_text="Whether new orders are paid there.")
    sealed = models.TextField(blank=True, editable=False)
    secret_hash = models.CharField(
        max_length=64, null=True, unique=True, editable=False, help_text="SHA-256 of the secret that names the tenant."
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "payment_account"
        constraints = (
            models.UniqueConstraint(fields=["tenant", "provider"], name="payment_account_once"),
            models.UniqueConstraint(fields=["tenant"], name="payment_account_one_active", condition=Q(active=True)),
            models.CheckConstraint(condition=Q(provider__in=[MANUAL, STRIPE]), name="payment_account_provider"),
            models.CheckConstraint(
                condition=Q(provider=STRIPE, secret_hash__isnull=False) & ~Q(sealed="")
                | Q(provider=MANUAL, secret_hash__isnull=True, sealed=""),
                name="payment_account_has_keys",
            ),
        )

    def __str__(self) -> str:
        return f"{self.provider} of {self.tenant_id}"


class Charge(models.Model):
    """Money that arrived for an order. The `main` one paid it; any other is stray and is given back."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="charges", db_index=False)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+", db_index=False)
    provider = models.CharField(max_length=32)
    reference = models.CharField(max_length=255, help_text="The provider's, or the operator's.")
    amount = models.BigIntegerField(help_text="In minor units of the currency.")
    currency = models.CharField(max_length=3)
    main = models.BooleanField()
    reserved_amount = models.BigIntegerField(default=0, help_text="What was given back, or is about to be.")
    refunded_amount = models.BigIntegerField(default=0)
    received_at = models.DateTimeField()

    class Meta:
        db_table = "charge"
        constraints = (
            models.UniqueConstraint(fields=["payment", "reference"], name="charge_once"),
            models.UniqueConstraint(fields=["payment"], name="charge_one_main", condition=Q(main=True)),
            models.CheckConstraint(
                condition=Q(amount__gt=0, refunded_amount__gte=0)
                & Q(refunded_amount__lte=F("reserved_amount"), reserved_amount__lte=F("amount")),
                name="charge_refunded_within",
            ),
        )
        indexes = (models.Index(fields=["tenant", "reference"], name="charge_reference"),)

    def __str__(self) -> str:
        return self.reference


class Refund(models.Model):
    """Money that is given back; written before the provider is asked, its id is what makes that happen once."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    charge = models.ForeignKey(Charge, on_delete=models.PROTECT, related_name="refunds", db_index=False)
    amount = models.BigIntegerField(help_text="In minor units of the currency.")
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=1000)
    cause = models.CharField(max_length=16, choices=choices(Cause))
    actor = models.CharField(max_length=255)
    status = models.CharField(max_length=16, choices=choices(RefundStatus))
    reference = models.CharField(max_length=255, null=True, blank=True, help_text="The provider's.")
    error = models.TextField(null=True, blank=True)
    tries = models.SmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True, blank=True, help_text="When the sweeper asks the provider (again).")
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "refund"
        ordering = ("-id",)
        constraints = (
            one_of("status", RefundStatus, "refund_status_known"),
            one_of("cause", Cause, "refund_cause_known"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_positive"),
            models.CheckConstraint(
                condition=Q(status=RefundStatus.PENDING.value, due_at__isnull=False, settled_at__isnull=True)
                | (~Q(status=RefundStatus.PENDING.value) & Q(due_at__isnull=True, settled_at__isnull=False)),
                name="refund_due_while_pending",
            ),
            models.UniqueConstraint(
                fields=["charge", "reference"], name="refund_once", condition=Q(reference__isnull=False)
            ),
            models.UniqueConstraint(
                fields=["charge"],
                name="refund_one_by_itself",
                condition=Q(cause__in=[Cause.POLICY.value, Cause.STRAY.value]) & ~Q(status=RefundStatus.FAILED.value),
            ),
        )
        indexes = (
            models.Index(fields=["due_at"], name="refund_due", condition=Q(status=RefundStatus.PENDING.value)),
            models.Index(fields=["charge", "id"], name="refund_charge"),
        )

    def __str__(self) -> str:
        return str(self.id)


class PaymentEvent(models.Model):
    """A provider's event that concerned, or will concern, an order: taken in once, by the provider's own id."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+", db_index=False)
    provider = models.CharField(max_length=32)
    event_id = models.CharField(max_length=255)
    type = models.CharField(max_length=255, help_text="In the provider's words.")
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, null=True, blank=True, related_name="events")
    reference = models.CharField(max_length=255, null=True, blank=True, help_text="Of the charge that it is about.")
    notice = models.TextField(help_text="JSON text: what was understood of it.")
    outcome = models.CharField(max_length=16, choices=choices(EventOutcome))
    received_at = models.DateTimeField()

    class Meta:
        db_table = "payment_event"
        ordering = ("-id",)
        constraints = (
            one_of("outcome", EventOutcome, "payment_event_outcome_known"),
            models.UniqueConstraint(fields=["tenant", "provider", "event_id"], name="payment_event_once"),
        )
        indexes = (
            models.Index(
                fields=["tenant", "reference", "id"],
                name="payment_event_early",
                condition=Q(outcome=EventOutcome.EARLY.value),
            ),
            models.Index(
                fields=["received_at"], name="payment_event_forgotten", condition=Q(outcome=EventOutcome.EARLY.value)
            ),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class LedgerEntry(models.Model):
    """One line of the ledger. The lines of a posting come to zero, and none is ever changed: triggers hold both."""

    id = models.BigAutoField(primary_key=True)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="entries")
    posting = models.CharField(max_length=16, choices=choices(Posting))
    source = models.UUIDField(help_text="The charge or the refund that it is for.")
    account = models.CharField(max_length=16, choices=choices(LedgerAccount))
    amount = models.BigIntegerField(help_text="In minor units: what comes to the account, or (negative) goes from it.")
    currency = models.CharField(max_length=3)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "ledger_entry"
        ordering = ("-id",)
        verbose_name_plural = "ledger entries"
        constraints = (
            one_of("posting", Posting, "ledger_entry_posting_known"),
            one_of("account", LedgerAccount, "ledger_entry_account_known"),
            models.UniqueConstraint(fields=["source", "posting", "account"], name="ledger_entry_once"),
        )

    def __str__(self) -> str:
        return f"{self.posting} {self.account} {self.amount} {self.currency}"
