"""/metrics, for Prometheus: what the web processes count, and how the installation stands, looked up at each scrape.

No tenant and no id is in any label. What is looked up costs a bounded number of index entries, however much is stored.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import structlog
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from config.openapi.routes import templated
from config.readable import readable
from contract.answers import Answers, Success, Wrapping
from contract.schema import TEXT

logger = structlog.get_logger(__name__)

MOST_COUNTED: Final = 10_000
"""Where a count of rows ends: more are shown as so many."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})

REQUESTS = Counter("traceway_http_requests", "Answers by method, route and status.", ["method", "route", "status"])
SECONDS = Histogram(
    "traceway_http_request_seconds",
    "Seconds from a request's arrival to its answer (of a stream, to its beginning).",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)

_STANDING: Final = """
SELECT
  (SELECT count(*) FROM (
    SELECT 1 FROM generate_series(0, 9) AS lane(priority)
    CROSS JOIN LATERAL (SELECT FROM execution e
      WHERE e.priority = lane.priority AND e.due_at <= statement_timestamp() ORDER BY e.due_at LIMIT %(most)s) AS due
    LIMIT %(most)s) AS counted),
  (SELECT COALESCE(EXTRACT(epoch FROM clock_timestamp() - min(oldest.due_at)), 0)::float
    FROM generate_series(0, 9) AS lane(priority)
    CROSS JOIN LATERAL (SELECT e.due_at FROM execution e
      WHERE e.priority = lane.priority AND e.due_at <= statement_timestamp() ORDER BY e.due_at LIMIT 1) AS oldest),
  (SELECT count(*) FROM (
    SELECT FROM execution WHERE quarantined_at IS NOT NULL LIMIT %(most)s) AS counted),
  (SELECT count(*) FROM worker WHERE expires_at > clock_timestamp()),
  (SELECT COALESCE(sum(cardinality(held)), 0) FROM worker WHERE expires_at > clock_timestamp()),
  (SELECT COALESCE(pg_sequence_last_value(pg_get_serial_sequence('event', 'id')::regclass), 0)),
  (SELECT COALESCE(EXTRACT(epoch FROM clock_timestamp() - next.created_at), 0)::float
    FROM (SELECT COALESCE(max(xid::text), '0')::xid8 AS xid, COALESCE(max(event), 0) AS id FROM log_cursor
      WHERE name = 'receipts') AS read
    LEFT JOIN LATERAL (SELECT e.created_at FROM event e WHERE (e.xid, e.id) > (read.xid, read.id)
      ORDER BY e.xid, e.id LIMIT 1) AS next ON TRUE),
  (SELECT count(*) FROM (SELECT FROM sealing_refusal LIMIT %(most)s) AS counted)
"""
_GAUGES: Final = (
    ("traceway_due", f"Executions that somebody may advance now; {MOST_COUNTED} means so many or more."),
    ("traceway_due_oldest_seconds", "For how long the oldest of them has been due; 0 if there is none."),
    ("traceway_quarantined", f"Executions in quarantine; {MOST_COUNTED} means so many or more."),
    ("traceway_workers", "Worker processes whose lease is alive."),
    ("traceway_attempts_held", "Attempts at steps that these workers carry out."),
    ("traceway_events_written", "Events that were ever written, or begun to be."),
    ("traceway_sealing_behind_seconds", "For how long the oldest event has stood that receipts have not come to."),
    ("traceway_sealing_refused", f"Executions without a receipt, altered; {MOST_COUNTED} means so many or more."),
)
"""In the order of the columns."""


class Standing(Collector):
    """How the installation stands, from one statement; of a database that does not answer, that alone."""

    def collect(self) -> Iterator[Metric]:
        """The gauges."""
        try:
            with connection.cursor() as cursor:
                cursor.execute(_STANDING, {"most": MOST_COUNTED})
                found: tuple[Any, ...] = cursor.fetchone() or ()
        except Error as error:
            logger.warning("database_unavailable", error=str(error))
            found = ()
        yield GaugeMetricFamily("traceway_database_up", "Whether the database answers.", value=1 if found else 0)
        for (name, told), value in zip(_GAUGES, found, strict=False):
            yield GaugeMetricFamily(name, told, value=float(value))


class CountingMiddleware:
    """Counts every answer, under its route, never under its path."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        begun = time.perf_counter()
        response = self.get_response(request)
        match = getattr(request, "resolver_match", None)
        route = "unknown" if match is None else "/" + templated(match.route)
        method = request.method if request.method in METHODS else "other"
        REQUESTS.labels(method, route, response.status_code).inc()
        SECONDS.labels(method, route).observe(time.perf_counter() - begun)
        return response


@readable(Answers((Success(200, TEXT, "The metrics.", Wrapping.NONE, media_type="text/plain"),)))
def metrics(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """What Prometheus scrapes"""
    return HttpResponse(generate_latest(_registry()), CONTENT_TYPE_LATEST)


def _registry() -> CollectorRegistry:
    """What all web processes of this server counted, and how the installation stands."""
    registry = CollectorRegistry()
    registry.register(Standing())
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    return registry
