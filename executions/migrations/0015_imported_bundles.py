"""Bundles of other installations, kept to be looked at."""

from __future__ import annotations

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import contract.identifiers


class Migration(migrations.Migration):
    dependencies = [
        ("executions", "0014_lineage"),
        ("tenants", "0003_secrets"),
    ]

    operations = [
        migrations.CreateModel(
            name="ImportedBundle",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=contract.identifiers.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("digest", models.CharField(help_text="The SHA-256 of the file.", max_length=64)),
                ("bytes", models.BigIntegerField()),
                ("execution_id", models.CharField(help_text="As the bundle says.", max_length=255)),
                ("workflow", models.CharField(help_text="As the bundle says.", max_length=255)),
                ("status", models.CharField(help_text="As the bundle says.", max_length=255)),
                ("intact", models.BooleanField(help_text="Whether everything matched.")),
                (
                    "verdict",
                    models.TextField(
                        help_text="JSON text: what verification said, and which keys are this installation's."
                    ),
                ),
                ("imported_by", models.CharField(max_length=255)),
                (
                    "imported_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
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
                "db_table": "imported_bundle",
                "ordering": ("-id",),
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "digest"), name="imported_bundle_once"),
                    models.CheckConstraint(
                        condition=models.Q(("digest__regex", "^[0-9a-f]{64}$")), name="imported_bundle_digest"
                    ),
                ],
            },
        ),
    ]
