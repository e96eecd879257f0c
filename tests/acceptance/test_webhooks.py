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
from tests.unit.orchestrator.raw_server import Seen, answering, reply, serving
from tests.waiting import eventually
from traceway import Conflict, NotFound, Traceway, webhooks
from traceway.models import WebhookEndpoint

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


@pytest.fixture
def client(stack: Stack, api: Api) -> Iterator[Traceway]:
    with Traceway(stack.address, api.client.headers["Authorization"].removeprefix("Bearer ")) as made:
        yield made


def test_the_client_makes_an_endpoint_and_reads_and_repeats_what_it_was_told(
    api: Api, client: Traceway, workflow: str
) -> None:
    with serving(answering(reply())) as server:
        types = ["execution.succeeded"]
        made = client.webhook_endpoints.create("n", server.address, subscribed_event_types=types, max_retries=3)
        assert (made.status, made.subscribed_event_types, made.max_retries) == ("enabled", types, 3)
        assert made.signing_secret is not None
        assert made.signing_secret not in repr(made)
        execution = api.start(workflow)
        eventually(lambda: states(client, made) == ["delivered"])
        (told,) = client.webhook_deliveries.list(endpoint_id=made.id, execution_id=execution, status="delivered")
        assert [attempt.response_status for attempt in told.attempts] == [200]
        again = client.webhook_deliveries.replay(told.id)
        assert (again.replay_of, again.event_id) == (told.id, told.event_id)
        eventually(lambda: client.webhook_deliveries.get(again.id).status == "delivered")
    bodies = [webhooks.verify(made.signing_secret, seen.headers, seen.body) for seen in server.seen]
    assert [(body["type"], body["data"]["executionId"]) for body in bodies] == [("execution.succeeded", execution)] * 2
    with pytest.raises(Conflict):
        client.webhook_deliveries.retry(told.id)


def test_the_client_disables_enables_renews_and_deletes_an_endpoint(client: Traceway) -> None:
    made = client.webhook_endpoints.create("n", "https://example.com/hook", description="orders")
    assert client.webhook_endpoints.disable(made.id).status == "disabled"
    assert client.webhook_endpoints.enable(made.id).status == "enabled"
    renewed = client.webhook_endpoints.regenerate_secret(made.id)
    assert renewed.signing_secret not in {None, made.signing_secret}
    assert renewed.secret_overlap_until is not None
    found = client.webhook_endpoints.get(made.id)
    assert (found.description, found.signing_secret) == ("orders", None)
    assert made.id in [one.id for one in client.webhook_endpoints.list()]
    client.webhook_endpoints.delete(made.id)
    with pytest.raises(NotFound):
        client.webhook_endpoints.get(made.id)


def states(client: Traceway, endpoint: WebhookEndpoint) -> list[str]:
    return [one.status for one in client.webhook_deliveries.list(endpoint_id=endpoint.id)]


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
