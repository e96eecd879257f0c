"""What every write of a step pays for: checks as short as they can be said, no foreign keys of what the engine alone writes.

Nothing is read through here; 0017 holds the rows that are there to the checks.
"""

from __future__ import annotations

import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import F, Q, Value
from django.db.models.functions import Least
from django.db.models.lookups import GreaterThanOrEqual

from executions.models.constraints import Among

REPLACED = {
    "execution": (
        "execution_status_known",
        "execution_finished_if_terminal",
        "execution_intent_known",
        "execution_counters_not_negative",
        "execution_terminal_is_at_rest",
    ),
    "step": ("step_status_known", "step_counters_not_negative"),
    "attempt": ("attempt_status_known", "attempt_finished_if_not_open"),
}

_ENDED, _NOT_ENDED = Q(finished_at__isnull=False), Q(finished_at__isnull=True)


def _among(words: str, field: str = "status") -> Q:
    return Q(Among(F(field), Value(f"{{{words}}}")))


def _not_negative(*fields: str) -> Q:
    return Q(GreaterThanOrEqual(Least(*fields), Value(0)))


CHECKS = {
    "execution": {
        "execution_status_known_and_finished_if_terminal": (
            _among("workflow_cancelled,workflow_failed,workflow_succeeded") & _ENDED
        )
        | (
            _among("awaiting_payment,payment_confirmed,workflow_queued,workflow_running,workflow_waiting") & _NOT_ENDED
        ),
        "execution_intent_known": _among("cancel,fail,pause,run", "intent"),
        "execution_counters_not_negative": _not_negative(
            "steps_left", "steps_running", "steps_ready", "steps_waiting"
        ),
        "execution_terminal_is_at_rest": _NOT_ENDED | Q(due_at__isnull=True, steps_running=0),
    },
    "step": {
        "step_status_known": _among(
            "cancelled,failed,outcome_unknown,pending,retrying,running,skipped,succeeded,waiting"
        ),
        "step_counters_not_negative": _not_negative(
            "parents_left", "parents_live", "attempts", "parts_left", "parts_open"
        ),
    },
    "attempt": {
        "attempt_status_known_and_finished_if_not_open": (_among("running,waiting") & _NOT_ENDED)
        | (_among("cancelled,failed,lost,outcome_unknown,succeeded") & _ENDED),
    },
}

ALONE = {"event": "events", "step": "steps", "attempt": "attempts", "duestep": "due_steps"}


def _of_no_constraint(related_name: str) -> models.ForeignKey:  # type: ignore[type-arg] # no subscript at run time
    return models.ForeignKey(
        db_constraint=False,
        db_index=False,
        on_delete=django.db.models.deletion.CASCADE,
        related_name=related_name,
        to="executions.execution",
    )


class Migration(migrations.Migration):
    dependencies = [("executions", "0015_imported_bundles")]

    operations = [
        *(migrations.RemoveConstraint(table, name) for table, names in REPLACED.items() for name in names),
        *(
            AddConstraintNotValid(table, models.CheckConstraint(condition=condition, name=name))
            for table, checks in CHECKS.items()
            for name, condition in checks.items()
        ),
        *(migrations.AlterField(table, "execution", _of_no_constraint(name)) for table, name in ALONE.items()),
    ]
