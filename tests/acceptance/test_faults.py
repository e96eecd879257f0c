"""The whole stack under faults: nothing that was accepted is lost, and nothing is recorded twice."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import psutil
import pytest
import redis

from config.stack.child import servers_in
from config.stack.running import Stack
from tests.acceptance.api import Api

COUNT = 150


def noop(name: str, *depends_on: str) -> dict[str, object]:
    """A step that holds its worker for 20 ms, so that faults meet something running."""
    config = {"tool": "sleep", "arguments": {"seconds": 0.02}}
    return {"name": name, "type": "tool_call", "config": config, "depends_on": list(depends_on)}


DIAMOND = [noop("first"), noop("left", "first"), noop("right", "first"), noop("last", "left", "right")]


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[Api]:
    made = Api.of_new_tenant(stack, "faults")
    yield made
    made.client.close()


@pytest.fixture(scope="module")
def diamond(api: Api) -> str:
    return api.publish({"name": "diamond", "steps": DIAMOND})


def succeeded_once(api: Api, execution_ids: list[str]) -> None:
    for execution_id in execution_ids:
        for step in api.steps(execution_id):
            assert [attempt["status"] for attempt in step["attempts"]].count("succeeded") == 1


def worker_children(stack: Stack) -> list[psutil.Process]:
    """The prefork children: the processes of the fleet that carry steps out."""
    fleet = [p for p in stack.processes() if "celery" in " ".join(p.cmdline())]
    return [p for p in fleet if p.parent() in fleet]


def test_killing_a_worker_process_loses_nothing(stack: Stack, api: Api, diamond: str) -> None:
    execution_ids = api.start_many(diamond, COUNT)
    worker_children(stack)[0].send_signal(signal.SIGKILL)

    assert api.ended(execution_ids, 90) == {"workflow_succeeded": COUNT}
    succeeded_once(api, execution_ids[::10])


def test_killing_the_whole_fleet_loses_nothing(stack: Stack, api: Api, diamond: str) -> None:
    execution_ids = api.start_many(diamond, COUNT)
    for process in worker_children(stack):
        parent = process.parent()
        process.send_signal(signal.SIGKILL)
        if parent is not None:
            parent.send_signal(signal.SIGKILL)

    assert api.ended(execution_ids, 90) == {"workflow_succeeded": COUNT}
    succeeded_once(api, execution_ids[::10])


def test_flushing_the_broker_loses_nothing(stack: Stack, api: Api, diamond: str) -> None:
    execution_ids = api.start_many(diamond, COUNT // 2)
    broker = redis.Redis.from_url(stack.data.redis_url())
    broker.flushall()
    execution_ids += api.start_many(diamond, COUNT // 2)
    broker.flushall()
    broker.close()

    assert api.ended(execution_ids, 90) == {"workflow_succeeded": len(execution_ids)}


def test_an_immediate_restart_of_the_database_loses_nothing(stack: Stack, api: Api, diamond: str) -> None:
    execution_ids = api.start_many(diamond, COUNT // 2)
    servers = servers_in(stack.data.postgres)
    (postmaster,) = (server for server in servers if server.parent() not in servers)
    postmaster.send_signal(signal.SIGQUIT)  # an immediate shutdown: the supervisor starts it again
    postmaster.wait(30)

    _until_it_answers(api)
    assert api.ended(execution_ids, 90) == {"workflow_succeeded": len(execution_ids)}


def _until_it_answers(api: Api) -> None:
    for _ in range(600):
        if api.client.get("/readyz").status_code == 200:
            return
    raise AssertionError("the stack is not ready again")
