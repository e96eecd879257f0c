"""Receipts and the keys that sign them; each reader of the log of events has a cursor in one table.

The reader that makes receipts begins where the log ends now: what ended before is signed when somebody asks.
"""

from __future__ import annotations

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import executions.models.transaction
from executions.models.constraints import choices
from executions.states import Status

_CURSORS = """
INSERT INTO log_cursor (name, xid, event) SELECT 'webhooks', xid, event FROM webhook_cursor;
INSERT INTO log_cursor (name, xid, event)
SELECT 'receipts', pg_snapshot_xmin(pg_current_snapshot()), 0 WHERE EXISTS (SELECT FROM event);
"""
_CURSOR = """
INSERT INTO webhook_cursor (id, xid, event) SELECT 1, xid, event FROM log_cursor WHERE name = 'webhooks';
"""


class Migration(migrations.Migration):
    dependencies = [("executions", "0012_retention")]

    operations = [
        migrations.CreateModel(
            name="LogCursor",
            fields=[
                ("name", models.CharField(editable=False, max_length=32, primary_key=True, serialize=False)),
                ("xid", executions.models.transaction.TransactionIdField(editable=False)),
                ("event", models.BigIntegerField(help_text="The id of the last event that was read.")),
            ],
            options={"db_table": "log_cursor"},
        ),
        migrations.RunSQL(_CURSORS, _CURSOR),
        migrations.DeleteModel(name="WebhookCursor"),
        migrations.CreateModel(
            name="SigningKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kid",
                    models.CharField(
                        editable=False,
                        help_text="The thumbprint of its JWK (RFC 7638).",
                        max_length=43,
                        unique=True,
                    ),
                ),
                (
                    "public_key",
                    models.CharField(
                        editable=False, help_text="Ed25519, base64url: `x` of its JWK.", max_length=43
                    ),
                ),
                ("sealed", models.TextField(editable=False, help_text="The private key, encrypted.")),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "retired_at",
                    models.DateTimeField(blank=True, help_text="Since when it signs no more.", null=True),
                ),
                (
                    "signs",
                    models.BooleanField(
                        default=True, editable=False, help_text="Of one key; null once retired.", null=True
                    ),
                ),
            ],
            options={
                "db_table": "signing_key",
                "ordering": ("-id",),
                "constraints": [
                    models.UniqueConstraint(fields=("signs",), name="signing_key_alone"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("retired_at__isnull", True), ("signs", True)
                        )
                        | models.Q(("retired_at__isnull", False), ("signs__isnull", True)),
                        name="signing_key_retired_or_signs",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Receipt",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                (
                    "run_id",
                    models.UUIDField(
                        blank=True, help_text="Null where it ended before it was ever queued.", null=True
                    ),
                ),
                ("sequence", models.IntegerField(help_text="Of the event that ended the run.")),
                ("status", models.CharField(choices=choices(Status), max_length=32)),
                ("kid", models.CharField(help_text="The key that signed it.", max_length=43)),
                ("jws", models.TextField(help_text="Compact JWS.")),
                ("created_at", models.DateTimeField()),
                (
                    "execution",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="receipts",
                        to="executions.execution",
                    ),
                ),
            ],
            options={
                "db_table": "receipt",
                "ordering": ("-id",),
                "constraints": [
                    models.UniqueConstraint(fields=("execution", "sequence"), name="receipt_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="SealingRefusal",
            fields=[
                (
                    "execution",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="sealing_refusal",
                        serialize=False,
                        to="executions.execution",
                    ),
                ),
                ("finding", models.TextField(help_text="The first thing that does not match.")),
                ("refused_at", models.DateTimeField()),
            ],
            options={
                "db_table": "sealing_refusal",
                "ordering": ("-refused_at",),
                "indexes": [models.Index(fields=["-refused_at"], name="sealing_refusal_newest")],
            },
        ),
    ]
