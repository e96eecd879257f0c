"""A dump that was restored into another server: its events name transactions that this server has yet to begin."""

from __future__ import annotations

from typing import Any

from django.apps.registry import Apps
from django.core.management import call_command

from executions.models import Event, Execution
from executions.streaming.restoring import settle_restored_events
from tests.integration.http_client import Caller
from tests.integration.streams.listening import listening
from tests.integration.streams.test_execution_streams import drained, held, listed
from tests.integration.streams.test_tenant_streams import ALL, next_of

FAR = 2**40


def test_after_the_next_migration_restored_executions_are_told_on(alice: Caller, address: str) -> None:
    execution = held(alice)
    before = len(listed(alice, execution))
    Event.objects.update(xid=FAR)
    Execution.objects.update(event_xid=FAR)
    call_command("migrate", verbosity=0)
    assert set(Event.objects.values_list("xid", flat=True)) == {0}
    with listening(address, ALL, alice.key) as stream:
        alice.post(f"/v1/executions/{execution}/signals/go")
        drained()
        expected = listed(alice, execution)[before:]
        assert [block.data for block in next_of(stream.events(), len(expected))] == expected


def test_a_migration_leaves_the_events_of_this_server_alone(alice: Caller) -> None:
    held(alice)
    events = list(Event.objects.values_list("id", "xid"))
    call_command("migrate", verbosity=0)
    assert list(Event.objects.values_list("id", "xid")) == events
    assert all(xid > 0 for _, xid in events)


def test_a_server_that_goes_back_to_an_older_schema_is_left_alone(
    transactional_db: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        settle_restored_events("default", Apps([]))
