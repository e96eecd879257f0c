"""The rows that are there, held to the checks of 0016: each table is read through once, and written meanwhile."""

from __future__ import annotations

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations

NAMES = {
    "execution": (
        "execution_status_known_and_finished_if_terminal",
        "execution_intent_known",
        "execution_counters_not_negative",
        "execution_terminal_is_at_rest",
    ),
    "step": ("step_status_known", "step_counters_not_negative"),
    "attempt": ("attempt_status_known_and_finished_if_not_open",),
}


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("executions", "0016_cheap_to_write")]

    operations = [ValidateConstraint(table, name) for table, names in NAMES.items() for name in names]
