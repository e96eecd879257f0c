"""Where an execution stands, what was asked for, and the runs before a redrive."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from contract.identifiers import new_id
from executions.models.constraints import among, choices, not_negative
from executions.models.transaction import CurrentTransactionId, TransactionIdField
from executions.states import DEADLINE, TERMINAL, Intent, Status

_FAILED = Q(status=Status.FAILED.value)
DEADLINE_PASSED = _FAILED & Q(status_reason=DEADLINE)
OTHERWISE_FAILED = _FAILED & ~Q(status_reason=DEADLINE)
"""The two kinds of failure that lists tell apart, each with an index of its own."""


class Execution(models.Model):
    """Where one execution stands: narrow, for it is rewritten every step. What was asked for stands in Submission."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="executions", db_index=False)
    workflow = models.ForeignKey(
        "workflows.Workflow", on_delete=models.PROTECT, related_name="executions", db_index=False
    )
    version = models.ForeignKey(
        "workflows.WorkflowVersion", on_delete=models.PROTECT, related_name="executions", db_index=False
    )
    status = models.CharField(max_length=32, choices=choices(Status))
    status_reason = models.TextField(null=True, blank=True)
    intent = models.CharField(max_length=8, choices=choices(Intent), default=Intent.RUN.value)
    seq = models.BigIntegerField(default=0, help_text="Raised by every write; the guard of every apply.")
    event_sequence = models.IntegerField(default=0, help_text="The sequence of the newest event.")
    chain_head = models.BinaryField(help_text="The hash of the newest event.")
    event_xid = TransactionIdField(
        db_default=CurrentTransactionId(), editable=False, help_text="The `xid` of the newest event."
    )
    steps_left = models.IntegerField(help_text="Steps that have not ended.")
    steps_running = models.IntegerField(default=0)
    steps_ready = models.IntegerField(default=0, help_text="Steps that may begin, now or after a retry's delay.")
    steps_waiting = models.IntegerField(default=0)
    steps_made = models.BooleanField(
        default=False, help_text="Whether the step rows exist: the first advance makes them."
    )
    due_at = models.DateTimeField(null=True, blank=True, help_text="The earliest time at which anyone may act.")
    tries = models.SmallIntegerField(default=0, help_text="Overdue takes that came to nothing since the last progress.")
    quarantined_at = models.DateTimeField(null=True, blank=True)
    deadline_at = models.DateTimeField(null=True, blank=True)
    grace_at = models.DateTimeField(
        null=True, blank=True, help_text="When attempts that still run are closed, once it was cancelled."
    )
    compensating = models.BooleanField(default=False, help_text="Whether a compensation is under way.")
    priority = models.SmallIntegerField(default=0, help_text="0 to 9; what is due with a higher one is taken first.")
    concurrency_key = models.CharField(
        max_length=255, null=True, blank=True, help_text="Only so many executions with the same key run at once."
    )
    run_id = models.UUIDField(null=True, blank=True, help_text="The current run; null until it is queued.")
    output = models.TextField(null=True, blank=True, help_text="JSON text, when it has succeeded.")
    outcome = models.TextField(null=True, blank=True, help_text="The template's verdict on the output.")
    outcome_error = models.TextField(null=True, blank=True)
    unsettled = models.BooleanField(
        default=False, db_default=False, help_text="Whether it was paid for, and may owe money back once it has ended."
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    queued_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    payloads_dropped_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "execution"
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=(among("status", TERMINAL) & Q(finished_at__isnull=False))
                | (among("status", set(Status) - TERMINAL) & Q(finished_at__isnull=True)),
                name="execution_status_known_and_finished_if_terminal",
            ),
            models.CheckConstraint(condition=among("intent", Intent), name="execution_intent_known"),
            models.CheckConstraint(
                condition=not_negative("steps_left", "steps_running", "steps_ready", "steps_waiting"),
                name="execution_counters_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True) | Q(due_at__isnull=True, steps_running=0),
                name="execution_terminal_is_at_rest",
            ),
        )
        indexes = (
            models.Index(fields=["-priority", "due_at"], name="execution_due_first", condition=Q(due_at__isnull=False)),
            models.Index(
                fields=["concurrency_key", "status", "-priority", "queued_at", "id"],
                name="execution_concurrency",
                condition=Q(
                    concurrency_key__isnull=False,
                    status__in=[Status.QUEUED.value, Status.RUNNING.value, Status.WAITING.value],
                ),
            ),
            models.Index(
                fields=["-quarantined_at"], name="execution_quarantined", condition=Q(quarantined_at__isnull=False)
            ),
            models.Index(
                fields=["id"],
                name="execution_unsettled",
                condition=Q(unsettled=True, status__in=sorted(s.value for s in TERMINAL)),
            ),
            models.Index(
                fields=["tenant", "workflow", "finished_at"],
                name="execution_droppable",
                condition=Q(finished_at__isnull=False, payloads_dropped_at__isnull=True),
            ),
            models.Index(fields=["run_id"], name="execution_run"),
            models.Index(fields=["tenant", "-id"], name="execution_tenant"),
            models.Index(fields=["tenant", "status", "-id"], name="execution_tenant_status"),
            models.Index(fields=["tenant", "workflow", "status", "-id"], name="execution_tenant_workflow"),
            models.Index(fields=["tenant", "-id"], name="execution_timed_out", condition=DEADLINE_PASSED),
            models.Index(fields=["tenant", "-id"], name="execution_otherwise_failed", condition=OTHERWISE_FAILED),
        )

    def __str__(self) -> str:
        return str(self.id)


