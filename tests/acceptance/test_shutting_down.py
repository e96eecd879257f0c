"""A worker that is told to end, and an installation whose sweeper stands still: nothing is lost, nothing done twice."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psutil
import pytest

from config.stack.running import Stack
from tests.acceptance.api import Api
from tests.acceptance.conftest import stack_of_its_own
from tests.waiting import eventually

WORKERS = 2


@pytest.fixture(scope="module")
def own_stack() -> Iterator[Stack]:
    """One running stack of two worker processes, for this module alone."""
    with stack_of_its_own() as made:
        made.environment["WORKERS"] = str(WORKERS)
        yield made.start()


@pytest.fixture(scope="module")
def api(own_stack: Stack) -> Iterator[Api]:
    made = Api.of_new_tenant(own_stack, "shutting")
    yield made
    made.client.close()


def tool(name: str, *depends_on: str, use: str = "noop", retry: Any = None, **arguments: Any) -> dict[str, Any]:
    step = {"name": name, "type": "tool_call", "depends_on": list(depends_on)}
    return step | {"config": {"tool": use, "arguments": arguments}} | ({"retry": retry} if retry else {})


def running(stack: Stack, words: str) -> list[psutil.Process]:
    """The processes of the stack whose command line holds these words, the parent first."""
    found = [process for process in stack.processes() if words in " ".join(process.cmdline())]
    return sorted(found, key=lambda process: process.parent() in found)


@contextmanager
def standing_still(process: psutil.Process) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def attempts(api: Api, execution_ids: list[str]) -> list[Any]:
    """Every attempt at any step of theirs."""
    return [a for execution_id in execution_ids for step in api.steps(execution_id) for a in step["attempts"]]


def test_a_worker_that_is_told_to_end_ends_what_it_began_and_begins_nothing(own_stack: Stack, api: Api) -> None:
    steps = [tool("slow", use="sleep", seconds=2.5), tool("after", "slow")]
    workflow_id = api.publish({"name": "slow", "steps": steps})
    main, *children = running(own_stack, "-m celery")
    execution_ids = api.start_many(workflow_id, 3 * WORKERS)
    eventually(lambda: [a["status"] for a in attempts(api, execution_ids)] == ["running"] * WORKERS)

    main.send_signal(signal.SIGTERM)

    assert api.ended(execution_ids, 60) == {"workflow_succeeded": len(execution_ids)}
    found = attempts(api, execution_ids)
    told = {child.pid for child in children}
    assert len([a for a in found if int(a["worker"].rpartition(":")[2]) in told]) == WORKERS
    assert [a["status"] for a in found] == ["succeeded"] * 2 * len(execution_ids)
    assert not main.is_running()


def test_while_the_sweeper_stands_still_all_goes_on_that_needs_no_timer(own_stack: Stack, api: Api) -> None:
    ends = [tool("left", "first"), tool("right", "first"), tool("last", "left", "right")]
    diamond = api.publish({"name": "diamond", "steps": [tool("first"), *ends]})
    timer = {"name": "timer", "type": "wait", "config": {"seconds": 0.5}}
    flaky = tool("flaky", "timer", use="fail", times=1, retry={"max_attempts": 2, "initial_seconds": 0.5})
    timed = api.publish({"name": "timed", "steps": [timer, flaky]})

    with standing_still(running(own_stack, "manage.py sweep")[0]):
        execution_ids = api.start_many(diamond, 60)
        assert api.ended(execution_ids, 60) == {"workflow_succeeded": len(execution_ids)}
        waiting = api.start(timed)
        eventually(lambda: overdue(api, waiting) > 1)
        assert api.execution(waiting)["status"] == "workflow_waiting"

    assert api.ended([waiting], 30) == {"workflow_succeeded": 1}
    assert [a["status"] for a in attempts(api, [waiting])] == ["succeeded", "failed", "succeeded"]


def overdue(api: Api, execution_id: str) -> float:
    """For how many seconds the timer that it waits for should have fired."""
    [waited] = attempts(api, [execution_id])[:1] or [None]
    if waited is None:
        return 0
    return (datetime.now(UTC) - datetime.fromisoformat(waited["input"]["fires_at"])).total_seconds()
