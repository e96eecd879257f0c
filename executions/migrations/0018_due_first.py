"""What is due in the order in which it is taken, so that one scan finds it; made beside the old index, then in its place."""

from __future__ import annotations

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("executions", "0017_checks_hold")]

    operations = [
        AddIndexConcurrently(
            "execution",
            models.Index(
                fields=["-priority", "due_at"],
                name="execution_due_first",
                condition=models.Q(due_at__isnull=False),
            ),
        ),
        RemoveIndexConcurrently("execution", "execution_due"),
    ]
