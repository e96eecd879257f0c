"""How far the log of events was read, by each of those that read it in the order of all events."""

from __future__ import annotations

from django.db import models

from executions.models.transaction import TransactionIdField


class LogCursor(models.Model):
    """One reader's place; what it made of the events up to there is committed with it."""

    name = models.CharField(primary_key=True, max_length=32, editable=False)
    xid = TransactionIdField(editable=False)
    event = models.BigIntegerField(help_text="The id of the last event that was read.")

    class Meta:
        db_table = "log_cursor"

    def __str__(self) -> str:
        return f"{self.name} {self.xid}/{self.event}"
