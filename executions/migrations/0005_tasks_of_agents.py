"""Tasks that workers of agents claim, and what their ends and denials bring into inboxes."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

import contract.identifiers

STATUSES = ["open", "held", "claimed", "reported", "withdrawn", "closed"]
KINDS = [
    ("cancel", "cancel"),
    ("attempt_lost", "attempt lost"),
    ("signal", "signal"),
    ("decision", "decision"),
    ("child_ended", "child ended"),
    ("skip", "skip"),
    ("complete", "complete"),
    ("resolve", "resolve"),
]
NEW_KINDS = [("task_reported", "task reported"), ("agent_denied", "agent denied")]


class Migration(migrations.Migration):
    dependencies = [("executions", "0004_events_in_order"), ("tenants", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Task",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        primary_key=True, serialize=False, default=contract.identifiers.new_id, editable=False
                    ),
                ),
                ("step_index", models.IntegerField()),
                ("number", models.IntegerField(help_text="Of the attempt.")),
                ("status", models.CharField(max_length=16, choices=[(word, word) for word in STATUSES])),
                ("priority", models.SmallIntegerField(default=0, help_text="The execution's.")),
                ("opened_at", models.DateTimeField()),
                (
                    "deadline_at",
                    models.DateTimeField(null=True, blank=True, help_text="When nobody waits for it any more."),
                ),
                (
                    "lease",
                    models.UUIDField(
                        null=True, blank=True, help_text="The fence: only who holds the newest may report."
                    ),
                ),
                ("leased_until", models.DateTimeField(null=True, blank=True)),
                ("claimed_at", models.DateTimeField(null=True, blank=True)),
                ("claimed_by", models.CharField(max_length=255, null=True, blank=True)),
                (
                    "report",
                    models.CharField(
                        max_length=64, null=True, blank=True, help_text="The digest of what was reported."
                    ),
                ),
                (
                    "agent",
                    models.ForeignKey(
                        to="tenants.agent",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        db_index=False,
                    ),
                ),
                (
                    "execution",
                    models.ForeignKey(
                        to="executions.execution",
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tasks",
                        db_index=False,
                    ),
                ),
            ],
            options={"db_table": "task"},
        ),
        migrations.AddConstraint(
            model_name="task",
            constraint=models.UniqueConstraint(fields=["execution", "step_index", "number"], name="task_once"),
        ),
        migrations.AddConstraint(
            model_name="task",
            constraint=models.CheckConstraint(condition=Q(status__in=sorted(STATUSES)), name="task_status_known"),
        ),
        migrations.AddConstraint(
            model_name="task",
            constraint=models.CheckConstraint(
                condition=Q(lease__isnull=False, leased_until__isnull=False)
                | (Q(lease__isnull=True) & ~Q(status__in=["claimed", "reported"])),
                name="task_claimed_has_lease",
            ),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                fields=["agent", "status", "priority", "opened_at", "id"],
                name="task_claimable",
                condition=Q(status__in=["open", "claimed"]),
            ),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(fields=["leased_until"], name="task_leased", condition=Q(status="claimed")),
        ),
        migrations.RemoveConstraint(model_name="arrival", name="inbox_kind_known"),
        migrations.AlterField(
            model_name="arrival",
            name="kind",
            field=models.CharField(max_length=16, choices=[*KINDS, *NEW_KINDS]),
        ),
        migrations.AddConstraint(
            model_name="arrival",
            constraint=models.CheckConstraint(
                condition=Q(kind__in=sorted(word for word, _ in [*KINDS, *NEW_KINDS])), name="inbox_kind_known"
            ),
        ),
        # Backwards: the constraint of old does not know these kinds.
        migrations.RunSQL(migrations.RunSQL.noop, "DELETE FROM inbox WHERE kind IN ('task_reported', 'agent_denied')"),
    ]
