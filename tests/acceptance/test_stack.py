"""`manage.py up`, which `make up` runs: what it says, what it keeps alive, and that it goes without a trace."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import psutil
import psycopg
import pytest
import redis

from config.stack.child import StackError, runs, servers_in
from config.stack.data_dir import CHECKOUT
from config.stack.running import Stack
from tests.waiting import eventually


def serves(stack: Stack) -> bool:
    """Whether the stack answers that it is ready."""
    try:
        return httpx.get(f"{stack.address}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def running(stack: Stack, words: str) -> dict[int, psutil.Process]:
    """The processes of the stack whose command line holds `words`, by process id."""
    found = {}
    for process in stack.processes():
        with suppress(psutil.NoSuchProcess):
            if words in " ".join(process.cmdline()):
                found[process.pid] = process
    return found


def broker_answers(stack: Stack) -> bool:
    """Whether the broker at the written address answers."""
    try:
        with redis.Redis.from_url(stack.data.redis_url(), socket_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def knows_the_tenant(stack: Stack, slug: str) -> bool:
    """Whether a key can be made for the tenant."""
    return stack.manage("create_api_key", "--tenant", slug).startswith("tw_live_")


def test_it_serves_at_the_address_that_its_one_line_names(stack: Stack) -> None:
    assert serves(stack)
    assert {"postgres", "valkey-server", "python"} <= {process.name().split("3")[0] for process in stack.processes()}


def test_manage_finds_the_same_database_without_a_variable_for_it(stack: Stack) -> None:
    tenant = stack.manage("create_tenant", "found-by-manage")
    with psycopg.connect(stack.data.database_url()) as connection:
        row = connection.execute("SELECT id::text FROM tenants_tenant WHERE slug = 'found-by-manage'").fetchone()
    assert row == (tenant,)


def test_a_second_one_on_the_same_data_is_refused_and_disturbs_nothing(stack: Stack) -> None:
    before = {process.pid for process in stack.processes()}
    second = subprocess.run(
        [sys.executable, "manage.py", "up"],
        cwd=CHECKOUT,
        env=stack.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert second.stdout == ""
    assert "already runs the stack on" in second.stderr
    assert before <= {process.pid for process in stack.processes()}


def test_a_port_that_is_taken_is_named(stack: Stack, new_stack: Stack, capfd: pytest.CaptureFixture[str]) -> None:
    new_stack.environment["PORT"] = stack.environment["PORT"]
    with pytest.raises(StackError):
        new_stack.start()
    assert f"cannot serve on 127.0.0.1:{stack.environment['PORT']}" in capfd.readouterr().err


def test_the_embedded_servers_let_nobody_else_in(stack: Stack) -> None:
    assert stack.data.postgres.stat().st_mode & 0o077 == 0
    assert (stack.data.root / "redis_url").stat().st_mode & 0o077 == 0
    port = urlsplit(stack.data.redis_url()).port
    assert port is not None
    with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_what_is_committed_is_on_the_disk(stack: Stack) -> None:
    with psycopg.connect(stack.data.database_url()) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute("SELECT current_setting(%s)", [setting]).fetchone() == ("on",)


@pytest.mark.parametrize("words", ["gunicorn", "celery", "manage.py sweep"])
def test_a_process_that_is_killed_is_started_again(stack: Stack, words: str) -> None:
    before = running(stack, words)
    min(before.values(), key=lambda process: process.create_time()).kill()
    eventually(lambda: running(stack, words).keys() - before.keys())
    eventually(lambda: not [process for process in before.values() if runs(process)])
    eventually(lambda: serves(stack))


def test_a_database_that_is_killed_comes_back_with_its_data(stack: Stack) -> None:
    stack.manage("create_tenant", "before-the-crash")
    killed = servers_in(stack.data.postgres)
    for process in killed:
        process.kill()
    eventually(lambda: serves(stack))
    assert knows_the_tenant(stack, "before-the-crash")


def test_a_broker_that_is_killed_comes_back_at_its_address(stack: Stack) -> None:
    address = stack.data.redis_url()
    servers_in(stack.data.valkey)[0].kill()
    eventually(lambda: broker_answers(stack))
    assert stack.data.redis_url() == address


def test_ctrl_c_leaves_no_process_and_the_next_start_finds_the_data(new_stack: Stack) -> None:
    new_stack.start()
    new_stack.manage("create_tenant", "kept")
    running = new_stack.processes()
    assert new_stack.process is not None
    new_stack.process.send_signal(signal.SIGINT)
    assert new_stack.process.wait(60) == 0
    assert [process for process in running if runs(process)] == []
    assert new_stack.processes() == []
    assert new_stack.process.stdout is not None
    assert new_stack.process.stdout.read() == ""  # after the ready line nothing more
    new_stack.stop()
    new_stack.start()
    assert knows_the_tenant(new_stack, "kept")


def test_after_a_kill_of_everything_the_next_start_recovers(new_stack: Stack) -> None:
    new_stack.start()
    new_stack.manage("create_tenant", "survivor")
    new_stack.kill()
    assert (new_stack.data.postgres / "postmaster.pid").exists()
    new_stack.start()
    assert knows_the_tenant(new_stack, "survivor")


def test_no_process_outlives_a_killed_supervisor(new_stack: Stack) -> None:
    new_stack.start()
    running = new_stack.processes()
    assert new_stack.process is not None
    new_stack.process.kill()
    eventually(lambda: not [process for process in running if runs(process)])
    new_stack.stop()
    new_stack.start()
    assert serves(new_stack)
