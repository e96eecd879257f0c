"""The rows of the engine: what was asked for, where it stands, every step, attempt and event.

Only executions/transitions.py writes a status; the constraints here repeat what it keeps.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from contract.identifiers import new_id
from executions.states import TERMINAL, AttemptStatus, Intent, PaymentStatus, Status, StepStatus


def one_of(field: str, words: Iterable[StrEnum], name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=Q(**{f"{field}__in": sorted(w.value for w in words)}), name=name)


def choices(words: Iterable[StrEnum]) -> list[tuple[str, str]]:
    return [(word.value, word.value.replace("_", " ")) for word in words]


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
    run_id = models.UUIDField(null=True, blank=True, help_text="The current run; null until it is queued.")
    output = models.TextField(null=True, blank=True, help_text="JSON text, when it has succeeded.")
    outcome = models.TextField(null=True, blank=True, help_text="The template's verdict on the output.")
    outcome_error = models.TextField(null=True, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    queued_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "execution"
        ordering = ("-id",)
        constraints = (
            one_of("status", Status, "execution_status_known"),
            one_of("intent", Intent, "execution_intent_known"),
            models.CheckConstraint(
                condition=Q(status__in=sorted(s.value for s in TERMINAL), finished_at__isnull=False)
                | (~Q(status__in=sorted(s.value for s in TERMINAL)) & Q(finished_at__isnull=True)),
                name="execution_finished_if_terminal",
            ),
            models.CheckConstraint(
                condition=Q(steps_left__gte=0, steps_running__gte=0, steps_ready__gte=0, steps_waiting__gte=0),
                name="execution_counters_not_negative",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=sorted(s.value for s in TERMINAL)) | Q(due_at__isnull=True, steps_running=0),
                name="execution_terminal_is_at_rest",
            ),
        )
        indexes = (
            models.Index(fields=["due_at"], name="execution_due", condition=Q(due_at__isnull=False)),
            models.Index(fields=["run_id"], name="execution_run"),
            models.Index(fields=["tenant", "-id"], name="execution_tenant"),
            models.Index(fields=["tenant", "status", "-id"], name="execution_tenant_status"),
            models.Index(fields=["tenant", "workflow", "-id"], name="execution_tenant_workflow"),
        )

    def __str__(self) -> str:
        return str(self.id)


class Submission(models.Model):
    """What was asked for and by whom: written once with the execution, never changed."""

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
    application = models.ForeignKey(
        "executions.Application", on_delete=models.PROTECT, null=True, blank=True, related_name="submissions"
    )
    template = models.ForeignKey(
        "workflows.Template", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    application_data = models.TextField(null=True, blank=True, help_text="JSON text: the application as it was.")
    outcome_expression = models.TextField(null=True, blank=True, help_text="The template's outcome as it was.")

    class Meta:
        db_table = "submission"
        indexes = (
            models.Index(fields=["tenant", "external_ref", "-execution"], name="submission_external_ref"),
            models.Index(fields=["tenant", "source_entity_id", "-execution"], name="submission_source_entity"),
            models.Index(fields=["tenant", "source_system", "-execution"], name="submission_source_system"),
        )

    def __str__(self) -> str:
        return f"{self.source_system}/{self.source_entity_type}"


class Step(models.Model):
    """Where one step of an execution stands. Made by the first advance; one that never begins stays as made."""

    id = models.BigAutoField(primary_key=True)
    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="steps", db_index=False)
    index = models.IntegerField(help_text="Its place in the definition, from 0.")
    name = models.CharField(max_length=100)
    status = models.CharField(max_length=16, choices=choices(StepStatus))
    parents_left = models.IntegerField()
    parents_live = models.IntegerField(default=0)
    attempts = models.IntegerField(default=0, help_text="The number of its newest attempt.")
    failures = models.IntegerField(default=0, help_text="Attempts that failed.")
    losses = models.IntegerField(default=0, help_text="Attempts lost with their worker.")

    class Meta:
        db_table = "step"
        constraints = (
            models.UniqueConstraint(fields=["execution", "index"], name="step_once"),
            one_of("status", StepStatus, "step_status_known"),
            models.CheckConstraint(
                condition=Q(parents_left__gte=0, parents_live__gte=0, attempts__gte=0),
                name="step_counters_not_negative",
            ),
        )

    def __str__(self) -> str:
        return self.name


class Attempt(models.Model):
    """One attempt at a step. The number is the fencing token: only a running attempt's own outcome is recorded."""

    id = models.BigAutoField(primary_key=True)
    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="attempts", db_index=False)
    step_index = models.IntegerField()
    number = models.IntegerField()
    status = models.CharField(max_length=16, choices=choices(AttemptStatus))
    worker = models.UUIDField(help_text="The boot id of the process that carries it out.")
    worker_name = models.CharField(max_length=255)
    code_version = models.CharField(max_length=64)
    input = models.TextField(
        null=True, blank=True, help_text="JSON text: the resolved config, or what a pure step read."
    )
    output = models.TextField(null=True, blank=True, help_text="JSON text.")
    error = models.TextField(null=True, blank=True, help_text="JSON text {kind, message, details}.")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "attempt"
        constraints = (
            models.UniqueConstraint(fields=["execution", "step_index", "number"], name="attempt_once"),
            one_of("status", AttemptStatus, "attempt_status_known"),
            models.CheckConstraint(condition=Q(number__gte=1), name="attempt_number_positive"),
            models.CheckConstraint(
                condition=Q(status=AttemptStatus.RUNNING.value, finished_at__isnull=True)
                | (~Q(status=AttemptStatus.RUNNING.value) & Q(finished_at__isnull=False)),
                name="attempt_finished_if_not_running",
            ),
        )
        indexes = (
            models.Index(fields=["worker"], name="attempt_running", condition=Q(status=AttemptStatus.RUNNING.value)),
        )

    def __str__(self) -> str:
        return f"{self.step_index}#{self.number}"


