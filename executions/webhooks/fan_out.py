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

from executions import log_reading
from executions.log_reading import Place
from executions.models import WebhookDelivery
from executions.webhooks.words import EVERYTHING

log = structlog.get_logger(__name__)

READER = "webhooks"
BATCH = 500
"""Events read at once; each makes at most as many deliveries as a tenant has endpoints."""


def fan_out() -> bool:
    """Make the deliveries of the next events; whether there may be more of them at once.

    False also where nobody wants any, and where somebody else is reading. No transaction may be open.
    """
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute(_WANTED)
        wanted = cursor.fetchone()
        if wanted is None or (place := log_reading.claim(cursor, READER)) is None:
            return False
        if log_reading.is_of_another_server(cursor, place):
            _begin_anew(cursor, place)
            return False
        parameters = {"xid": place.xid, "event": place.event, "wanted": wanted[0], "most": BATCH}
        cursor.execute(_NEXT, parameters | {"everything": EVERYTHING})
        *found, (xid, event, count, *_) = cursor.fetchall()
        if not count:
            return False
        WebhookDelivery.objects.bulk_create(_deliveries(found), batch_size=1_000, ignore_conflicts=True)
        log_reading.move(cursor, READER, Place(xid, event))
    return bool(count == BATCH)


def _begin_anew(cursor: Any, place: Place) -> None:
    """After a dump was restored: what is in it was told of already, or is not any more."""
    log.warning("webhook_cursor_reset", xid=place.xid)
    cursor.execute(_RESET, {"reader": READER})


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
WITH cursor AS (
  UPDATE log_cursor SET xid = pg_snapshot_xmin(pg_current_snapshot()), event = 0 WHERE name = %(reader)s)
UPDATE webhook_endpoint SET since = pg_snapshot_xmin(pg_current_snapshot())
WHERE since > pg_snapshot_xmax(pg_current_snapshot())"""
