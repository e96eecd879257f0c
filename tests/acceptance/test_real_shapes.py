"""Real scientific workflows (WfCommons traces), imported and run: every step after all its parents, all succeeded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from config.stack.data_dir import CHECKOUT
from config.stack.running import Stack
from tests.acceptance.api import Api

SMALL = CHECKOUT / "tests" / "data" / "small_wfformat.json"
TRACES = sorted((CHECKOUT.parent / "shared" / "data" / "wfinstances").glob("*.json"))


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[Api]:
    made = Api.of_new_tenant(stack, "shapes")
    yield made
    made.client.close()


@pytest.mark.parametrize("trace", [SMALL, *TRACES], ids=lambda path: path.stem)
def test_a_trace_runs_each_step_after_all_its_parents(stack: Stack, api: Api, trace: Path) -> None:
    workflow_id = stack.manage("import_wfformat", str(trace), "--tenant", "shapes", "--publish")

    execution_id = api.start(workflow_id)
    assert api.ended([execution_id], 120) == {"workflow_succeeded": 1}

    steps = {step["name"]: step for step in api.steps(execution_id)}
    assert {step["status"] for step in steps.values()} == {"succeeded"}
    for step in steps.values():
        began = datetime.fromisoformat(step["startedAt"])
        assert all(datetime.fromisoformat(steps[parent]["finishedAt"]) <= began for parent in step["dependsOn"])
    events = api.get(f"/v1/executions/{execution_id}/events", limit=1000)["data"]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
