"""Room on each page for the rows that are rewritten: updates stay on it and touch no index (HOT)."""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("executions", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE execution SET (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02);"
            "ALTER TABLE step SET (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.05);"
            "ALTER TABLE attempt SET (fillfactor = 85);"
            "ALTER TABLE due_step SET (autovacuum_vacuum_scale_factor = 0.02);",
            "ALTER TABLE execution RESET (fillfactor, autovacuum_vacuum_scale_factor);"
            "ALTER TABLE step RESET (fillfactor, autovacuum_vacuum_scale_factor);"
            "ALTER TABLE attempt RESET (fillfactor);"
            "ALTER TABLE due_step RESET (autovacuum_vacuum_scale_factor);",
        )
    ]
