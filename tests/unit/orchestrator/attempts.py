"""Attempts, and actions on a client that may reach loopback: what the tests of the actions arrange with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from contract.json_values import JSON
from orchestrator.actions.action import ActionFailed, Attempted
from orchestrator.actions.http import HttpAction
from tenants.egress import client

LOOPBACK = ["127.0.0.1", "localhost"]


def attempted(**members: Any) -> Attempted:
    given = {
        "execution_id": "e1",
        "index": 0,
        "step": "call",
        "turn": "1.0",
        "number": 1,
        "idempotency_key": "e1:call:1",
        "seconds": 5.0,
        "output_bytes": 100_000,
        "repeatable": True,
    }
    return Attempted(**{**given, **members})


def request(url: str, method: str = "GET", **members: Any) -> dict[str, JSON]:
    """An http step's config as its program resolves it."""
    given = {"headers": {}, "query": {}, "expected_status": [[200, 299]], "timeout_seconds": 5.0}
    return {"method": method, "url": url, **given, **members}


def carried(url: str, method: str = "GET", *, attempt: Attempted | None = None, **members: Any) -> Any:
    """The output of one http step on a client of its own."""
    with client(LOOPBACK) as outbound:
        return HttpAction(outbound)(request(url, method, **members), attempt or attempted())


def failed(url: str, method: str = "GET", *, attempt: Attempted | None = None, **members: Any) -> ActionFailed:
    """How one http step on a client of its own failed."""
    with failing() as raised:
        carried(url, method, attempt=attempt, **members)
    return raised[0]


@contextmanager
def failing() -> Iterator[list[ActionFailed]]:
    """Holds the ActionFailed that the block has to raise."""
    raised: list[ActionFailed] = []
    with pytest.raises(ActionFailed) as caught:
        yield raised
    raised.append(caught.value)
