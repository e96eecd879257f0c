"""A feed whose connection to the database is lost goes on with another one."""

from __future__ import annotations

from django.db import connection

from tests.integration.http_client import Caller
from tests.integration.streams.listening import listening
from tests.integration.streams.test_execution_streams import drained, held, listed
from tests.integration.streams.test_tenant_streams import ALL, next_of
from tests.waiting import eventually

FEEDS = "FROM pg_stat_activity WHERE application_name = 'traceway-streams'"


def feeds() -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {FEEDS}")
        return int(cursor.fetchone()[0])


def test_streams_stay_open_and_miss_nothing_when_the_database_cuts_their_connection(
    alice: Caller, address: str
) -> None:
    execution = held(alice)
    before = len(listed(alice, execution))
    with (
        listening(address, f"/v1/executions/{execution}/stream", alice.key) as one,
        listening(address, ALL, alice.key) as every,
    ):
        events = one.events()
        next_of(events, before)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_terminate_backend(pid) {FEEDS}")
        alice.post(f"/v1/executions/{execution}/signals/go")
        drained()
        expected = listed(alice, execution)[before:]
        assert [block.data for block in events] == expected
        assert [block.data for block in next_of(every.events(), len(expected))] == expected


def test_nothing_is_read_while_no_stream_is_open(alice: Caller, address: str) -> None:
    eventually(lambda: feeds() == 0)
    with listening(address, ALL, alice.key) as first, listening(address, ALL, alice.key) as second:
        next(first.blocks())
        next(second.blocks())
        eventually(lambda: feeds() == 1)
    eventually(lambda: feeds() == 0)
