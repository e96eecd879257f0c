"""Deliveries on their way: claimed under a lease, and what came of each attempt recorded. What sends is elsewhere.

Each call is a transaction of its own, and none is open while something is sent. Locks are taken in the order endpoint,
delivery.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from contract.identifiers import first_id_at
from executions.models import Event, WebhookDelivery
from executions.rows import database_now
from executions.webhooks.schedule import (
    GIVEN_UP_AFTER,
    GIVEN_UP_FAILURES,
    KEPT_FOR,
    LEASE,
    rest,
    retry_delay,
)
from executions.webhooks.words import DisabledReason, Format

log = structlog.get_logger(__name__)

GONE = 410
EXCERPT_CHARACTERS = 1_000
FORGOTTEN_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this process may send until its lease ends; `number` of the attempt is the fence."""

    delivery_id: UUID
    number: int
    endpoint_id: UUID
    failures: int
    max_retries: int
    endpoint_failures: int
    url: str
    format: Format
    sealed: str
    overlapping: bool
    event: Event | None
    """With its execution, and what was asked for; None if it cannot be found."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt came out: the answer's `status` and how it begins, or what went wrong, in words to be shown."""

    status: int | None = None
    excerpt: str | None = None
    kind: str | None = None
    message: str | None = None
    retry_after: float | None = None

    @property
    def taken(self) -> bool:
        """Whether the receiver has it."""
        return self.kind is None


def claim(free: int, free_for_failing: int, an_endpoint: int, busy: Sequence[UUID]) -> list[Claimed]:
    """At most `free` deliveries that are due, each endpoint's oldest first, endpoints that work before those that fail.

    `busy` holds the endpoint of each delivery that this process is sending now: no endpoint gets more than
    `an_endpoint` at once, one whose last delivery failed only one, and all that fail together `free_for_failing` more.
    """
    bounds = {"free": free, "failing": free_for_failing, "lane": an_endpoint}
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {**bounds, "busy": list(busy), "lease": LEASE})
        numbers: dict[UUID, int] = dict(cursor.fetchall())
    if not numbers:
        return []
    rows = WebhookDelivery.objects.filter(id__in=numbers).select_related("endpoint").order_by("id")
    deliveries = list(rows)
    events = _events(deliveries)
    return [_claimed(row, numbers[row.id], events.get((row.execution_id, row.sequence))) for row in deliveries]


def record(claimed: Claimed, outcome: Outcome) -> None:
    """Write the outcome down. Again, or when the attempt was given up as lost meanwhile, it does no harm."""
    with transaction.atomic(), connection.cursor() as cursor:
        if outcome.taken:
            cursor.execute(_ENDPOINT_WORKS, [claimed.endpoint_id])
        else:
            _failed_at(cursor, claimed, outcome)
        cursor.execute(_ATTEMPT_ENDED, _ended(claimed, outcome))
        if not cursor.rowcount:
            return
        if outcome.taken:
            cursor.execute(_DELIVERED, [claimed.delivery_id])
        else:
            cursor.execute(_NOT_DELIVERED, _put_off(claimed, outcome))


def forget() -> int:
    """Delete deliveries past their time, a bounded number at once, and drop what was made for an endpoint just as it
    was deleted; how many were deleted."""
    with connection.cursor() as cursor:
        cursor.execute(_DROP)
        cursor.execute(_FORGET, {"before": first_id_at(database_now() - KEPT_FOR), "most": FORGOTTEN_AT_ONCE})
        return int(cursor.rowcount)


def _events(deliveries: Sequence[WebhookDelivery]) -> dict[tuple[UUID, int], Event]:
    wanted = reduce(or_, (Q(execution_id=row.execution_id, sequence=row.sequence) for row in deliveries))
    rows = Event.objects.filter(wanted).select_related(*_JOINED)
    kept = rows.defer(*(f"execution__{name}" for name in _LARGE))
    return {(event.execution_id, event.sequence): event for event in kept}


