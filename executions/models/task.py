"""What workers of agents claim: one task for each attempt at an agent step."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from contract.identifiers import new_id
from executions.models.constraints import choices, one_of
from executions.models.execution import Execution
from executions.states import TaskStatus

CLAIMABLE = [TaskStatus.OPEN.value, TaskStatus.CLAIMED.value]


class Task(models.Model):
    """Opened and closed with its attempt by the execution's advance; what workers do with it meanwhile stands here
    alone, so that claiming and beating lock no execution."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="tasks", db_index=False)
    step_index = models.IntegerField()
    number = models.IntegerField(help_text="Of the attempt.")
    agent = models.ForeignKey("tenants.Agent", on_delete=models.PROTECT, related_name="+", db_index=False)
    status = models.CharField(max_length=16, choices=choices(TaskStatus))
    priority = models.SmallIntegerField(default=0, help_text="The execution's.")
    opened_at = models.DateTimeField()
    deadline_at = models.DateTimeField(null=True, blank=True, help_text="When nobody waits for it any more.")
    lease = models.UUIDField(null=True, blank=True, help_text="The fence: only who holds the newest may report.")
    leased_until = models.DateTimeField(null=True, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    claimed_by = models.CharField(max_length=255, null=True, blank=True)
    report = models.CharField(max_length=64, null=True, blank=True, help_text="The digest of what was reported.")

    class Meta:
        db_table = "task"
        constraints = (
            models.UniqueConstraint(fields=["execution", "step_index", "number"], name="task_once"),
            one_of("status", TaskStatus, "task_status_known"),
            models.CheckConstraint(
                condition=Q(lease__isnull=False, leased_until__isnull=False)
                | (Q(lease__isnull=True) & ~Q(status__in=[TaskStatus.CLAIMED.value, TaskStatus.REPORTED.value])),
                name="task_claimed_has_lease",
            ),
        )
        indexes = (
            models.Index(
                fields=["agent", "status", "priority", "opened_at", "id"],
                name="task_claimable",
                condition=Q(status__in=CLAIMABLE),
            ),
            models.Index(fields=["leased_until"], name="task_leased", condition=Q(status=TaskStatus.CLAIMED.value)),
        )

    def __str__(self) -> str:
        return f"{self.step_index}#{self.number}"
