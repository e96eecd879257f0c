"""What was signed of executions that ended, the keys that signed it, and what could not be signed."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from executions.models.constraints import choices
from executions.models.execution import Execution
from executions.states import Status


class SigningKey(models.Model):
    """A key that signs receipts, for the whole installation. Retired ones are published for ever."""

    kid = models.CharField(
        max_length=43, unique=True, editable=False, help_text="The thumbprint of its JWK (RFC 7638)."
    )
    public_key = models.CharField(max_length=43, editable=False, help_text="Ed25519, base64url: `x` of its JWK.")
    sealed = models.TextField(editable=False, help_text="The private key, encrypted.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    retired_at = models.DateTimeField(null=True, blank=True, help_text="Since when it signs no more.")
    signs = models.BooleanField(default=True, null=True, editable=False, help_text="Of one key; null once retired.")

    class Meta:
        db_table = "signing_key"
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=["signs"], name="signing_key_alone"),
            models.CheckConstraint(
                condition=Q(signs=True, retired_at__isnull=True) | Q(signs__isnull=True, retired_at__isnull=False),
                name="signing_key_retired_or_signs",
            ),
        )

    def __str__(self) -> str:
        return self.kid


class Receipt(models.Model):
    """What was signed at the end of a run: the prefix of the chain up to the event `sequence`. Never changed."""

    id = models.UUIDField(primary_key=True, editable=False)
    # No constraint: each insert would lock the row that the engine rewrites with every step.
    execution = models.ForeignKey(
        Execution, on_delete=models.CASCADE, related_name="receipts", db_index=False, db_constraint=False
    )
    run_id = models.UUIDField(null=True, blank=True, help_text="Null where it ended before it was ever queued.")
    sequence = models.IntegerField(help_text="Of the event that ended the run.")
    status = models.CharField(max_length=32, choices=choices(Status))
    kid = models.CharField(max_length=43, help_text="The key that signed it.")
    jws = models.TextField(help_text="Compact JWS.")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "receipt"
        ordering = ("-id",)
        constraints = (models.UniqueConstraint(fields=["execution", "sequence"], name="receipt_once"),)

    def __str__(self) -> str:
        return str(self.id)


class SealingRefusal(models.Model):
    """An execution that was not signed, because its record does not verify: an alarm, until somebody asks again."""

    execution = models.OneToOneField(
        Execution, on_delete=models.CASCADE, primary_key=True, related_name="sealing_refusal", db_constraint=False
    )
    finding = models.TextField(help_text="The first thing that does not match.")
    refused_at = models.DateTimeField()

    class Meta:
        db_table = "sealing_refusal"
        ordering = ("-refused_at",)
        indexes = (models.Index(fields=["-refused_at"], name="sealing_refusal_newest"),)

    def __str__(self) -> str:
        return self.finding
