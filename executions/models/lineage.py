"""What the fields of an execution's inputs came from, kept when it is sealed: it outlives the payloads."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from executions.models.execution import Execution


class Lineage(models.Model):
    """One row of an execution's lineage, by its place in the list: see docs/lineage.md. Never changed."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+", db_index=False)
    # No constraint: each insert would lock the row that the engine rewrites with every step.
    execution = models.ForeignKey(
        Execution, on_delete=models.CASCADE, related_name="lineage", db_index=False, db_constraint=False
    )
    position = models.IntegerField()
    step = models.CharField(max_length=255, blank=True, help_text="Empty for what the execution itself came to.")
    number = models.IntegerField(help_text="Of the attempt.")
    field = models.TextField(help_text="JSON Pointer into the recorded input.")
    value = models.BinaryField(null=True, help_text="The digest of what stands at the field.")
    kind = models.CharField(max_length=12)
    name = models.CharField(max_length=255, null=True, blank=True, help_text="The step that it came from.")
    attempt = models.IntegerField(null=True, blank=True)
    pointer = models.TextField(null=True, blank=True, help_text="JSON Pointer into what it came from.")
    expression = models.TextField(null=True, blank=True)
    digest = models.BinaryField(null=True, help_text="The digest of what stands there.")
    whole = models.BinaryField(null=True, help_text="The digest of the payload around it; null for the whole.")

    class Meta:
        db_table = "lineage"
        ordering = ("execution", "position")
        constraints = (models.UniqueConstraint(fields=["execution", "position"], name="lineage_once"),)
        indexes = (
            models.Index(fields=["tenant", "digest", "id"], name="lineage_digest", condition=Q(digest__isnull=False)),
            models.Index(fields=["tenant", "whole", "id"], name="lineage_whole", condition=Q(whole__isnull=False)),
        )

    def __str__(self) -> str:
        return f"{self.step}{self.field}"
