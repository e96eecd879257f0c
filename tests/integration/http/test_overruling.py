"""Skip, complete and resolve over HTTP: a step is decided about in its place, with a reason, on record."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from executions.models import Event
from executions.retry import Failure
from orchestrator.outcomes import Failed
from tests.integration.engine.world import World, noop, transform
from tests.integration.http.arranging import created, engine, published
from tests.integration.http.doors import nothing_written
from tests.integration.http.test_pausing import refusal, statuses
from tests.integration.http.test_signals_and_approvals import started, step_shown, wait
from tests.integration.http_client import Caller

pytestmark = pytest.mark.django_db(transaction=True)


def tell(alice: Caller, execution: str, step: str, verb: str, **body: Any) -> Any:
    return alice.post(f"/v1/executions/{execution}/steps/{step}/{verb}", body)


def failing(name: str, **members: Any) -> dict[str, Any]:
    """A step that fails whatever is done, and is then retried in an hour."""
    config = {"tool": "fail", "arguments": {"message": "no", "times": 9}}
    retry = {"max_attempts": 2, "initial_seconds": 3600, "max_seconds": 3600, "jitter": False}
    return {"name": name, "type": "tool_call", "config": config, "retry": retry, "depends_on": [], **members}


def shown(alice: Caller, execution: str) -> Any:
    return alice.get(f"/v1/executions/{execution}").json()["data"]["execution"]


def test_a_step_that_is_completed_hands_its_output_on_as_if_it_had_succeeded(alice: Caller) -> None:
    execution = started(alice, wait("paid", signal="paid"), transform("got", "${{ steps.paid.output.n }}", "paid"))
    with engine() as world:
        world.drain()
        answer = tell(alice, execution, "paid", "complete", reason="by phone", output={"n": 5})
        assert answer.json()["data"]["status"] == "workflow_waiting"
        world.drain()
    assert (step_shown(alice, execution, "paid")["output"], step_shown(alice, execution, "got")["output"]) == (
        {"n": 5},
        5,
    )
    told = [e for e in alice.get(f"/v1/executions/{execution}/events").json()["data"] if e["nodeId"] == "paid"]
    assert told[-1]["eventType"] == "step.completed"
    assert (told[-1]["message"], told[-1]["data"]["by"]) == ("by phone", "api_key:a test's key")


def test_a_step_that_is_skipped_is_passed_over_with_all_that_needs_it(alice: Caller) -> None:
    execution = started(alice, failing("tries"), noop("after", "tries"), noop("beside"))
    with engine() as world:
        world.drain()
        assert statuses(alice, execution)["tries"] == "retrying"
        assert tell(alice, execution, "tries", "skip", reason="not needed").status_code == 200
        world.drain()
    assert statuses(alice, execution) == {"tries": "skipped", "after": "skipped", "beside": "succeeded"}
    assert shown(alice, execution)["status"] == "workflow_succeeded"


def test_a_step_that_has_not_begun_may_be_completed_before_a_worker_takes_the_execution(alice: Caller) -> None:
    execution = started(alice, noop("first"), noop("second", "first"))
    tell(alice, execution, "first", "complete", reason="done by hand")
    with engine() as world:
        assert world.drain() == 1
    assert statuses(alice, execution) == {"first": "succeeded", "second": "succeeded"}
    assert step_shown(alice, execution, "first")["output"] is None


def test_an_item_of_a_map_may_be_skipped(alice: Caller) -> None:
    step = {**failing("unused"), "config": {"tool": "fail", "arguments": {"message": "no", "times": 9}}}
    item = {name: step[name] for name in ("type", "config", "retry")}
    execution = started(alice, {"name": "each", "type": "map", "config": {"over": [1, 2], "step": item}})
    with engine() as world:
        world.drain()
        for name in ("each[0]", step_shown(alice, execution, "each[1]")["id"]):
            assert tell(alice, execution, name, "skip", reason="not needed").status_code == 200
        world.drain()
    assert statuses(alice, execution) == {"each": "succeeded", "each[0]": "skipped", "each[1]": "skipped"}


def test_a_step_that_runs_or_has_ended_is_left_alone(alice: Caller) -> None:
    execution = started(alice, noop("done"), wait("held", "done", signal="go"))
    with engine() as world:
        world.drain()
        with nothing_written():
            for verb in ("skip", "complete"):
                assert refusal(tell(alice, execution, "done", verb, reason="r")) == (409, "step_not_open")
                assert refusal(tell(alice, execution, "nobody", verb, reason="r")) == (404, "not_found")
        alice.post(f"/v1/executions/{execution}/signals/go")
        world.drain()
    with nothing_written():
        for verb in ("skip", "complete"):
            assert refusal(tell(alice, execution, "held", verb, reason="r")) == (409, "already_ended")


def test_a_reason_is_wanted(alice: Caller) -> None:
    execution = started(alice, noop("first"))
    with nothing_written():
        for verb, body in (("skip", {}), ("complete", {}), ("resolve", {"outcome": "failed"})):
            for wrong in ({}, {"reason": ""}, {"reason": "x" * 1001}):
                answer = tell(alice, execution, "first", verb, **body, **wrong).json()
                assert (answer["code"], answer["details"][0]["field"]) == (400, "/reason")


def test_an_output_that_is_too_large_is_refused(alice: Caller, settings: Any) -> None:
    settings.OUTPUT_LIMIT_BYTES = 20
    execution = started(alice, noop("first"))
    with nothing_written():
        answer = tell(alice, execution, "first", "complete", reason="r", output="x" * 19).json()
    assert (answer["code"], answer["details"][0]["field"]) == (400, "/output")
    assert tell(alice, execution, "first", "complete", reason="r", output="x" * 18).status_code == 200


def unknown(alice: Caller) -> str:
    """An execution of which nobody knows whether the effect of its step, which must not be repeated, came about."""
    config = {"url": "https://a.example/", "payload": {}, "effect": "at_most_once"}
    execution = started(alice, {"name": "send", "type": "webhook", "config": config}, noop("after", "send"))

    silent = World(carry_out=lambda _claim: Failed(Failure("timeout", "no answer", ambiguous=True)))
    silent.drain()
    silent.close()
    assert step_shown(alice, execution, "send")["status"] == "outcome_unknown"
    return execution


@pytest.mark.parametrize(("outcome", "status"), [("succeeded", "workflow_succeeded"), ("failed", "workflow_failed")])
def test_an_unknown_outcome_is_resolved_by_whoever_knows(alice: Caller, outcome: str, status: str) -> None:
    execution = unknown(alice)
    output = {"output": {"status": 200}} if outcome == "succeeded" else {}
    with engine() as world:
        assert (
            tell(alice, execution, "send", "resolve", outcome=outcome, reason="they told us", **output).status_code
            == 200
        )
        world.drain()
    assert shown(alice, execution)["status"] == status
    step = step_shown(alice, execution, "send")
    assert (step["status"], step["output"]) == (outcome, output.get("output"))
    assert Event.objects.filter(execution=UUID(execution), body__contains="they told us").exists()
    with nothing_written():
        assert refusal(tell(alice, execution, "send", "resolve", outcome=outcome, reason="r")) == (409, "already_ended")


def test_an_unknown_outcome_may_be_tried_again(alice: Caller) -> None:
    execution = unknown(alice)
    tell(alice, execution, "send", "resolve", outcome="retry", reason="they do not know it")
    with engine() as world:
        world.drain()
    assert len(step_shown(alice, execution, "send")["attempts"]) == 2


def test_only_an_unknown_outcome_is_resolved_and_an_output_goes_with_success(alice: Caller) -> None:
    execution = created(alice, published(alice, [noop("first")]))["execution"]["id"]
    with nothing_written():
        answer = tell(alice, execution, "first", "resolve", outcome="succeeded", reason="r")
        assert refusal(answer) == (409, "not_unknown")
        wrong = tell(alice, execution, "first", "resolve", outcome="failed", reason="r", output=1).json()
        assert (wrong["code"], wrong["details"][0]["field"]) == (400, "/output")
        assert tell(alice, execution, "first", "resolve", outcome="maybe", reason="r").status_code == 400
