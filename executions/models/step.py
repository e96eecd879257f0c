"""Steps, the attempts at them, and which of them may begin when.

Like events, they are written in one statement with the execution's own row, which gives them its id. A foreign key
would look that row up again for each of them and lock it once more; that none is left alone, verification says.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from executions.models.constraints import among, choices, not_negative
from executions.models.execution import Execution
from executions.states import AttemptStatus, StepStatus


class Step(models.Model):
    """Where one step of an execution stands, or a part of one. Made by the first advance, or as its step begins."""

    id = models.BigAutoField(primary_key=True)
    execution = models.ForeignKey(
        Execution, on_delete=models.CASCADE, related_name="steps", db_index=False, db_constraint=False
    )
    index = models.IntegerField(help_text="Its place in the definition, from 0; parts and compensations follow.")
    name = models.CharField(max_length=255)
    status = models.CharField(max_length=16, choices=choices(StepStatus))
    parents_left = models.IntegerField()
    parents_live = models.IntegerField(default=0)
    attempts = models.IntegerField(default=0, help_text="The number of its newest attempt.")
    failures = models.IntegerField(default=0, help_text="Attempts that failed.")
    losses = models.IntegerField(default=0, help_text="Attempts lost with their worker.")
    generation = models.IntegerField(default=1, help_text="Raised where its effect is wanted anew.")
    item = models.TextField(null=True, blank=True, help_text="JSON text: what the part of a map works on.")
    parts_made = models.IntegerField(default=0, help_text="Parts that have a row.")
    parts_opened = models.IntegerField(default=0, help_text="Parts before this number may have begun.")
    parts_left = models.IntegerField(default=0, help_text="Parts that have not ended.")
    parts_open = models.IntegerField(default=0, help_text="Parts that were opened and have not ended.")
    parts_failed = models.IntegerField(default=0)

    class Meta:
        db_table = "step"
        constraints = (
            models.UniqueConstraint(fields=["execution", "index"], name="step_once"),
            models.CheckConstraint(condition=among("status", StepStatus), name="step_status_known"),
            models.CheckConstraint(
                condition=not_negative("parents_left", "parents_live", "attempts", "parts_left", "parts_open"),
                name="step_counters_not_negative",
            ),
        )

    def __str__(self) -> str:
        return self.name


_OPEN = {AttemptStatus.RUNNING, AttemptStatus.WAITING}


class Attempt(models.Model):
    """One attempt at a step. The number is the fencing token: only a running attempt's own outcome is recorded."""

    id = models.BigAutoField(primary_key=True)
    execution = models.ForeignKey(
        Execution, on_delete=models.CASCADE, related_name="attempts", db_index=False, db_constraint=False
    )
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
    child = models.UUIDField(null=True, blank=True, help_text="The execution that was started for it.")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "attempt"
        constraints = (
            models.UniqueConstraint(fields=["execution", "step_index", "number"], name="attempt_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="attempt_number_positive"),
            models.CheckConstraint(
                condition=(among("status", _OPEN) & Q(finished_at__isnull=True))
                | (among("status", set(AttemptStatus) - _OPEN) & Q(finished_at__isnull=False)),
                name="attempt_status_known_and_finished_if_not_open",
            ),
        )
        indexes = (
            models.Index(fields=["worker"], name="attempt_running", condition=Q(status=AttemptStatus.RUNNING.value)),
            models.Index(
                fields=["execution", "step_index"],
                name="attempt_waiting",
                condition=Q(status=AttemptStatus.WAITING.value),
            ),
        )

    def __str__(self) -> str:
        return f"{self.step_index}#{self.number}"


class DueStep(models.Model):
    """A step that may begin at `due_at` and that nobody has claimed yet."""

    id = models.BigAutoField(primary_key=True)
    execution = models.ForeignKey(
        Execution, on_delete=models.CASCADE, related_name="due_steps", db_index=False, db_constraint=False
    )
    step_index = models.IntegerField()
    due_at = models.DateTimeField()

    class Meta:
        db_table = "due_step"
        constraints = (models.UniqueConstraint(fields=["execution", "due_at", "step_index"], name="due_step_once"),)

    def __str__(self) -> str:
        return f"{self.step_index} at {self.due_at}"
