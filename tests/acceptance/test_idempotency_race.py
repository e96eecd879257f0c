"""Two servers on one database: one effect of many identical requests, one end of a key, one limit of its requests."""

from __future__ import annotations

import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from config.stack import commands
from config.stack.child import Child
from config.stack.data_dir import CHECKOUT
from config.stack.running import Stack
from tests.acceptance.api import Api
from tests.waiting import eventually

TOGETHER = 50
ONE_STEP = {"name": "step", "type": "transform", "config": {"output": 1}}


@dataclass
class Servers:
    """A tenant's caller, and the addresses of two servers that share everything but their processes."""

    api: Api
    addresses: tuple[str, str]

    def at_once(self, path: str, bodies: list[Any], headers: dict[str, str]) -> list[httpx.Response]:
        """The answers to these bodies, sent at the same moment, half of them to each server."""
        barrier = threading.Barrier(len(bodies))
        headers = {**headers, "Authorization": self.api.client.headers["Authorization"]}

        def send(number: int) -> httpx.Response:
            with httpx.Client(base_url=self.addresses[number % 2], headers=headers, timeout=60) as client:
                client.get("/healthz")
                barrier.wait()
                return client.post(path, json=bodies[number])

        with ThreadPoolExecutor(len(bodies)) as pool:
            return list(pool.map(send, range(len(bodies))))


@pytest.fixture(scope="module")
def servers(stack: Stack) -> Iterator[Servers]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    address, log = f"http://127.0.0.1:{port}", stack.data.logs / "second-web.log"
    argv, environment = [sys.executable, *commands.WEB], {**stack.environment, "PORT": port}
    second = Child("second-web", argv, log, environment, cwd=CHECKOUT)
    second.start()
    try:
        eventually(lambda: _serves(address))
        api = Api.of_new_tenant(stack, "racing")
        with api.client:
            yield Servers(api, (stack.address, address))
    finally:
        second.stop()


def _serves(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("where", ["header", "member"])
def test_fifty_identical_creations_on_two_servers_are_one_execution_and_fifty_equal_answers(
    servers: Servers, where: str
) -> None:
    api = servers.api
    workflow = api.publish({"name": f"raced by {where}", "steps": [ONE_STEP]})
    body = {"workflowId": workflow, "sourceSystem": "tests", "sourceEntityType": "race"}
    for number in range(3):
        key = f"{where}-{number}"
        sent = body if where == "header" else {**body, "idempotencyKey": key}
        headers = {"Idempotency-Key": key} if where == "header" else {}
        answers = servers.at_once("/v1/executions", [sent] * TOGETHER, headers)
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
        assert Counter(a.headers.get("Idempotent-Replayed") for a in answers) == {None: 1, "true": TOGETHER - 1}
        assert len(api.get("/v1/executions", workflowId=workflow)["data"]["items"]) == number + 1


def test_of_fifty_bodies_under_one_key_one_is_carried_out_and_every_other_refused(servers: Servers) -> None:
    workflow = servers.api.publish({"name": "quarrelled over", "steps": [ONE_STEP]})
    bodies = [{"parameters": {}, "input": {"n": number}} for number in range(TOGETHER)]
    headers = {"Idempotency-Key": "quarrel", "X-Tenant-ID": "racing"}
    answers = servers.at_once(f"/v1/workflows/{workflow}/execute", bodies, headers)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: TOGETHER - 1}
    reasons = {answer.json()["details"]["reason"] for answer in answers if answer.status_code == 409}
    assert reasons == {"idempotency_key_reused"}
    assert len(servers.api.get("/v1/executions", workflowId=workflow)["data"]["items"]) == 1


def test_a_key_that_is_revoked_on_one_server_opens_nothing_on_the_other_from_then_on(servers: Servers) -> None:
    for number in range(10):
        made = servers.api.post("/v1/api-keys", {"name": f"revoked {number}"})["data"]
        with httpx.Client(headers={"X-API-Key": made["key"]}, timeout=30) as caller:
            statuses = [caller.get(f"{address}/v1/me").status_code for address in servers.addresses]
            servers.api.post(f"/v1/api-keys/{made['id']}/revoke")
            statuses += [caller.get(f"{address}/v1/me").status_code for address in reversed(servers.addresses)]
        assert statuses == [200, 200, 401, 401]


def test_a_rate_limit_is_one_on_two_servers(servers: Servers) -> None:
    key = servers.api.post("/v1/api-keys", {"name": "limited", "rateLimitPerMinute": 20})["data"]["key"]

    def ask(number: int) -> int:
        address = servers.addresses[number % 2]
        return httpx.get(f"{address}/v1/me", headers={"X-API-Key": key}, timeout=30).status_code

    with ThreadPoolExecutor(10) as pool:
        assert Counter(pool.map(ask, range(TOGETHER))) == {200: 20, 429: TOGETHER - 20}
