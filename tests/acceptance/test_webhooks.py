"""Outbound webhooks of a running stack: told within moments, and of everything though the sweeper is killed."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

import psutil
import pytest
from standardwebhooks import Webhook

from config.stack.running import Stack
from tests.acceptance.api import Api
from tests.acceptance.conftest import EMBEDDED
from tests.unit.orchestrator.raw_server import Seen, reply, serving
from tests.waiting import eventually

TYPES = ["execution.created", "execution.succeeded"]
COUNT = 60


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One whose webhooks may reach this machine."""
    made = Stack({**EMBEDDED, "EGRESS_ALLOWED_HOSTS": "127.0.0.1"}, data_dir=tmp_path_factory.mktemp("webhooks"))
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[Api]:
    made = Api.of_new_tenant(stack, "webhooks")
    yield made
    made.client.close()


@pytest.fixture(scope="module")
def workflow(api: Api) -> str:
    step = {"name": "only", "type": "tool_call", "config": {"tool": "noop", "arguments": {}}}
    return api.publish({"name": "one step", "steps": [step]})


def endpoint(api: Api, url: str) -> Any:
    return api.post("/v1/execution-webhooks", {"name": "n", "url": url, "subscribedEventTypes": TYPES})["data"]


def sweeper(stack: Stack) -> psutil.Process:
    (found,) = (process for process in stack.processes() if process.cmdline()[-1:] == ["sweep"])
    return found


def slow(_: Seen, out: BinaryIO) -> bool:
    """So that at any moment something is on its way."""
    time.sleep(0.1)
    out.write(reply())
    return True


def test_an_endpoint_is_told_within_moments(api: Api, workflow: str) -> None:
    with serving(slow) as server:
        made = endpoint(api, server.address)
        began = time.monotonic()
        execution = api.start(workflow)
        eventually(lambda: len(server.seen) == len(TYPES))
        assert time.monotonic() - began < 10
        eventually(lambda: delivered(api, made) == len(TYPES))
        api.client.delete(f"/v1/execution-webhooks/{made['endpoint']['id']}")
    for seen in server.seen:
        message = Webhook(made["signingSecret"]).verify(seen.body, seen.headers)
        assert message["data"]["executionId"] == execution
    assert {Webhook(made["signingSecret"]).verify(seen.body, seen.headers)["type"] for seen in server.seen} == {*TYPES}


def test_of_a_sweeper_that_is_killed_while_it_sends_no_delivery_is_lost(stack: Stack, api: Api, workflow: str) -> None:
    with serving(slow) as server:
        made = endpoint(api, server.address)
        api.start_many(workflow, COUNT)
        eventually(lambda: len(server.seen) >= 10)
        sweeper(stack).send_signal(signal.SIGKILL)
        eventually(lambda: delivered(api, made) == COUNT * len(TYPES), seconds=120)
    told = Counter(seen.headers["webhook-id"] for seen in server.seen)
    assert len(told) == COUNT * len(TYPES)
    assert max(told.values()) <= 2, "what was on its way as it died, and nothing else, was sent twice"


def delivered(api: Api, made: Any) -> int:
    """How many deliveries its receiver has taken."""
    query, count = {"endpointId": made["endpoint"]["id"], "status": "delivered", "limit": 100}, 0
    while True:
        page = api.get("/v1/execution-webhooks/deliveries", **query)["data"]
        count += len(page["items"])
        if page["nextCursor"] is None:
            return count
        query["cursor"] = page["nextCursor"]