def _claimed(row: WebhookDelivery, number: int, event: Event | None) -> Claimed:
    endpoint = row.endpoint
    overlap = endpoint.overlap_until
    return Claimed(
        delivery_id=row.id,
        number=number,
        endpoint_id=endpoint.id,
        failures=row.failures,
        max_retries=endpoint.max_retries,
        endpoint_failures=endpoint.failures,
        url=endpoint.url,
        format=Format(endpoint.format),
        sealed=endpoint.sealed,
        overlapping=overlap is not None and overlap > timezone.now(),
        event=event,
    )


def _failed_at(cursor: Any, claimed: Claimed, outcome: Outcome) -> None:
    gone = outcome.status == GONE
    parameters = {
        "endpoint": claimed.endpoint_id,
        "rest": rest(claimed.endpoint_failures + 1, outcome.retry_after),
        "gone": gone,
        "reason": (DisabledReason.GONE if gone else DisabledReason.FAILING).value,
        "after": GIVEN_UP_AFTER,
        "failures": GIVEN_UP_FAILURES,
    }
    cursor.execute(_ENDPOINT_FAILED, parameters)
    cursor.execute(_ENDPOINT_GIVEN_UP, parameters)
    for (reason,) in cursor.fetchall():
        log.warning("webhook_endpoint_disabled", endpoint_id=str(claimed.endpoint_id), reason=reason)


def _ended(claimed: Claimed, outcome: Outcome) -> dict[str, Any]:
    return {
        "delivery": claimed.delivery_id,
        "number": claimed.number,
        "outcome": "delivered" if outcome.taken else "failed",
        "status": outcome.status,
        "excerpt": outcome.excerpt and outcome.excerpt[:EXCERPT_CHARACTERS],
        "kind": outcome.kind,
        "message": outcome.message and outcome.message[:EXCERPT_CHARACTERS],
    }


def _put_off(claimed: Claimed, outcome: Outcome) -> dict[str, Any]:
    failures = claimed.failures + 1
    last = outcome.status == GONE or failures > claimed.max_retries
    return {
        "delivery": claimed.delivery_id,
        "number": claimed.number,
        "delay": None if last else retry_delay(failures, str(claimed.delivery_id), outcome.retry_after),
    }


_JOINED = tuple(f"execution__{name}" for name in ("submission", "payment", "tenant", "workflow", "version"))
_LARGE = ("output", "submission__input", "submission__application_data", "version__definition", "version__sealed")

# One look into the index for each endpoint that has something pending, not one for each delivery of one that fails.
# Two that claim at once may choose the same deliveries; the second finds them locked, or due no more. The time is the
# statement's, for which the index is asked: an endpoint may have a hundred thousand that are to be sent again later.
_CLAIM = """
WITH RECURSIVE lane AS (
  (SELECT endpoint_id FROM webhook_delivery WHERE due_at IS NOT NULL ORDER BY endpoint_id LIMIT 1)
  UNION ALL
  SELECT (SELECT d.endpoint_id FROM webhook_delivery d WHERE d.due_at IS NOT NULL AND d.endpoint_id > lane.endpoint_id
    ORDER BY d.endpoint_id LIMIT 1)
  FROM lane WHERE lane.endpoint_id IS NOT NULL
), candidate AS (
  SELECT d.id, d.due_at, p.failures > 0 AS failing
  FROM lane JOIN webhook_endpoint p ON p.id = lane.endpoint_id
  CROSS JOIN LATERAL (SELECT count(*) AS sending FROM unnest(%(busy)s::uuid[]) AS b(id) WHERE b.id = p.id) AS now
  CROSS JOIN LATERAL (SELECT d.id, d.due_at FROM webhook_delivery d
    WHERE d.endpoint_id = p.id AND d.due_at <= statement_timestamp() ORDER BY d.due_at
    LIMIT GREATEST(CASE WHEN p.failures > 0 THEN 1 ELSE %(lane)s END - now.sending, 0)) AS d
  WHERE p.enabled AND (p.rest_until IS NULL OR p.rest_until <= statement_timestamp())
), chosen AS (
  SELECT id FROM (
    SELECT id, failing, due_at, row_number() OVER (PARTITION BY failing ORDER BY due_at) AS place FROM candidate) AS c
  WHERE NOT failing OR place <= %(failing)s
  ORDER BY failing, due_at LIMIT %(free)s
), locked AS (
  SELECT d.id FROM webhook_delivery d
  WHERE d.id IN (SELECT id FROM chosen) AND d.due_at <= statement_timestamp() FOR NO KEY UPDATE SKIP LOCKED
), claimed AS (
  UPDATE webhook_delivery d SET due_at = clock_timestamp() + %(lease)s * interval '1 second',
    attempts_made = d.attempts_made + 1
  FROM locked WHERE d.id = locked.id RETURNING d.id, d.attempts_made
), lost AS (
  UPDATE webhook_attempt SET status = 'lost', finished_at = clock_timestamp()
  WHERE status = 'sending' AND delivery_id IN (SELECT id FROM claimed)
)
INSERT INTO webhook_attempt (delivery_id, number, status, started_at)
SELECT id, attempts_made, 'sending', clock_timestamp() FROM claimed
RETURNING delivery_id, number"""

