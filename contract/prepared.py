"""Statements of the hot paths of the web, on Django's connection and in its transaction, prepared by the server.

The ORM's cursors write parameters into the text, so that PostgreSQL plans each statement anew; here it binds them, and
a text that is sent again costs neither compiling nor planning. What is not hot stays with the ORM.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import connection
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
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    made: Any = _Cursor
    database: Any = connection
    cursor: CursorWrapper = database._prepare_cursor(made(database.connection))
    return cursor


@contextmanager
def together() -> Iterator[None]:
    """What is executed inside goes to the server at once, each statement seeing what was committed before it began.

    A transaction that begins here begins with it. What a cursor found can be fetched afterwards.
    """
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    database: Any = connection
    with database.wrap_database_errors, database.connection.pipeline():
        yield


def one_row(statement: str, parameters: Mapping[str, Any]) -> Row | None:
    """The first row of what the statement finds; None where it finds nothing."""
    with prepared() as cursor:
        cursor.execute(statement, parameters)
        row: Row | None = cursor.fetchone()
    return row