class Submission(models.Model):
    """What was asked for and by whom: written once with the execution; a redrive may add to its parameters."""

    execution = models.OneToOneField(Execution, on_delete=models.CASCADE, primary_key=True, related_name="submission")
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+", db_index=False)
    source_system = models.CharField(max_length=255)
    source_entity_type = models.CharField(max_length=255)
    source_entity_id = models.CharField(max_length=255, null=True, blank=True)
    external_ref = models.CharField(max_length=255, null=True, blank=True)
    idempotency_key = models.CharField(max_length=255, null=True, blank=True)
    initiated_by_type = models.CharField(max_length=16)
    initiated_by_id = models.CharField(max_length=255)
    request_id = models.CharField(max_length=64)
    input = models.TextField(help_text="JSON text of an object.")
    parameters = models.TextField(default="{}", help_text="JSON text: patches of steps and free values.")
    client_safe_metadata = models.TextField(default="{}", help_text="JSON text of an object.")
    agent = models.ForeignKey(
        "tenants.Agent", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    timeout_seconds = models.FloatField(
        null=True, blank=True, help_text="The caller's own; of this and the definition's the smaller counts."
    )
    application = models.ForeignKey(
        "executions.Application",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="submissions",
        db_index=False,
    )
    template = models.ForeignKey(
        "workflows.Template", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    application_data = models.TextField(null=True, blank=True, help_text="JSON text: the application as it was.")
    outcome_expression = models.TextField(null=True, blank=True, help_text="The template's outcome as it was.")
    parent = models.ForeignKey(
        Execution, on_delete=models.PROTECT, null=True, blank=True, related_name="children", db_index=False
    )
    parent_step = models.IntegerField(
        null=True, blank=True, help_text="The index of the parent's step that started it."
    )
    parent_turn = models.CharField(
        max_length=32,
        null=True,
        blank=True,
        help_text="Which carrying out of that step: the same turn starts one child.",
    )
    root = models.UUIDField(null=True, blank=True, help_text="The execution at the top, for one that has a parent.")
    depth = models.SmallIntegerField(default=0)

    class Meta:
        db_table = "submission"
        constraints = (
            models.UniqueConstraint(
                fields=["parent", "parent_step", "parent_turn"],
                name="submission_one_child_a_turn",
                condition=Q(parent__isnull=False),
            ),
        )
        indexes = (
            models.Index(fields=["tenant", "external_ref", "-execution"], name="submission_external_ref"),
            models.Index(fields=["tenant", "source_entity_id", "-execution"], name="submission_source_entity"),
            models.Index(fields=["tenant", "source_system", "-execution"], name="submission_source_system"),
            models.Index(
                fields=["application", "-execution"],
                name="submission_application",
                condition=Q(application__isnull=False),
            ),
            models.Index(fields=["root"], name="submission_root", condition=Q(root__isnull=False)),
        )

    def __str__(self) -> str:
        return f"{self.source_system}/{self.source_entity_type}"


class EarlierRun(models.Model):
    """A run that ended before the execution was redriven: its id keeps naming the execution."""

    run_id = models.UUIDField(primary_key=True)
    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="earlier_runs")
    status = models.CharField(max_length=32, choices=choices(Status))
    status_reason = models.TextField(null=True, blank=True)
    parameters = models.TextField(default="{}", help_text="JSON text: what it ran with.")
    queued_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField()

    class Meta:
        db_table = "earlier_run"

    def __str__(self) -> str:
        return str(self.run_id)
