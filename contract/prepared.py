"""Statements of the hot paths of the web, on Django's connection and in its transaction, prepared by the server.

The ORM's cursors write parameters into the text, so that PostgreSQL plans each statement anew; here it binds them, and
a text that is sent again costs neither compiling nor planning. What is not hot stays with the ORM.
"""

from __future__ import annotations

import select
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.postgresql.base import ServerBindingCursor
from django.db.backends.utils import CursorWrapper

Row = tuple[Any, ...]


class _Cursor(ServerBindingCursor):
    """Keeps what it sent, for which Django asks where it counts statements."""

    def _convert_query(self, query: Any, params: Any = None) -> Any:
        self._query: Any = super()._convert_query(query, params)  # type: ignore[misc]
        return self._query


def prepared() -> CursorWrapper:
    """A cursor whose statements are prepared (DATABASES sets prepare_threshold); what it raises is Django's."""
    database, made = _connected(), cast("Any", _Cursor)
    cursor: CursorWrapper = database._prepare_cursor(made(database.connection))
    return cursor


@contextmanager
def together() -> Iterator[None]:
    """What is executed inside goes to the server at once, each statement seeing what was committed before it began.

    A transaction that begins here begins with it. What a cursor found can be fetched afterwards.
    """
    database = _connected()
    with database.wrap_database_errors, database.connection.pipeline():
        yield


def one_row(statement: str, parameters: Mapping[str, Any]) -> Row | None:
    """The first row of what the statement finds; None where it finds nothing."""
    with prepared() as cursor:
        cursor.execute(statement, parameters)
        row: Row | None = cursor.fetchone()
    return row


def all_rows(statement: str, parameters: Mapping[str, Any]) -> list[Row]:
    """Every row of what the statement finds."""
    with prepared() as cursor:
        cursor.execute(statement, parameters)
        rows: list[Row] = cursor.fetchall()
    return rows


def _connected() -> Any:
    """This thread's connection itself, once and not by its proxy, which looks it up each time it is asked for."""
    database: Any = connections[DEFAULT_DB_ALIAS]
    if database.connection is not None and not _has_news(database.connection):
        database.health_check_done = True
    database.close_if_health_check_failed()
    database.ensure_connection()
    return database


def _has_news(link: psycopg.Connection[Any]) -> bool:
    """Whether the server closed the connection or told something unasked, so that Django has to ask it how it is.

    That costs a round trip in each request; a look at the socket costs none, and finds the same.
    """
    if link.closed:
        return True
    watched = select.poll()
    watched.register(link.fileno(), select.POLLIN)
    return bool(watched.poll(0))
