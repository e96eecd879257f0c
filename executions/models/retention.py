"""How long payloads are kept, and whose objects have yet to go."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Retention(models.Model):
    """Days after the end after which payloads are dropped. A workflow's own row goes before its tenant's."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    workflow = models.ForeignKey(
        "workflows.Workflow", on_delete=models.CASCADE, null=True, blank=True, related_name="+", db_index=False
    )
    payload_days = models.IntegerField(null=True, blank=True, help_text="Empty: they are kept.")

    class Meta:
        db_table = "retention"
        constraints = (
            models.UniqueConstraint(fields=["tenant", "workflow"], name="retention_once", nulls_distinct=False),
            models.CheckConstraint(
                condition=Q(payload_days__isnull=True) | Q(payload_days__gte=0), name="retention_days_not_negative"
            ),
        )

    def __str__(self) -> str:
        return "kept" if self.payload_days is None else f"{self.payload_days} days"


class PayloadRemoval(models.Model):
    """An execution whose payloads were dropped from the tables, and whose objects may still be there."""

    execution_id = models.UUIDField(primary_key=True)
    tenant_id = models.UUIDField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "payload_removal"

    def __str__(self) -> str:
        return str(self.execution_id)
