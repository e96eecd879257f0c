"""One table. Its row is as large as a small request."""

from __future__ import annotations

from django.db import models


class Row(models.Model):
    """A request that was taken."""

    created_at = models.DateTimeField(auto_now_add=True)
    payload = models.JSONField()

    class Meta:
        app_label = "bare"
        db_table = "bare_row"

    def __str__(self) -> str:
        return str(self.pk)
