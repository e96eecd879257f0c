"""/metrics: what was answered, by route and never by path; how the installation stands, without a tenant or an id."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from config.stack.data_dir import CHECKOUT
from executions.models import Execution, Worker
from tests.integration.http.arranging import created, published
from tests.integration.http_client import Caller, caller

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice() -> Caller:
    return caller("alice")


def scraped() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Each sample's value by its name and labels."""
    text = Client().get("/metrics").content.decode()
    families: Any = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples]
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples}


def requests(method: str, route: str, status: int) -> float:
    labels = (("method", method), ("route", route), ("status", str(status)))
    return scraped().get(("traceway_http_requests_total", labels), 0)


def gauge(name: str) -> float:
    return scraped()[name, ()]


def test_an_answer_is_counted_under_its_route_and_status(alice: Caller) -> None:
    route = "/v1/executions/{execution_id}"
    before, unknown = requests("GET", route, 404), requests("GET", "unknown", 404)
    for _ in range(3):
        alice.get(f"/v1/executions/{uuid4()}")
    alice.get("/v1/nothing/here")
    assert requests("GET", route, 404) == before + 3
    assert requests("GET", "unknown", 404) == unknown + 1
    assert scraped()["traceway_http_request_seconds_count", (("method", "GET"), ("route", route))] >= 3


def test_a_method_that_nobody_knows_makes_no_label_of_its_own(alice: Caller) -> None:
    alice.send("BREW", "/v1/me")
    assert {dict(labels).get("method") for _, labels in scraped()} & {"other", "BREW"} == {"other"}


def test_no_tenant_and_no_id_is_told(alice: Caller) -> None:
    workflow_id = published(alice)
    execution = created(alice, workflow_id)["execution"]["id"]
    alice.get(f"/v1/executions/{execution}")
    text = Client().get("/metrics").content.decode()
    assert alice.tenant is not None
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}", text)
    assert "alice" not in text


def test_what_is_due_and_for_how_long_what_is_stuck_and_who_is_alive(alice: Caller) -> None:
    assert (gauge("traceway_due"), gauge("traceway_due_oldest_seconds"), gauge("traceway_quarantined")) == (0, 0, 0)
    workflow_id = published(alice)
    executions = [created(alice, workflow_id)["execution"]["id"] for _ in range(3)]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE execution SET due_at = now() - interval '1 minute' WHERE id = %s", [executions[0]])
        cursor.execute("UPDATE execution SET due_at = now() + interval '1 hour' WHERE id = %s", [executions[1]])
        cursor.execute("UPDATE execution SET due_at = NULL, quarantined_at = now() WHERE id = %s", [executions[2]])
        cursor.execute(
            "INSERT INTO worker (boot_id, name, started_at, beat_at, expires_at, held) VALUES "
            "(gen_random_uuid(), 'a', now(), now(), now() + interval '5 s', '{x,y}'), "
            "(gen_random_uuid(), 'b', now(), now(), now() - interval '5 s', '{z}')"
        )
    assert (gauge("traceway_due"), gauge("traceway_quarantined")) == (1, 1)
    assert 60 <= gauge("traceway_due_oldest_seconds") < 120
    assert (gauge("traceway_workers"), gauge("traceway_attempts_held")) == (1, 2)
    assert gauge("traceway_events_written") >= 6
    assert (Execution.objects.count(), Worker.objects.count()) == (3, 2)


def test_a_scrape_is_one_statement() -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        Client().get("/metrics")
    assert len(queries) == 1


def test_without_a_database_it_says_so() -> None:
    program = (
        "import django; django.setup(); from django.test import Client; "
        "print(Client(SERVER_NAME='localhost').get('/metrics').content.decode())"
    )
    nowhere = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, env=nowhere, capture_output=True, text=True, check=True
    )
    assert "traceway_database_up 0.0" in done.stdout
    assert "traceway_due" not in done.stdout


def test_all_processes_of_a_server_are_added_up(tmp_path: Any) -> None:
    program = (
        "import os, django; django.setup(); from config.metrics import REQUESTS; "
        "REQUESTS.labels('GET', '/v1/me', 200).inc(); "
        "from django.test import Client; print(Client(SERVER_NAME='localhost').get('/metrics').content.decode())"
    )
    shared = {
        "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
    }
    told = [
        subprocess.run(
            [sys.executable, "-c", program], cwd=CHECKOUT, env=shared, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    line = 'traceway_http_requests_total{method="GET",route="/v1/me",status="200"} '
    assert line + "1.0" in told[0]
    assert line + "2.0" in told[1]
