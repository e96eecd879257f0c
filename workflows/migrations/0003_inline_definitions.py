"""Definitions that come with a call to run them, and indexes that serve each list in its order."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0001_initial"),
        ("workflows", "0002_published_versions_are_immutable"),
    ]

    operations = [
        migrations.AddField(
            model_name="workflow",
            name="inline_key",
            field=models.CharField(
                blank=True,
                editable=False,
                help_text="Of a definition that came with a call to run it: tells such definitions apart.",
                max_length=64,
                null=True,
            ),
        ),
        migrations.AddConstraint(
            model_name="workflow",
            constraint=models.UniqueConstraint(
                condition=models.Q(("inline_key__isnull", False)),
                fields=("tenant", "inline_key"),
                name="workflow_inline_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="workflow",
            constraint=models.CheckConstraint(
                condition=models.Q(("inline_key__isnull", True), ("archived_at__isnull", False), _connector="OR"),
                name="workflow_inline_is_archived",
            ),
        ),
        migrations.RemoveIndex(model_name="workflow", name="workflow_by_tenant"),
        migrations.AddIndex(
            model_name="workflow",
            index=models.Index(
                condition=models.Q(("inline_key__isnull", True)), fields=["tenant", "id"], name="workflow_by_tenant"
            ),
        ),
        migrations.AddIndex(
            model_name="workflowversion",
            index=models.Index(fields=["workflow", "id"], name="workflow_version_in_order"),
        ),
        migrations.RemoveIndex(model_name="template", name="template_by_tenant"),
        migrations.AddIndex(
            model_name="template",
            index=models.Index(
                condition=models.Q(("deleted_at__isnull", True), ("status", 2)),
                fields=["tenant", "id"],
                name="template_by_tenant",
            ),
        ),
        migrations.AlterField(
            model_name="workflow",
            name="tenant",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="workflows",
                to="tenants.tenant",
            ),
        ),
        migrations.AlterField(
            model_name="template",
            name="tenant",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="templates",
                to="tenants.tenant",
            ),
        ),
    ]
