"""Rings at the moment an execution's creation is committed, which its caller has not been told yet."""

from __future__ import annotations

import time

import psycopg

_INSTALL = """
CREATE OR REPLACE FUNCTION chaos_bell() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NOTIFY chaos_bell; RETURN NULL; END $$;
CREATE OR REPLACE TRIGGER chaos_bell AFTER INSERT ON submission EXECUTE FUNCTION chaos_bell()"""


def install(url: str) -> None:
    """Have this run's own database ring; a notification leaves with the commit it belongs to."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_INSTALL)


def wait_for_a_commit(url: str, seconds: float) -> None:
    """Return right after the next one, or after `seconds`; waits for a database that is away."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("LISTEN chaos_bell")
                next(connection.notifies(timeout=max(0.0, until - time.monotonic())), None)
                return
        except psycopg.OperationalError:
            time.sleep(0.1)
