"""Each event names the transaction that wrote it: the order of events over all executions.

Added with a constant, so that no row is rewritten: what is there already is older than anything to come.
"""

from __future__ import annotations

from django.db import migrations, models

from executions.models.transaction import CurrentTransactionId, TransactionIdField


class Migration(migrations.Migration):
    dependencies = [("executions", "0003_the_engine_whole")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "ALTER TABLE event ADD COLUMN xid xid8 NOT NULL DEFAULT '0';"
                    "ALTER TABLE event ALTER COLUMN xid SET DEFAULT pg_current_xact_id();"
                    "ALTER TABLE execution ADD COLUMN event_xid xid8 NOT NULL DEFAULT '0';"
                    "ALTER TABLE execution ALTER COLUMN event_xid SET DEFAULT pg_current_xact_id();",
                    "ALTER TABLE event DROP COLUMN xid; ALTER TABLE execution DROP COLUMN event_xid;",
                )
            ],
            state_operations=[
                migrations.AddField(
                    model_name="event",
                    name="xid",
                    field=TransactionIdField(
                        db_default=CurrentTransactionId(),
                        editable=False,
                        help_text="Who wrote it, or the event before, whichever is later: with `id`, the order of all events.",
                    ),
                ),
                migrations.AddField(
                    model_name="execution",
                    name="event_xid",
                    field=TransactionIdField(
                        db_default=CurrentTransactionId(), editable=False, help_text="The `xid` of the newest event."
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["xid", "id"], name="event_in_order"),
        ),
    ]
