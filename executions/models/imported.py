"""Bundles of other installations, kept to be looked at."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from contract.identifiers import new_id


class ImportedBundle(models.Model):
    """A bundle that was taken in: what it is of, and what verification said of it. Its bytes are payload objects.

    Nothing in here is an execution of this installation: no other table refers to it.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+", db_index=False)
    digest = models.CharField(max_length=64, help_text="The SHA-256 of the file.")
    bytes = models.BigIntegerField()
    execution_id = models.CharField(max_length=255, help_text="As the bundle says.")
    workflow = models.CharField(max_length=255, help_text="As the bundle says.")
    status = models.CharField(max_length=255, help_text="As the bundle says.")
    intact = models.BooleanField(help_text="Whether everything matched.")
    verdict = models.TextField(help_text="JSON text: what verification said, and which keys are this installation's.")
    imported_by = models.CharField(max_length=255)
    imported_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "imported_bundle"
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=["tenant", "digest"], name="imported_bundle_once"),
            models.CheckConstraint(condition=Q(digest__regex="^[0-9a-f]{64}$"), name="imported_bundle_digest"),
        )

    def __str__(self) -> str:
        return f"{self.workflow} {self.execution_id}"
