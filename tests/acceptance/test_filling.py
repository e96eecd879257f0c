"""The command that stores a million executions, with a few: they are as the engine would have left them."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg
import pytest

from bench.fill import filled
from config.stack.running import Stack
from config.stack.servers import Servers

EXECUTIONS = 2_000
COUNTED = {
    "ended": "SELECT count(*) FROM execution WHERE finished_at IS NOT NULL",
    "sealed": "SELECT count(*) FROM execution e JOIN receipt r ON r.execution_id = e.id AND r.run_id = e.run_id "
    "WHERE r.sequence = e.event_sequence AND r.status = e.status",
    "chains": "SELECT count(*) FROM execution e JOIN event v ON v.execution_id = e.id "
    "AND v.sequence = e.event_sequence AND v.hash = e.chain_head",
    "first events": "SELECT count(*) FROM event WHERE sequence = 1",
    "submitted": "SELECT count(*) FROM submission",
    "to be told or sealed": "SELECT count(*) FROM event WHERE (xid, id) > "
    "(SELECT min(xid), min(event) FROM log_cursor HAVING count(*) = 2)",
    "due": "SELECT count(*) FROM execution WHERE due_at IS NOT NULL",
    "in the future": "SELECT count(*) FROM event WHERE created_at > now()",
}


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack({"DATABASE_URL": "", "REDIS_URL": "", "PUBLIC_URL": "", "ALLOWED_HOSTS": ""}, data_dir=tmp_path)


def test_what_is_stored_is_whole_and_nobody_has_anything_to_do_with_it(stack: Stack) -> None:
    servers = Servers(stack.data, postgres=True, valkey=True, pause=time.sleep, say=lambda _: None)
    servers.start()
    try:
        stack.environment |= {"DATABASE_URL": stack.data.database_url(), "REDIS_URL": stack.data.redis_url()}
        stack.manage("migrate", "--verbosity", "0")
        told = filled(stack, EXECUTIONS)
        with psycopg.connect(stack.data.database_url()) as connection:
            found = {name: connection.execute(query).fetchall()[0][0] for name, query in COUNTED.items()}
    finally:
        servers.stop()

    assert "2,000 executions stored by COPY" in told
    assert "attempt " in told
    assert found["ended"] == found["sealed"] == EXECUTIONS - 10 - 30 - 499 - 20
    assert found["chains"] == found["first events"] == found["submitted"] == EXECUTIONS
    assert found["to be told or sealed"] == found["due"] == found["in the future"] == 0
