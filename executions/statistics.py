"""How many executions were created in a span of time, where they stand and how long they took: one query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from contract.identifiers import first_id_at
from executions.states import Status
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class Counted:
    """Executions that were created in one bucket, or in all: by status, and how long those took that have ended.

    `durations` are milliseconds from start to end: the median and the 95th percentile; None where none has ended.
    """

    by_status: Mapping[Status, int]
    durations: tuple[int, int] | None = None

    @property
    def total(self) -> int:
        return sum(self.by_status.values())


NONE = Counted(dict.fromkeys(Status, 0))


@dataclass(frozen=True, slots=True)
class Statistics:
    """`buckets` by their beginning, in order, the empty ones too."""

    total: Counted
    buckets: Mapping[datetime, Counted]


def statistics(tenant: Tenant, start: datetime, end: datetime, width: timedelta) -> Statistics:
    """Of the executions created from `start` on and before `end`, in buckets of an hour or a day of UTC."""
    parameters: dict[str, Any] = {
        "tenant": tenant.id,
        "first": first_id_at(start),
        "end": first_id_at(end),
        "width": width,
    } | {status.name: status.value for status in Status}
    with connection.cursor() as cursor:
        cursor.execute(_QUERY, parameters)
        rows = {row[0]: _counted(row[1:]) for row in cursor.fetchall()}
    buckets = {beginning: rows.get(beginning, NONE) for beginning in beginnings(start, end, width)}
    return Statistics(rows.get(None, NONE), buckets)


def beginnings(start: datetime, end: datetime, width: timedelta) -> Iterator[datetime]:
    """When each bucket begins: the first at or before `start`, on the full hour or at midnight."""
    beginning = start.replace(minute=0, second=0, microsecond=0)
    if width >= timedelta(days=1):
        beginning = beginning.replace(hour=0)
    yield beginning
    while end - beginning > width:
        beginning += width
        yield beginning


def _counted(row: tuple[Any, ...]) -> Counted:
    counts, durations = row[:-1], row[-1]
    ended = None if durations is None else (round(durations[0] * 1000), round(durations[1] * 1000))
    return Counted(dict(zip(Status, counts, strict=True)), ended)


_COUNTS = ", ".join(f"count(*) FILTER (WHERE status = %({status.name})s)" for status in Status)

# The id holds the moment of creation, and its index is read in that order.
_QUERY = f"""
SELECT bucket, {_COUNTS},
  percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY seconds)
FROM (
  SELECT date_bin(%(width)s, created_at, 'epoch') AS bucket, status,
    EXTRACT(EPOCH FROM finished_at - started_at)::float8 AS seconds
  FROM execution WHERE tenant_id = %(tenant)s AND id >= %(first)s AND id < %(end)s
) AS created
GROUP BY GROUPING SETS ((bucket), ())"""
