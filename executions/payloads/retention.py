"""How long payloads are kept after the end: by tenant or by workflow, and the thread of the sweeper that drops them.

Any number of sweepers may do so at once.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import UUID

import structlog
from django.db import Error, connection

from contract.identifiers import first_id_at
from executions.models import Execution, PayloadRemoval, Retention
from executions.payloads.contents import Place
from executions.payloads.dropping import RETENTION, drop_payloads, remove_objects
from executions.payloads.objects import StoredObjects
from executions.rows import database_now
from tenants.models import Tenant
from workflows.models import Workflow

log = structlog.get_logger(__name__)

EVERY_SECONDS = 60.0
AT_ONCE = 100
ORPHANED_FOR = timedelta(days=1)
"""How old an execution is that is not there and will never be: its creation failed after its payloads were stored."""


def retention_of(tenant: Tenant, workflow: Workflow | None = None) -> Retention | None:
    """What was set for the tenant, or for one of its workflows; None for nothing."""
    return Retention.objects.filter(tenant=tenant, workflow=workflow).first()


def set_retention(tenant: Tenant, workflow: Workflow | None, payload_days: int | None) -> Retention:
    """Have payloads dropped so many days after the end, from now on and of what has ended; None keeps them."""
    given = {"payload_days": payload_days}
    return Retention.objects.update_or_create(tenant=tenant, workflow=workflow, defaults=given)[0]


def forget_retention(tenant: Tenant, workflow: Workflow) -> None:
    """Have the tenant's hold for this workflow too."""
    Retention.objects.filter(tenant=tenant, workflow=workflow).delete()


def retain_for_ever(over: threading.Event) -> None:
    """Drop what is over until `over` is set, through any outage of the database."""
    while not over.wait(EVERY_SECONDS):
        try:
            while retain() and not over.is_set():
                pass
        except Error as error:
            log.warning("retention_failed", error=str(error))
            connection.close()
    connection.close()


def retain() -> int:
    """One look, at a bounded number of executions; how many had their payloads dropped."""
    for place in _left_over():
        remove_objects(place)
    return sum(map(_dropped, _due()))


def _dropped(execution_id: UUID) -> bool:
    """Whether it was dropped; one that cannot be now, for it was redriven meanwhile, keeps no other from it."""
    try:
        return drop_payloads(execution_id, RETENTION, RETENTION)
    except Error:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the others are dropped all the same
        log.warning("payloads_not_dropped", execution_id=str(execution_id), error=f"{type(error).__name__}: {error}")
        return False


def remove_orphans() -> int:
    """Delete objects of executions that are not there, or whose payloads were dropped; of how many. May take long.

    Raises Unreachable.
    """
    objects, before = StoredObjects(), database_now() - ORPHANED_FOR
    removed = 0
    for place in objects.places():
        found = Execution.objects.filter(id=place.execution, tenant_id=place.tenant).values_list("payloads_dropped_at")
        known = found.first()
        if (known is None and place.execution < first_id_at(before)) or (known is not None and known[0] is not None):
            objects.remove(place)
            removed += 1
    return removed


def _left_over() -> list[Place]:
    """What was dropped a while ago, and its objects not removed by who did."""
    rows = PayloadRemoval.objects.filter(created_at__lt=database_now() - timedelta(seconds=EVERY_SECONDS))
    return [Place(row.tenant_id, row.execution_id) for row in rows.order_by("created_at")[:AT_ONCE]]


def _due() -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"most": AT_ONCE})
        return [row[0] for row in cursor.fetchall()]


# Two looks into the index for each workflow that payloads are kept of, not one for each that the tenant ever had. The
# time is the statement's, for which the index is asked.
_DUE = """
WITH RECURSIVE kept(tenant_id, workflow_id) AS (
  SELECT r.tenant_id, (SELECT e.workflow_id FROM execution e
    WHERE e.tenant_id = r.tenant_id AND e.finished_at IS NOT NULL AND e.payloads_dropped_at IS NULL
    ORDER BY e.workflow_id LIMIT 1)
  FROM (SELECT DISTINCT tenant_id FROM retention WHERE payload_days IS NOT NULL) AS r
  UNION ALL
  SELECT k.tenant_id, (SELECT e.workflow_id FROM execution e
    WHERE e.tenant_id = k.tenant_id AND e.finished_at IS NOT NULL AND e.payloads_dropped_at IS NULL
      AND e.workflow_id > k.workflow_id
    ORDER BY e.workflow_id LIMIT 1)
  FROM kept k WHERE k.workflow_id IS NOT NULL
)
SELECT due.id FROM kept k
CROSS JOIN LATERAL (SELECT r.payload_days FROM retention r
  WHERE r.tenant_id = k.tenant_id AND (r.workflow_id = k.workflow_id OR r.workflow_id IS NULL)
  ORDER BY r.workflow_id NULLS LAST LIMIT 1) AS r
CROSS JOIN LATERAL (
  SELECT e.id FROM execution e
  WHERE e.tenant_id = k.tenant_id AND e.workflow_id = k.workflow_id AND e.payloads_dropped_at IS NULL
    AND e.finished_at IS NOT NULL AND e.finished_at < statement_timestamp() - r.payload_days * interval '1 day'
  ORDER BY e.finished_at LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED) AS due
WHERE k.workflow_id IS NOT NULL AND r.payload_days IS NOT NULL
LIMIT %(most)s"""
