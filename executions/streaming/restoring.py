"""What a restored dump needs: its events name transactions of another server, which this one has yet to begin.

Left so, those executions would be missing from tenants' streams until this server has begun as many.
"""

from __future__ import annotations

from typing import Any

from django.apps.registry import Apps
from django.apps.registry import apps as of_today
from django.db import connections


def settle_restored_events(using: str, apps: Apps = of_today, **_: Any) -> None:
    """Make events of transactions that this server cannot know older than all others; called after each migration.

    `apps`: the models as the migration left them.
    """
    known = apps.get_models()
    if not any(model._meta.db_table == "event" and hasattr(model, "xid") for model in known):
        return
    with connections[using].cursor() as cursor:
        cursor.execute(_FOREIGN_EVENTS)
        if cursor.rowcount:
            cursor.execute(_FOREIGN_EXECUTIONS)


_FOREIGN_EVENTS = "UPDATE event SET xid = '0' WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())"
_FOREIGN_EXECUTIONS = "UPDATE execution SET event_xid = '0' WHERE event_xid >= pg_snapshot_xmax(pg_current_snapshot())"
