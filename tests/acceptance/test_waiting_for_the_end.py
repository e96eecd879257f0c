"""Answers that wait, on a real server: more wait than it has threads, and everybody else is served."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
import pytest

from config.stack.running import Stack
from tests.acceptance.api import Api
from tests.waiting import eventually

MANY = 80
"""More than two processes have threads."""
HELD = {"name": "held", "type": "wait", "config": {"signal": "go"}}
LOOK = {"name": "look", "type": "agent", "config": {"task": "look"}}
QUICK = {"name": "only", "type": "transform", "config": {"output": 1}}


def test_many_wait_and_nobody_else_does(stack: Stack) -> None:
    api = Api.of_new_tenant(stack, "waiting")

    def waited(workflow_id: str, seconds: int) -> httpx.Response:
        body = {"workflowId": workflow_id, "sourceSystem": "tests", "sourceEntityType": "test"}
        headers = {**api.client.headers, "Prefer": f"wait={seconds}"}
        return httpx.post(f"{stack.address}/v1/executions", json=body, headers=headers, timeout=60)

    with api.client, ThreadPoolExecutor(MANY) as pool:
        held, quick = (api.publish({"name": step["name"], "steps": [step]}) for step in (HELD, QUICK))
        began = time.monotonic()
        waiting = [pool.submit(waited, held, 20) for _ in range(MANY)]
        eventually(lambda: len(api.get("/v1/executions", workflowId=held, limit=100)["data"]["items"]) == MANY)
        assert time.monotonic() - began < 20
        # All of them wait now, and one that comes is answered as soon as it has ended.
        came = time.monotonic()
        answer = waited(quick, 30)
        assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "wait=30")
        assert answer.json()["data"]["execution"]["status"] == "workflow_succeeded"
        assert time.monotonic() - came < 10
        answers = [one.result() for one in waiting]
    assert Counter(one.status_code for one in answers) == {200: MANY}
    assert {one.headers["Preference-Applied"] for one in answers} == {"wait=20"}
    assert {one.json()["data"]["execution"]["status"] for one in answers} == {"workflow_waiting"}
    assert 20 <= time.monotonic() - began < 50


def test_many_workers_wait_for_tasks_and_each_task_is_one_workers(stack: Stack) -> None:
    api = Api.of_new_tenant(stack, "claiming")
    agent = api.get("/v1/agents")["items"][0]["id"]

    def claimed(seconds: int) -> httpx.Response:
        with httpx.Client(base_url=stack.address, headers=api.client.headers, timeout=60) as worker:
            answer = worker.post(f"/v1/agents/{agent}/tasks/claim", json={"wait_seconds": seconds})
            assert worker.get("/v1/me").status_code == 200, "the connection serves the next request"
            return answer

    with closing(api.client), ThreadPoolExecutor(MANY) as pool:
        workflow = api.publish({"name": "looking", "steps": [LOOK]})
        waiting = [pool.submit(claimed, 20) for _ in range(MANY)]
        began = time.monotonic()
        for _ in range(3):
            api.start(workflow)
        answers = [one.result() for one in waiting]
    assert Counter(one.status_code for one in answers) == {200: MANY}
    tasks = [task["task_id"] for one in answers for task in one.json()["items"]]
    assert len(set(tasks)) == len(tasks) == 3
    soon = [one for one in answers if one.json()["items"]]
    assert max(one.elapsed.total_seconds() for one in soon) < 15
    assert 15 <= time.monotonic() - began < 50


def test_a_worker_that_left_while_it_waited_is_given_nothing(stack: Stack) -> None:
    api = Api.of_new_tenant(stack, "leaving")
    agent = api.get("/v1/agents")["items"][0]["id"]
    with closing(api.client):
        workflow = api.publish({"name": "looking", "steps": [LOOK]})
        with pytest.raises(httpx.ReadTimeout):
            api.client.post(f"/v1/agents/{agent}/tasks/claim", json={"wait_seconds": 30}, timeout=1)
        api.start(workflow)
        answer = api.post(f"/v1/agents/{agent}/tasks/claim", {"wait_seconds": 20})
    assert [task["step"] for task in answer["items"]] == ["look"]
