"""What happened to an execution, and what has come for it from outside."""

from __future__ import annotations

from enum import StrEnum

from django.db import models
from django.db.models import Q

from executions.models.constraints import choices, one_of
from executions.models.execution import Execution
from executions.models.transaction import CurrentTransactionId, TransactionIdField


class Event(models.Model):
    """What happened, in a gapless sequence per execution, each event naming the hash of the one before it."""

    id = models.BigAutoField(primary_key=True)
    # No constraint: see executions/models/step.py.
    execution = models.ForeignKey(
        Execution, on_delete=models.CASCADE, related_name="events", db_index=False, db_constraint=False
    )
    sequence = models.IntegerField()
    type = models.CharField(max_length=64)
    step = models.CharField(max_length=255, null=True, blank=True)
    body = models.TextField(help_text="Canonical JSON (RFC 8785), the bytes that are hashed.")
    hash = models.BinaryField()
    created_at = models.DateTimeField()
    xid = TransactionIdField(
        db_default=CurrentTransactionId(),
        editable=False,
        help_text="Who wrote it, or the event before, whichever is later: with `id`, the order of all events.",
    )

    class Meta:
        db_table = "event"
        constraints = (models.UniqueConstraint(fields=["execution", "sequence"], name="event_once"),)
        indexes = (models.Index(fields=["xid", "id"], name="event_in_order"),)

    def __str__(self) -> str:
        return f"{self.sequence} {self.type}"


class ArrivalKind(StrEnum):
    """What can arrive for an execution from outside its own steps."""

    CANCEL = "cancel"
    ATTEMPT_LOST = "attempt_lost"
    SIGNAL = "signal"
    DECISION = "decision"
    CHILD_ENDED = "child_ended"
    SKIP = "skip"
    COMPLETE = "complete"
    RESOLVE = "resolve"
    TASK_REPORTED = "task_reported"
    AGENT_DENIED = "agent_denied"


class Arrival(models.Model):
    """One row of an execution's inbox, consumed in order by the execution's own advance."""

    id = models.BigAutoField(primary_key=True)
    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="inbox", db_index=False)
    kind = models.CharField(max_length=16, choices=choices(ArrivalKind))
    payload = models.TextField(default="{}", help_text="JSON text.")
    name = models.CharField(max_length=100, null=True, blank=True, help_text="Of a signal.")
    actor = models.CharField(max_length=255)
    created_at = models.DateTimeField()
    kept_at = models.DateTimeField(null=True, blank=True, help_text="When a signal was found to come before its wait.")
    consumed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "inbox"
        constraints = (one_of("kind", ArrivalKind, "inbox_kind_known"),)
        indexes = (
            models.Index(
                fields=["execution", "id"],
                name="inbox_open",
                condition=Q(consumed_at__isnull=True, kept_at__isnull=True),
            ),
            models.Index(
                fields=["execution", "name", "id"],
                name="inbox_kept",
                condition=Q(consumed_at__isnull=True, kept_at__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return self.kind
