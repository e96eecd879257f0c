"""GET /v1/executions/stats: how many executions were created when, where they stand, how long they took."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from executions.api import executions
from executions.models import Execution
from executions.states import Status
from tests.integration.http.arranging import created, published
from tests.integration.http_client import Caller
from workflows.live import live

STATS = "/v1/executions/stats"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def stats(alice: Caller, start: datetime, end: datetime, **query: str) -> Any:
    more = "".join(f"&{name}={value}" for name, value in query.items())
    answer = alice.get(f"{STATS}?from={ms(start)}&to={ms(end)}{more}")
    assert answer.status_code == 200, answer.content
    return answer.json()["data"]


def at(alice: Caller, workflow_id: str, moment: datetime, status: Status, seconds: float | None = None) -> None:
    """An execution that was created then, and stands so; one that has ended took so many seconds."""
    with patch.object(executions, "live", lambda *named: replace(live(*named), now=moment)):
        made = Execution.objects.filter(id=created(alice, workflow_id)["execution"]["id"])
    started = None if seconds is None else moment + timedelta(seconds=1)
    finished = None if started is None else started + timedelta(seconds=seconds or 0)
    made.update(status=status.value, started_at=started, finished_at=finished, due_at=None)


def test_each_hour_has_its_counts_and_durations_and_the_empty_ones_too(alice: Caller, bob: Caller) -> None:
    workflow_id = published(alice)
    for minutes, status, seconds in (
        (-1, Status.SUCCEEDED, 1.0),
        (0, Status.SUCCEEDED, 1.0),
        (59, Status.FAILED, 3.0),
        (30, Status.SUCCEEDED, 2.0),
        (120, Status.QUEUED, None),
        (180, Status.SUCCEEDED, 1.0),
    ):
        at(alice, workflow_id, NOON + timedelta(minutes=minutes), status, seconds)
    at(bob, published(bob), NOON, Status.SUCCEEDED, 9.0)
    found = stats(alice, NOON, NOON + timedelta(hours=3), granularity="hourly")
    assert (found["from"], found["to"], found["granularity"]) == (
        "2026-03-01T12:00:00.000Z",
        "2026-03-01T15:00:00.000Z",
        "hourly",
    )
    none = dict.fromkeys((status.value for status in Status), 0)
    assert found["buckets"] == [
        {
            "start": "2026-03-01T12:00:00.000Z",
            "total": 3,
            "byStatus": none | {"workflow_succeeded": 2, "workflow_failed": 1},
            "durationMs": {"p50": 2000, "p95": 3000},
        },
        {
            "start": "2026-03-01T13:00:00.000Z",
            "total": 0,
            "byStatus": none,
            "durationMs": {"p50": None, "p95": None},
        },
        {
            "start": "2026-03-01T14:00:00.000Z",
            "total": 1,
            "byStatus": none | {"workflow_queued": 1},
            "durationMs": {"p50": None, "p95": None},
        },
    ]
    assert (found["total"], found["byStatus"]) == (
        4,
        none | {"workflow_succeeded": 2, "workflow_failed": 1, "workflow_queued": 1},
    )
    assert found["durationMs"] == {"p50": 2000, "p95": 3000}


def test_the_first_and_the_last_bucket_are_cut_at_the_span(alice: Caller) -> None:
    workflow_id = published(alice)
    for minutes in (10, 20, 70, 80):
        at(alice, workflow_id, NOON + timedelta(minutes=minutes), Status.QUEUED)
    found = stats(alice, NOON + timedelta(minutes=20), NOON + timedelta(minutes=80))
    assert [(bucket["start"], bucket["total"]) for bucket in found["buckets"]] == [
        ("2026-03-01T12:00:00.000Z", 1),
        ("2026-03-01T13:00:00.000Z", 1),
    ]


def test_days_begin_at_midnight_of_utc(alice: Caller) -> None:
    workflow_id = published(alice)
    for hours in (0, 11, 12):
        at(alice, workflow_id, NOON + timedelta(hours=hours), Status.QUEUED)
    found = stats(alice, NOON, NOON + timedelta(days=1), granularity="daily")
    assert [(bucket["start"], bucket["total"]) for bucket in found["buckets"]] == [
        ("2026-03-01T00:00:00.000Z", 2),
        ("2026-03-02T00:00:00.000Z", 1),
    ]


def test_left_out_the_last_day_by_the_hour_is_meant(alice: Caller) -> None:
    created(alice, published(alice))
    found = alice.get(STATS).json()["data"]
    assert (found["granularity"], found["total"]) == ("hourly", 1)
    assert len(found["buckets"]) in {24, 25}
    daily = alice.get(f"{STATS}?granularity=daily").json()["data"]
    assert len(daily["buckets"]) in {30, 31}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=x", "query.from"),
        ("from=-1", "query.from"),
        ("to=1.5", "query.to"),
        ("to=253402300800000", "query.to"),
        ("from=2026-01-01", "query.from"),
        ("from=1000&to=1000", "query.from"),
        ("to=0", "query.from"),
        ("from=2000&to=1000", "query.from"),
        ("from=0&to=2678400001", "query.from"),
        ("from=0&to=31622400001&granularity=daily", "query.from"),
        ("granularity=weekly", "query.granularity"),
        ("workflowId=x", "query.workflowId"),
    ],
)
def test_a_span_that_is_wrong_is_refused(alice: Caller, query: str, field: str) -> None:
    answer = alice.get(f"{STATS}?{query}")
    assert (answer.status_code, answer.json()["details"][0]["field"]) == (400, field)


@pytest.mark.parametrize(
    "query", ["from=0&to=2678400000", "from=0&to=31622400000&granularity=daily", "to=253402300799999"]
)
def test_the_longest_span_and_the_latest_moment_are_taken(alice: Caller, query: str) -> None:
    assert alice.get(f"{STATS}?{query}").status_code == 200


def test_it_is_one_query_beside_the_clock(alice: Caller) -> None:
    created(alice, published(alice))
    with CaptureQueriesContext(connection) as captured:
        alice.get(STATS)
    assert len(captured) == 3  # the credential, the clock, the figures
