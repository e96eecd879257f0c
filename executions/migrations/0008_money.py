"""Accounts with providers, charges, refunds, providers' events and the ledger."""

import contract.identifiers
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("executions", "0007_webhooks"),
        ("tenants", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Charge",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=contract.identifiers.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("provider", models.CharField(max_length=32)),
                ("reference", models.CharField(help_text="The provider's, or the operator's.", max_length=255)),
                ("amount", models.BigIntegerField(help_text="In minor units of the currency.")),
                ("currency", models.CharField(max_length=3)),
                ("main", models.BooleanField()),
                (
                    "reserved_amount",
                    models.BigIntegerField(default=0, help_text="What was given back, or is about to be."),
                ),
                ("refunded_amount", models.BigIntegerField(default=0)),
                ("received_at", models.DateTimeField()),
            ],
            options={
                "db_table": "charge",
            },
        ),
        migrations.CreateModel(
            name="LedgerEntry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "posting",
                    models.CharField(
                        choices=[
                            ("paid", "paid"),
                            ("refund_asked", "refund asked"),
                            ("refunded", "refunded"),
                            ("refund_failed", "refund failed"),
                            ("refund_came_back", "refund came back"),
                        ],
                        max_length=16,
                    ),
                ),
                ("source", models.UUIDField(help_text="The charge or the refund that it is for.")),
                (
                    "account",
                    models.CharField(
                        choices=[
                            ("provider", "provider"),
                            ("sales", "sales"),
                            ("refunds_owed", "refunds owed"),
                            ("fees", "fees"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "amount",
                    models.BigIntegerField(
                        help_text="In minor units: what comes to the account, or (negative) goes from it."
                    ),
                ),
                ("currency", models.CharField(max_length=3)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "verbose_name_plural": "ledger entries",
                "db_table": "ledger_entry",
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="PaymentAccount",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=contract.identifiers.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("provider", models.CharField(choices=[("manual", "manual"), ("stripe", "stripe")], max_length=32)),
                ("active", models.BooleanField(default=True, help_text="Whether new orders are paid there.")),
                ("sealed", models.TextField(blank=True, editable=False)),
                (
                    "secret_hash",
                    models.CharField(
                        editable=False,
                        help_text="SHA-256 of the secret that names the tenant.",
                        max_length=64,
                        null=True,
                        unique=True,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
            ],
            options={
                "db_table": "payment_account",
            },
        ),
        migrations.CreateModel(
            name="PaymentEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("provider", models.CharField(max_length=32)),
                ("event_id", models.CharField(max_length=255)),
                ("type", models.CharField(help_text="In the provider's words.", max_length=255)),
                (
                    "reference",
                    models.CharField(
                        blank=True, help_text="Of the charge that it is about.", max_length=255, null=True
                    ),
                ),
                ("notice", models.TextField(help_text="JSON text: what was understood of it.")),
                (
                    "outcome",
                    models.CharField(
                        choices=[("applied", "applied"), ("early", "early"), ("incident", "incident")], max_length=16
                    ),
                ),
                ("received_at", models.DateTimeField()),
            ],
            options={
                "db_table": "payment_event",
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="Refund",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=contract.identifiers.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("amount", models.BigIntegerField(help_text="In minor units of the currency.")),
                ("currency", models.CharField(max_length=3)),
                ("reason", models.CharField(max_length=1000)),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("asked", "asked"),
                            ("policy", "policy"),
                            ("stray", "stray"),
                            ("provider", "provider"),
                        ],
                        max_length=16,
                    ),
                ),
                ("actor", models.CharField(max_length=255)),
                (
                    "status",
                    models.CharField(
                        choices=[("pending", "pending"), ("succeeded", "succeeded"), ("failed", "failed")],
                        max_length=16,
                    ),
                ),
                ("reference", models.CharField(blank=True, help_text="The provider's.", max_length=255, null=True)),
                ("error", models.TextField(blank=True, null=True)),
                ("tries", models.SmallIntegerField(default=0)),
                (
                    "due_at",
                    models.DateTimeField(
                        blank=True, help_text="When the sweeper asks the provider (again).", null=True
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("settled_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "db_table": "refund",
                "ordering": ("-id",),
            },
        ),
        migrations.AddField(
            model_name="execution",
            name="unsettled",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Whether it was paid for, and may owe money back once it has ended.",
            ),
        ),
        migrations.AddIndex(
            model_name="execution",
            index=models.Index(
                condition=models.Q(
                    ("status__in", ["workflow_cancelled", "workflow_failed", "workflow_succeeded"]), ("unsettled", True)
                ),
                fields=["id"],
                name="execution_unsettled",
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("status", "unpaid")), fields=["expires_at"], name="payment_expiring"
            ),
        ),
        migrations.AddField(
            model_name="charge",
            name="payment",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="charges",
                to="executions.payment",
            ),
        ),
        migrations.AddField(
            model_name="charge",
            name="tenant",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.tenant"
            ),
        ),
        migrations.AddField(
            model_name="ledgerentry",
            name="payment",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="entries", to="executions.payment"
            ),
        ),
        migrations.AddField(
            model_name="paymentaccount",
            name="tenant",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.tenant"
            ),
        ),
        migrations.AddField(
            model_name="paymentevent",
            name="payment",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="events",
                to="executions.payment",
            ),
        ),
        migrations.AddField(
            model_name="paymentevent",
            name="tenant",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.tenant"
            ),
        ),
        migrations.AddField(
            model_name="refund",
            name="charge",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="refunds",
                to="executions.charge",
            ),
        ),
        migrations.AddField(
            model_name="refund",
            name="payment",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="refunds", to="executions.payment"
            ),
        ),
        migrations.AddIndex(
            model_name="charge",
            index=models.Index(fields=["tenant", "reference"], name="charge_reference"),
        ),
        migrations.AddConstraint(
            model_name="charge",
            constraint=models.UniqueConstraint(fields=("payment", "reference"), name="charge_once"),
        ),
        migrations.AddConstraint(
            model_name="charge",
            constraint=models.UniqueConstraint(
                condition=models.Q(("main", True)), fields=("payment",), name="charge_one_main"
            ),
        ),
        migrations.AddConstraint(
            model_name="charge",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("amount__gt", 0),
                    ("refunded_amount__gte", 0),
                    ("refunded_amount__lte", models.F("reserved_amount")),
                    ("reserved_amount__lte", models.F("amount")),
                ),
                name="charge_refunded_within",
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgerentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("posting__in", ["paid", "refund_asked", "refund_came_back", "refund_failed", "refunded"])
                ),
                name="ledger_entry_posting_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgerentry",
            constraint=models.CheckConstraint(
                condition=models.Q(("account__in", ["fees", "provider", "refunds_owed", "sales"])),
                name="ledger_entry_account_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgerentry",
            constraint=models.UniqueConstraint(fields=("source", "posting", "account"), name="ledger_entry_once"),
        ),
        migrations.AddConstraint(
            model_name="paymentaccount",
            constraint=models.UniqueConstraint(fields=("tenant", "provider"), name="payment_account_once"),
        ),
        migrations.AddConstraint(
            model_name="paymentaccount",
            constraint=models.UniqueConstraint(
                condition=models.Q(("active", True)), fields=("tenant",), name="payment_account_one_active"
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentaccount",
            constraint=models.CheckConstraint(
                condition=models.Q(("provider__in", ["manual", "stripe"])), name="payment_account_provider"
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentaccount",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("provider", "stripe"), ("secret_hash__isnull", False), models.Q(("sealed", ""), _negated=True)
                    ),
                    models.Q(("provider", "manual"), ("sealed", ""), ("secret_hash__isnull", True)),
                    _connector="OR",
                ),
                name="payment_account_has_keys",
            ),
        ),
        migrations.AddIndex(
            model_name="paymentevent",
            index=models.Index(
                condition=models.Q(("outcome", "early")),
                fields=["tenant", "reference", "id"],
                name="payment_event_early",
            ),
        ),
        migrations.AddIndex(
            model_name="paymentevent",
            index=models.Index(
                condition=models.Q(("outcome", "early")), fields=["received_at"], name="payment_event_forgotten"
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentevent",
            constraint=models.CheckConstraint(
                condition=models.Q(("outcome__in", ["applied", "early", "incident"])),
                name="payment_event_outcome_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentevent",
            constraint=models.UniqueConstraint(fields=("tenant", "provider", "event_id"), name="payment_event_once"),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(condition=models.Q(("status", "pending")), fields=["due_at"], name="refund_due"),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(fields=["charge", "id"], name="refund_charge"),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["failed", "pending", "succeeded"])), name="refund_status_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(("cause__in", ["asked", "policy", "provider", "stray"])), name="refund_cause_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="refund_amount_positive"),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("due_at__isnull", False), ("settled_at__isnull", True), ("status", "pending")),
                    models.Q(
                        models.Q(("status", "pending"), _negated=True),
                        ("due_at__isnull", True),
                        ("settled_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="refund_due_while_pending",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.UniqueConstraint(
                condition=models.Q(("reference__isnull", False)), fields=("charge", "reference"), name="refund_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.UniqueConstraint(
                condition=models.Q(("cause__in", ["policy", "stray"]), models.Q(("status", "failed"), _negated=True)),
                fields=("charge",),
                name="refund_one_by_itself",
            ),
        ),
    ]
