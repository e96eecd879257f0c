"""An event names the request that it came from: the creating one, unless another had it happen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.engine.world import noop, wait
from tests.integration.http.arranging import engine, published
from tests.integration.http_client import Caller

pytestmark = pytest.mark.django_db(transaction=True)


def requests_by_type(alice: Caller, execution: str) -> dict[str, set[str]]:
    """The requests that the events of each type name."""
    found: dict[str, set[str]] = {}
    for event in alice.get(f"/v1/executions/{execution}/events").json()["data"]:
        found.setdefault(event["eventType"], set()).add(event["requestId"])
    return found


def started(alice: Caller, steps: Any) -> str:
    workflow = published(alice, steps)
    body = {"workflowId": workflow, "sourceSystem": "crm", "sourceEntityType": "lead"}
    answer = alice.post("/v1/executions", body, X_Request_ID="r-create")
    made: str = answer.json()["data"]["execution"]["id"]
    return made


def test_a_cancel_names_its_own_request_in_the_events_that_it_makes(alice: Caller) -> None:
    execution = started(alice, [wait("w", signal="go")])
    with engine() as world:
        world.drain()
        assert alice.post(f"/v1/executions/{execution}/cancel", {}, X_Request_ID="r-cancel").status_code == 200
        world.drain()
    found = requests_by_type(alice, execution)
    assert found["execution.cancelled"] == found["step.cancelled"] == {"r-cancel"}
    assert found["execution.created"] == found["step.waiting"] == {"r-create"}


def test_a_pause_and_a_resume_name_theirs_and_what_the_workers_do_names_the_first(alice: Caller) -> None:
    execution = started(alice, [noop("n")])
    for verb in ("pause", "resume"):
        assert alice.post(f"/v1/executions/{execution}/{verb}", {}, X_Request_ID=f"r-{verb}").status_code == 200
    with engine() as world:
        world.drain()
    found = requests_by_type(alice, execution)
    assert (found["execution.paused"], found["execution.resumed"]) == ({"r-pause"}, {"r-resume"})
    assert found["execution.succeeded"] == {"r-create"}


def test_a_signal_names_its_request_in_the_end_of_its_wait(alice: Caller) -> None:
    execution = started(alice, [wait("w", signal="go")])
    with engine() as world:
        world.drain()
        assert alice.post(f"/v1/executions/{execution}/signals/go", {}, X_Request_ID="r-signal").status_code == 200
        world.drain()
    assert requests_by_type(alice, execution)["step.succeeded"] == {"r-signal"}
