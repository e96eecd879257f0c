"""From the log of events to deliveries: what was committed is read in the order of all events, from a durable cursor.

Deliveries and the cursor's move are one transaction, so an event makes each of its deliveries exactly once, whoever
dies and however many read. Nothing that writes events knows of this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models.functions import Now

from executions.models import WebhookDelivery
from executions.webhooks.words import EVERYTHING

log = structlog.get_logger(__name__)

BATCH = 500
"""Events read at once; each makes at most as many deliveries as a tenant has endpoints."""


def fan_out() -> bool:
    """Make the deliveries of the next events; whether there may be more of them at once.

    False also where nobody wants any, and where somebody else is reading. No transaction may be open.
    """
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute(_WANTED)
        wanted = cursor.fetchone()
        if wanted is None or (read := _where_reading_stands(cursor)) is None:
            return False
        parameters = {"xid": read[0], "event": read[1], "wanted": wanted[0], "most": BATCH, "everything": EVERYTHING}
        cursor.execute(_NEXT, parameters)
        *found, (xid, event, count, *_) = cursor.fetchall()
        if not count:
            return False
        WebhookDelivery.objects.bulk_create(_deliveries(found), batch_size=1_000, ignore_conflicts=True)
        cursor.execute("UPDATE webhook_cursor SET xid = %s, event = %s", [xid, event])
    return bool(count == BATCH)


def _where_reading_stands(cursor: Any) -> tuple[str, int] | None:
    """The cursor, locked; None where somebody else has it, or has just made it."""
    cursor.execute("SELECT xid::text, event FROM webhook_cursor FOR UPDATE SKIP LOCKED")
    row: tuple[str, int] | None = cursor.fetchone()
    if row is None:
        cursor.execute("INSERT INTO webhook_cursor (id, xid, event) VALUES (1, '0', 0) ON CONFLICT DO NOTHING")
        return None
    if _is_ahead(cursor, row[0]):
        # A dump was restored: transactions are counted from the start again, and this place would never come.
        log.warning("webhook_cursor_reset", xid=row[0])
        cursor.execute(_RESET)
        return None
    return row


def _is_ahead(cursor: Any, xid: str) -> bool:
    cursor.execute("SELECT %s::xid8 > pg_snapshot_xmax(pg_current_snapshot())", [xid])
    return bool(cursor.fetchone()[0])


def _deliveries(found: Sequence[Sequence[Any]]) -> list[WebhookDelivery]:
    """In the order of the events: their ids keep it."""
    return [
        WebhookDelivery(
            endpoint_id=endpoint,
            tenant_id=tenant,
            execution_id=execution,
            sequence=sequence,
            event_type=event_type,
            due_at=Now(),
        )
        for _, _, _, endpoint, tenant, execution, sequence, event_type in sorted(
            found, key=lambda row: (int(row[0]), row[1])
        )
    ]


# What nobody is told of need not be read: reading begins where the first endpoint begins to be told.
_WANTED = "SELECT since::text FROM webhook_endpoint WHERE enabled ORDER BY since LIMIT 1"

# Only what no transaction that is under way can still come before. The last row tells how far was read, and how much.
_NEXT = """
WITH batch AS MATERIALIZED (
  SELECT xid, id, execution_id, sequence, type FROM event
  WHERE (xid, id) > (GREATEST(%(xid)s::xid8, %(wanted)s::xid8),
      CASE WHEN %(xid)s::xid8 >= %(wanted)s::xid8 THEN %(event)s ELSE 0 END)
    AND xid < pg_snapshot_xmin(pg_current_snapshot())
  ORDER BY xid, id LIMIT %(most)s)
SELECT b.xid::text, b.id, 0 AS count, p.id, p.tenant_id, b.execution_id, b.sequence, b.type
FROM batch b JOIN execution e ON e.id = b.execution_id
JOIN webhook_endpoint p ON p.tenant_id = e.tenant_id AND p.deleted_at IS NULL AND p.enabled AND b.xid >= p.since
  AND p.subscribed && ARRAY[b.type, split_part(b.type, '.', 1) || '.*', %(everything)s]::varchar[]
UNION ALL (
SELECT last.xid::text, last.id, (SELECT count(*) FROM batch), NULL, NULL, NULL, NULL, NULL
FROM (SELECT 1) AS always LEFT JOIN (SELECT xid, id FROM batch ORDER BY xid DESC, id DESC LIMIT 1) AS last ON TRUE)"""

_RESET = """
WITH cursor AS (UPDATE webhook_cursor SET xid = pg_snapshot_xmin(pg_current_snapshot()), event = 0)
UPDATE webhook_endpoint SET since = pg_snapshot_xmin(pg_current_snapshot())
WHERE since > pg_snapshot_xmax(pg_current_snapshot())"""
