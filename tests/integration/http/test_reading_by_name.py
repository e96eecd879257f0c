"""An execution read by its name, with a statement of our own: as the ORM reads it, and nothing is asked for twice."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from executions.models import Event, Execution
from executions.reading import execution_of, newest_events, payment_of
from tests.integration.http.arranging import created, engine, published
from tests.integration.http_client import Caller

PRICES = [None, {"amount": 1250, "currency": "EUR"}]


def columns(row: Model) -> dict[str, Any]:
    """The value of each; of those that were left out, as they are read when they are asked for."""
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("price", PRICES, ids=["free", "priced"])
def test_it_is_what_the_orm_reads_with_what_belongs_to_it_at_hand(alice: Caller, price: Any) -> None:
    assert alice.tenant is not None
    members = {"externalRef": "r", "clientSafeMetadata": {"a": [1]}, "requestPayload": {"n": 1}}
    made = created(alice, published(alice, **({"price": price} if price else {})), **members)["execution"]
    with engine() as world:
        world.drain()

    with CaptureQueriesContext(connection) as captured:
        found = execution_of(alice.tenant, made["id"])
        asked, paid = found.submission, payment_of(found)
    assert len(captured.captured_queries) == 1

    known = Execution.objects.select_related("submission", "payment").get(id=made["id"])
    assert columns(found) == columns(known)
    assert columns(asked) == columns(known.submission)
    assert asked.execution is found
    assert (paid and columns(paid)) == (columns(known.payment) if price else None)
    assert paid is None or paid.execution is found


def test_it_is_found_by_its_id_and_by_its_runs_and_by_nobody_else(alice: Caller, bob: Caller) -> None:
    assert alice.tenant is not None
    made = created(alice, published(alice))["execution"]
    for name in (made["id"], made["runId"]):
        assert alice.get(f"/v1/executions/{name}").json()["data"]["execution"]["id"] == made["id"]
        assert bob.get(f"/v1/executions/{name}").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_its_newest_events_are_what_the_orm_reads_of_them(alice: Caller) -> None:
    assert alice.tenant is not None
    made = created(alice, published(alice))["execution"]
    with engine() as world:
        world.drain()
    known = list(Event.objects.filter(execution=made["id"]).order_by("sequence"))
    with CaptureQueriesContext(connection) as captured:
        found = newest_events(execution_of(alice.tenant, made["id"]), len(known) - 1)
    assert len(captured.captured_queries) == 2
    assert [columns(event) for event in found] == [columns(event) for event in known[1:]]
