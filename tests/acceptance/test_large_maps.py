"""A map over as many items as one may have, on real workers: in order, and within their memory."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest

from config.stack.running import Stack
from tests.acceptance.api import Api

ITEMS = 10_000
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[Api]:
    made = Api.of_new_tenant(stack, "large-maps")
    yield made
    made.client.close()


def largest_worker(stack: Stack) -> float:
    """The most memory that a process of the fleet has held, in megabytes."""
    fleet = [process for process in stack.processes() if "celery" in " ".join(process.cmdline())]
    return max(_most_held(process) for process in fleet)


def _most_held(process: psutil.Process) -> float:
    with open(f"/proc/{process.pid}/status") as status:  # noqa: PTH123 - no file of ours
        lines = dict(line.split(":", 1) for line in status)
    return int(lines["VmHWM"].split()[0]) * 1024 / MEGABYTE


def test_ten_thousand_items_come_out_in_order_and_no_worker_takes_300_megabytes(stack: Stack, api: Api) -> None:
    item = {"type": "transform", "config": {"output": {"twice": "${{ item * 2 }}", "at": "${{ index }}"}}}
    step = {"name": "each", "type": "map", "config": {"over": "input.numbers", "step": item}}
    workflow_id = api.publish({"name": "ten-thousand", "steps": [step]})

    execution_id = api.start(workflow_id, {"numbers": list(range(ITEMS))})

    assert api.ended([execution_id], 120) == {"workflow_succeeded": 1}
    output = api.execution(execution_id)["responsePayload"]
    assert output["each"] == {"items": [{"twice": 2 * n, "at": n} for n in range(ITEMS)], "failed": 0}
    assert largest_worker(stack) < 300
