"""A connection that the server has closed is found out when a request begins, without asking it each time."""

from __future__ import annotations

import select

import psycopg
import pytest
from django.db import close_old_connections, connection
from django.db.backends.postgresql.base import DatabaseWrapper

from tests.integration.http_client import Caller, caller


@pytest.fixture
def alice(transactional_db: None) -> Caller:
    made = caller("alice")
    assert made.get("/v1/me").status_code == 200
    return made


def asks(alice: Caller) -> int:
    """Has a request begin as a server does, which the tests' client does not: the connection that answers it."""
    close_old_connections()
    assert alice.get("/v1/me").status_code == 200
    return pid()


def pid() -> int:
    found: int = connection.connection.info.backend_pid
    return found


def wait_for_the_server() -> None:
    assert select.select([connection.connection.fileno()], [], [], 10)[0], "it says nothing"


def test_a_connection_at_rest_is_used_without_asking_it(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(DatabaseWrapper, "is_usable", asked.append)
    before = pid()
    assert asks(alice) == before
    assert not asked


def test_one_to_which_the_server_said_something_is_asked_and_used(alice: Caller) -> None:
    before = pid()
    with connection.cursor() as cursor:
        cursor.execute("LISTEN heard")
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as other:
        other.execute("NOTIFY heard")
    wait_for_the_server()
    assert asks(alice) == before


def test_one_that_the_server_has_closed_is_replaced(alice: Caller) -> None:
    before = pid()
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [before])
    wait_for_the_server()
    assert asks(alice) != before
