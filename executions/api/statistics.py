"""GET /v1/executions/stats: counts and durations over time, in the executions dialect."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from contract.answers import shown
from contract.http import Answer
from contract.json_values import JSON
from contract.problems import FieldProblem
from contract.queries import one_of, parameters, whole
from contract.schema import COUNT, MOMENT, Component, listed, maybe, record, words
from contract.shapes import invalid
from contract.timestamps import wire
from executions.rows import database_now
from executions.states import Status
from executions.statistics import Counted, statistics
from tenants.door import Door, takes

HOURLY, DAILY = "hourly", "daily"
WIDTHS = {HOURLY: timedelta(hours=1), DAILY: timedelta(days=1)}
SPANS = {HOURLY: timedelta(days=1), DAILY: timedelta(days=30)}
"""What is looked back on where `from` is left out."""
LONGEST = {HOURLY: timedelta(days=31), DAILY: timedelta(days=366)}
LATEST_MS = 253_402_300_799_999
"""The end of the year 9999, in Unix milliseconds."""

_COUNTED: Final = {
    "total": COUNT,
    "byStatus": record(dict.fromkeys(Status, COUNT)),
    "durationMs": record({"p50": maybe(COUNT), "p95": maybe(COUNT)}),
}
STATISTICS: Final = Component(
    "ExecutionStatistics",
    record(
        {
            "from": MOMENT,
            "to": MOMENT,
            "granularity": words(HOURLY, DAILY),
            **_COUNTED,
            "buckets": listed(record({"start": MOMENT, **_COUNTED})),
        }
    ),
)
_UNIX_MS: Final = whole(0, LATEST_MS)


class StatisticsDoor(Door):
    """Figures on the executions of the caller's tenant."""

    @takes(
        "executions:read",
        query=parameters(**{"from": _UNIX_MS, "to": _UNIX_MS, "granularity": one_of(HOURLY, DAILY)}),
        answers=shown(STATISTICS, "The figures."),
    )
    def show(self) -> Answer:
        """Of those created from `from` on and before `to`, by the hour or the day."""
        granularity = self.query.get("granularity", HOURLY)
        start, end = span(self.query, granularity, database_now())
        found = statistics(self.tenant, start, end, WIDTHS[granularity])
        return self.ok(
            {
                "from": wire(start),
                "to": wire(end),
                "granularity": granularity,
                **_shown(found.total),
                "buckets": [{"start": wire(start), **_shown(counted)} for start, counted in found.buckets.items()],
            }
        )


def span(query: dict[str, Any], granularity: str, now: datetime) -> tuple[datetime, datetime]:
    """From when to when. Raises InvalidInput for a span that is empty or too long."""
    end = _moment(query["to"]) if "to" in query else now
    start = _moment(query["from"]) if "from" in query else max(_moment(0), end - SPANS[granularity])
    if start >= end:
        raise invalid([FieldProblem("query.from", "out_of_range", "`from` has to be before `to`")])
    if end - start > LONGEST[granularity]:
        message = f"at most {LONGEST[granularity].days} days can be looked at {granularity}"
        raise invalid([FieldProblem("query.from", "out_of_range", message)])
    return start, end


def _moment(milliseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


def _shown(counted: Counted) -> dict[str, JSON]:
    p50, p95 = counted.durations or (None, None)
    return {
        "total": counted.total,
        "byStatus": {status.value: counted.by_status[status] for status in Status},
        "durationMs": {"p50": p50, "p95": p95},
    }