class DueStep(models.Model):
    """A step that may begin at `due_at` and that nobody has claimed yet."""

    id = models.BigAutoField(primary_key=True)
    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="due_steps", db_index=False)
    step_index = models.IntegerField()
    due_at = models.DateTimeField()

    class Meta:
        db_table = "due_step"
        constraints = (models.UniqueConstraint(fields=["execution", "due_at", "step_index"], name="due_step_once"),)

    def __str__(self) -> str:
        return f"{self.step_index} at {self.due_at}"


class Event(models.Model):
    """What happened, in a gapless sequence per execution, each event naming the hash of the one before it."""

    id = models.BigAutoField(primary_key=True)
    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="events", db_index=False)
    sequence = models.IntegerField()
    type = models.CharField(max_length=64)
    step = models.CharField(max_length=100, null=True, blank=True)
    body = models.TextField(help_text="Canonical JSON (RFC 8785), the bytes that are hashed.")
    hash = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "event"
        constraints = (models.UniqueConstraint(fields=["execution", "sequence"], name="event_once"),)

    def __str__(self) -> str:
        return f"{self.sequence} {self.type}"


class ArrivalKind(StrEnum):
    """What can arrive for an execution from outside its own steps."""

    CANCEL = "cancel"
    ATTEMPT_LOST = "attempt_lost"


class Arrival(models.Model):
    """One row of an execution's inbox, consumed in order by the execution's own advance."""

    id = models.BigAutoField(primary_key=True)
    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="inbox", db_index=False)
    kind = models.CharField(max_length=16, choices=choices(ArrivalKind))
    payload = models.TextField(default="{}", help_text="JSON text.")
    actor = models.CharField(max_length=255)
    created_at = models.DateTimeField()
    consumed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "inbox"
        constraints = (one_of("kind", ArrivalKind, "inbox_kind_known"),)
        indexes = (models.Index(fields=["execution", "id"], name="inbox_open", condition=Q(consumed_at__isnull=True)),)

    def __str__(self) -> str:
        return self.kind


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


class Application(models.Model):
    """What a data orchestration is run for: a caller's record, any JSON object."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="applications", db_index=False)
    external_ref = models.CharField(max_length=255, null=True, blank=True)
    data = models.TextField(help_text="JSON text of an object.")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "application"
        ordering = ("-id",)
        indexes = (models.Index(fields=["tenant", "-id"], name="application_tenant"),)

    def __str__(self) -> str:
        return self.external_ref or str(self.id)


class Payment(models.Model):
    """What an execution costs and whether it was paid; the price is frozen from the version at creation."""

    order_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    execution = models.OneToOneField(Execution, on_delete=models.CASCADE, related_name="payment")
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="payments", db_index=False)
    provider = models.CharField(max_length=32)
    status = models.CharField(max_length=32, choices=choices(PaymentStatus))
    amount = models.BigIntegerField(help_text="In minor units of the currency.")
    currency = models.CharField(max_length=3)
    refund_policy = models.CharField(max_length=16)
    refunded_amount = models.BigIntegerField(default=0)
    reference = models.CharField(max_length=255, null=True, blank=True, help_text="The provider's, or the operator's.")
    checkout_session_id = models.CharField(max_length=255, null=True, blank=True)
    created_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "payment"
        ordering = ("-order_id",)
        constraints = (
            one_of("status", PaymentStatus, "payment_status_known"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(
                condition=Q(refunded_amount__gte=0, refunded_amount__lte=F("amount")), name="payment_refund_within"
            ),
        )
        indexes = (models.Index(fields=["tenant", "-order_id"], name="payment_tenant"),)

    def __str__(self) -> str:
        return str(self.order_id)