_ENDPOINT_WORKS = """
UPDATE webhook_endpoint SET failures = 0, failing_since = NULL, rest_until = NULL WHERE id = %s AND failures > 0"""

_ENDPOINT_FAILED = """
UPDATE webhook_endpoint SET failures = failures + 1, failing_since = COALESCE(failing_since, clock_timestamp()),
  rest_until = clock_timestamp() + %(rest)s * interval '1 second'
WHERE id = %(endpoint)s"""

_ENDPOINT_GIVEN_UP = """
UPDATE webhook_endpoint SET enabled = FALSE, disabled_at = clock_timestamp(), updated_at = clock_timestamp(),
  disabled_reason = %(reason)s
WHERE id = %(endpoint)s AND enabled AND (%(gone)s
  OR (failures >= %(failures)s AND failing_since < clock_timestamp() - %(after)s))
RETURNING disabled_reason"""

# An outcome that comes late is still what happened.
_ATTEMPT_ENDED = """
UPDATE webhook_attempt SET status = %(outcome)s, finished_at = clock_timestamp(), response_status = %(status)s,
  response_excerpt = %(excerpt)s, error_kind = %(kind)s, error_message = %(message)s
WHERE delivery_id = %(delivery)s AND number = %(number)s AND status IN ('sending', 'lost')"""

_DELIVERED = """
UPDATE webhook_delivery SET status = 'delivered', due_at = NULL, finished_at = clock_timestamp()
WHERE id = %s AND status = 'pending'"""

_NOT_DELIVERED = """
UPDATE webhook_delivery SET failures = failures + 1,
  status = CASE WHEN %(delay)s::float IS NULL THEN 'failed' ELSE 'pending' END,
  due_at = clock_timestamp() + %(delay)s::float * interval '1 second',
  finished_at = CASE WHEN %(delay)s::float IS NULL THEN clock_timestamp() END
WHERE id = %(delivery)s AND status = 'pending' AND attempts_made = %(number)s"""

_DROP = """
UPDATE webhook_delivery SET status = 'dropped', due_at = NULL, finished_at = clock_timestamp() WHERE id IN (
  SELECT d.id FROM webhook_endpoint p JOIN webhook_delivery d ON d.endpoint_id = p.id AND d.due_at IS NOT NULL
  WHERE p.deleted_at > clock_timestamp() - interval '1 day'
  LIMIT 1000 FOR NO KEY UPDATE OF d SKIP LOCKED)"""

# By age: ids sort by the moment they were made at, so the oldest stand first in the primary key.
_FORGET = """
WITH old AS (
  SELECT id FROM webhook_delivery WHERE id < %(before)s ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED
), attempts AS (DELETE FROM webhook_attempt WHERE delivery_id IN (SELECT id FROM old))
DELETE FROM webhook_delivery WHERE id IN (SELECT id FROM old)"""
