"""A worker whose broker dies at the worst moment hears it again, though an acknowledgement was lost."""

from __future__ import annotations

import signal
import time
from typing import Any

import redis

from config.stack.child import servers_in
from config.stack.running import Stack
from tests.acceptance.api import Api
from tests.waiting import eventually


def slow(seconds: float) -> dict[str, Any]:
    config = {"tool": "sleep", "arguments": {"seconds": seconds}}
    return {"name": "slow", "type": "tool_call", "config": config}


def stays_unacknowledged(broker: redis.Redis) -> bool:
    """Whether a message is in the worker's hand, and not only on its way through it."""
    for _ in range(20):
        if not broker.hlen("traceway:unacked"):
            return False
        time.sleep(0.02)
    return True


def test_a_worker_hears_again_after_a_broker_that_died_while_every_message_was_unacknowledged(new_stack: Stack) -> None:
    new_stack.environment["WORKERS"] = "1"
    new_stack.start()
    api = Api.of_new_tenant(new_stack, "hearing")
    workflow_id = api.publish({"name": "slow", "steps": [slow(5)]})
    broker = redis.Redis.from_url(new_stack.data.redis_url())
    assert new_stack.process is not None

    busy = api.start(workflow_id)
    eventually(lambda: api.execution(busy)["status"] == "workflow_running")
    reserved = api.start(workflow_id)
    eventually(lambda: stays_unacknowledged(broker))
    # Nobody starts the broker again until the process is done, and has tried to acknowledge its next message.
    new_stack.process.send_signal(signal.SIGSTOP)
    try:
        servers_in(new_stack.data.valkey)[0].kill()
        eventually(lambda: api.execution(busy)["status"] == "workflow_succeeded")
    finally:
        new_stack.process.send_signal(signal.SIGCONT)

    assert api.ended([busy, reserved, api.start(workflow_id)], 60) == {"workflow_succeeded": 3}
    api.client.close()
