"""The worker processes that are alive, or were."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Worker(models.Model):
    """The lease of one worker process: beaten every second, with the attempts it holds."""

    boot_id = models.UUIDField(primary_key=True)
    name = models.CharField(max_length=255)
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    held = ArrayField(
        models.TextField(), default=list, help_text="execution:step:number of each attempt it carries out."
    )

    class Meta:
        db_table = "worker"

    def __str__(self) -> str:
        return self.name
