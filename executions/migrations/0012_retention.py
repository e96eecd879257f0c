"""How long payloads are kept, and which executions have none any more."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("executions", "0010_open_lineage"),
        ("tenants", "0003_secrets"),
        ("workflows", "0003_inline_definitions"),
    ]

    operations = [
        migrations.AddField(
            model_name="execution",
            name="payloads_dropped_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddIndex(
            model_name="execution",
            index=models.Index(
                condition=models.Q(("finished_at__isnull", False), ("payloads_dropped_at__isnull", True)),
                fields=["tenant", "workflow", "finished_at"],
                name="execution_droppable",
            ),
        ),
        migrations.CreateModel(
            name="PayloadRemoval",
            fields=[
                ("execution_id", models.UUIDField(primary_key=True, serialize=False)),
                ("tenant_id", models.UUIDField()),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
            ],
            options={"db_table": "payload_removal"},
        ),
        migrations.CreateModel(
            name="Retention",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("payload_days", models.IntegerField(blank=True, help_text="Empty: they are kept.", null=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "workflow",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="workflows.workflow",
                    ),
                ),
            ],
            options={
                "db_table": "retention",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "workflow"), name="retention_once", nulls_distinct=False
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("payload_days__isnull", True), ("payload_days__gte", 0), _connector="OR"
                        ),
                        name="retention_days_not_negative",
                    ),
                ],
            },
        ),
    ]
