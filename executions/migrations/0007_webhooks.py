"""Outbound webhooks: endpoints, deliveries, their attempts, and how far the log of events was read for them."""

from __future__ import annotations

import contract.identifiers
import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
import executions.models.transaction
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("executions", "0006_lists"),
        ("tenants", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="WebhookCursor",
            fields=[
                ("id", models.SmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                ("xid", executions.models.transaction.TransactionIdField(editable=False)),
                ("event", models.BigIntegerField(help_text="The id of the last event that was read.")),
            ],
            options={
                "db_table": "webhook_cursor",
            },
        ),
        migrations.CreateModel(
            name="WebhookEndpoint",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=contract.identifiers.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=255)),
                ("url", models.CharField(max_length=2048)),
                ("description", models.CharField(blank=True, default="", max_length=4096)),
                (
                    "subscribed",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64),
                        help_text="Types of events, or patterns of them.",
                        size=None,
                    ),
                ),
                ("max_retries", models.SmallIntegerField(default=10)),
                ("sealed", models.TextField(blank=True, editable=False, help_text="The secrets that sign, encrypted.")),
                (
                    "overlap_until",
                    models.DateTimeField(blank=True, help_text="Until when the secret before signs too.", null=True),
                ),
                ("enabled", models.BooleanField(default=True)),
                (
                    "since",
                    executions.models.transaction.TransactionIdField(
                        db_default=executions.models.transaction.CurrentTransactionId(),
                        editable=False,
                        help_text="It is told of what later transactions write.",
                    ),
                ),
                (
                    "disabled_reason",
                    models.CharField(
                        blank=True,
                        choices=[("requested", "requested"), ("gone", "gone"), ("failing", "failing")],
                        max_length=16,
                        null=True,
                    ),
                ),
                ("disabled_at", models.DateTimeField(blank=True, null=True)),
                ("failures", models.IntegerField(default=0, help_text="In a row.")),
                ("failing_since", models.DateTimeField(blank=True, null=True)),
                (
                    "rest_until",
                    models.DateTimeField(
                        blank=True, help_text="Nothing is sent before, for the last failed.", null=True
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "updated_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("deleted_at", models.DateTimeField(blank=True, null=True)),
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
                "db_table": "webhook_endpoint",
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="WebhookDelivery",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=contract.identifiers.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("sequence", models.IntegerField(help_text="Of the event.")),
                ("event_type", models.CharField(max_length=64)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "pending"),
                            ("delivered", "delivered"),
                            ("failed", "failed"),
                            ("dropped", "dropped"),
                        ],
                        default="pending",
                        max_length=16,
                    ),
                ),
                ("due_at", models.DateTimeField(blank=True, null=True)),
                ("attempts_made", models.IntegerField(default=0, help_text="The newest attempt's number: its fence.")),
                ("failures", models.IntegerField(default=0)),
                ("replay_of", models.UUIDField(blank=True, help_text="The delivery that this one repeats.", null=True)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "execution",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
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
                (
                    "endpoint",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deliveries",
                        to="executions.webhookendpoint",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "webhook deliveries",
                "db_table": "webhook_delivery",
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="WebhookAttempt",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("number", models.IntegerField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("sending", "sending"),
                            ("delivered", "delivered"),
                            ("failed", "failed"),
                            ("lost", "lost"),
                        ],
                        max_length=16,
                    ),
                ),
                ("response_status", models.SmallIntegerField(blank=True, null=True)),
                ("response_excerpt", models.TextField(blank=True, null=True)),
                ("error_kind", models.CharField(blank=True, max_length=32, null=True)),
                ("error_message", models.TextField(blank=True, null=True)),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "delivery",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="attempts",
                        to="executions.webhookdelivery",
                    ),
                ),
            ],
            options={
                "db_table": "webhook_attempt",
            },
        ),
        migrations.AddConstraint(
            model_name="webhookcursor",
            constraint=models.CheckConstraint(condition=models.Q(("id", 1)), name="webhook_cursor_alone"),
        ),
        migrations.AddConstraint(
            model_name="webhookattempt",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["delivered", "failed", "lost", "sending"])),
                name="webhook_attempt_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookattempt",
            constraint=models.UniqueConstraint(fields=("delivery", "number"), name="webhook_attempt_once"),
        ),
        migrations.AddConstraint(
            model_name="webhookattempt",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at__isnull", True), ("status", "sending")),
                    models.Q(models.Q(("status", "sending"), _negated=True), ("finished_at__isnull", False)),
                    _connector="OR",
                ),
                name="webhook_attempt_finished_unless_sending",
            ),
        ),
        migrations.AddIndex(
            model_name="webhookendpoint",
            index=models.Index(
                condition=models.Q(("deleted_at__isnull", True)),
                fields=["tenant", "-id"],
                name="webhook_endpoint_tenant",
            ),
        ),
        migrations.AddIndex(
            model_name="webhookendpoint",
            index=models.Index(
                condition=models.Q(("enabled", True)), fields=["since"], name="webhook_endpoint_enabled"
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookendpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(("disabled_reason__in", ["failing", "gone", "requested"])),
                name="webhook_endpoint_reason_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookendpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(("max_retries__gte", 0), ("max_retries__lte", 20)), name="webhook_endpoint_retries"
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookendpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(("subscribed__len__gt", 0)), name="webhook_endpoint_subscribed"
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookendpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("enabled", True),
                        ("deleted_at__isnull", True),
                        ("disabled_at__isnull", True),
                        ("disabled_reason__isnull", True),
                    ),
                    models.Q(
                        models.Q(("enabled", True), _negated=True),
                        ("disabled_at__isnull", False),
                        ("disabled_reason__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="webhook_endpoint_disabled_for_a_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookendpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(("deleted_at__isnull", True), ("sealed", ""), _connector="OR"),
                name="webhook_endpoint_deleted_without_secret",
            ),
        ),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=models.Index(
                condition=models.Q(("due_at__isnull", False)),
                fields=["endpoint", "due_at"],
                name="webhook_delivery_due",
            ),
        ),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=models.Index(fields=["tenant", "status", "-id"], name="webhook_delivery_tenant"),
        ),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=models.Index(fields=["tenant", "endpoint", "status", "-id"], name="webhook_delivery_endpoint"),
        ),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=models.Index(fields=["tenant", "event_type", "-id"], name="webhook_delivery_type"),
        ),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=models.Index(fields=["execution", "-id"], name="webhook_delivery_execution"),
        ),
        migrations.AddConstraint(
            model_name="webhookdelivery",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["delivered", "dropped", "failed", "pending"])),
                name="webhook_delivery_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookdelivery",
            constraint=models.UniqueConstraint(
                condition=models.Q(("replay_of__isnull", True)),
                fields=("endpoint", "execution", "sequence"),
                name="webhook_delivery_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookdelivery",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("due_at__isnull", False), ("finished_at__isnull", True), ("status", "pending")),
                    models.Q(
                        models.Q(("status", "pending"), _negated=True),
                        ("due_at__isnull", True),
                        ("finished_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="webhook_delivery_due_if_pending",
            ),
        ),
    ]
