"""What the fields of inputs came from, for executions that are sealed from now on; of others it is derived when asked."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("executions", "0013_receipts"), ("tenants", "0003_secrets")]

    operations = [
        migrations.CreateModel(
            name="Lineage",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("position", models.IntegerField()),
                (
                    "step",
                    models.CharField(
                        blank=True, help_text="Empty for what the execution itself came to.", max_length=255
                    ),
                ),
                ("number", models.IntegerField(help_text="Of the attempt.")),
                ("field", models.TextField(help_text="JSON Pointer into the recorded input.")),
                ("value", models.BinaryField(help_text="The digest of what stands at the field.", null=True)),
                ("kind", models.CharField(max_length=12)),
                (
                    "name",
                    models.CharField(
                        blank=True, help_text="The step that it came from.", max_length=255, null=True
                    ),
                ),
                ("attempt", models.IntegerField(blank=True, null=True)),
                (
                    "pointer",
                    models.TextField(blank=True, help_text="JSON Pointer into what it came from.", null=True),
                ),
                ("expression", models.TextField(blank=True, null=True)),
                ("digest", models.BinaryField(help_text="The digest of what stands there.", null=True)),
                (
                    "whole",
                    models.BinaryField(help_text="The digest of the payload around it; null for the whole.", null=True),
                ),
                (
                    "execution",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="lineage",
                        to="executions.execution",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "db_table": "lineage",
                "ordering": ("execution", "position"),
                "constraints": [models.UniqueConstraint(fields=("execution", "position"), name="lineage_once")],
                "indexes": [
                    models.Index(
                        fields=["tenant", "digest", "id"],
                        name="lineage_digest",
                        condition=models.Q(digest__isnull=False),
                    ),
                    models.Index(
                        fields=["tenant", "whole", "id"],
                        name="lineage_whole",
                        condition=models.Q(whole__isnull=False),
                    ),
                ],
            },
        ),
    ]
