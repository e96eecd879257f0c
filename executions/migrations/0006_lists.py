"""Lists that cost the same at any size, and the time-out that a caller gives a run."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("executions", "0005_tasks_of_agents")]

    operations = [
        migrations.AddField(
            model_name="submission",
            name="timeout_seconds",
            field=models.FloatField(
                blank=True, help_text="The caller's own; of this and the definition's the smaller counts.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="submission",
            name="application",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="submissions",
                to="executions.application",
            ),
        ),
        migrations.AddIndex(
            model_name="submission",
            index=models.Index(
                condition=models.Q(("application__isnull", False)),
                fields=["application", "-execution"],
                name="submission_application",
            ),
        ),
        migrations.AddIndex(
            model_name="application",
            index=models.Index(
                condition=models.Q(("external_ref__isnull", False)),
                fields=["tenant", "external_ref", "-id"],
                name="application_external_ref",
            ),
        ),
        migrations.RemoveIndex(model_name="execution", name="execution_tenant_workflow"),
        migrations.AddIndex(
            model_name="execution",
            index=models.Index(fields=["tenant", "workflow", "status", "-id"], name="execution_tenant_workflow"),
        ),
        migrations.AddIndex(
            model_name="execution",
            index=models.Index(
                condition=models.Q(("status", "workflow_failed"), ("status_reason", "deadline_exceeded")),
                fields=["tenant", "-id"],
                name="execution_timed_out",
            ),
        ),
        migrations.AddIndex(
            model_name="execution",
            index=models.Index(
                condition=models.Q(
                    ("status", "workflow_failed"),
                    models.Q(("status_reason", "deadline_exceeded"), _negated=True),
                ),
                fields=["tenant", "-id"],
                name="execution_otherwise_failed",
            ),
        ),
    ]
