"""Signals and approvals over HTTP: who may send them, when, with what, and what becomes of them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from executions.models import Arrival, Execution
from tenants import registry
from tests.integration.engine.world import noop, transform
from tests.integration.http.arranging import created, engine, published
from tests.integration.http.doors import nothing_written
from tests.integration.http.test_pausing import refusal
from tests.integration.http_client import Caller, another_key

pytestmark = pytest.mark.django_db(transaction=True)

SCHEMA = {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "integer"}}}


def wait(name: str, *depends_on: str, **config: Any) -> dict[str, Any]:
    return {"name": name, "type": "wait", "config": config, "depends_on": list(depends_on)}


def started(alice: Caller, *steps: dict[str, Any]) -> str:
    execution: str = created(alice, published(alice, list(steps)))["execution"]["id"]
    return execution


def signal(who: Caller, execution: str, name: str, **body: Any) -> Any:
    return who.post(f"/v1/executions/{execution}/signals/{name}", body)


def decide(who: Caller, execution: str, step: str, verb: str, **body: Any) -> Any:
    return who.post(f"/v1/executions/{execution}/steps/{step}/{verb}", body)


def step_shown(alice: Caller, execution: str, name: str) -> Any:
    items = alice.get(f"/v1/executions/{execution}/steps").json()["data"]["items"]
    [found] = [item for item in items if item["name"] == name]
    return found


def test_a_signal_ends_the_wait_for_it_and_its_payload_is_its_output(alice: Caller) -> None:
    execution = started(alice, wait("paid", signal="paid", schema=SCHEMA), noop("after", "paid"))
    with engine() as world:
        world.drain()
        assert step_shown(alice, execution, "paid")["status"] == "waiting"
        shown = signal(alice, execution, "paid", payload={"amount": 5})
        assert shown.json()["data"]["status"] == "workflow_waiting"
        world.drain()
    assert step_shown(alice, execution, "paid")["output"]["payload"] == {"amount": 5}
    assert step_shown(alice, execution, "after")["status"] == "succeeded"


def test_a_signal_that_comes_before_its_wait_is_kept_for_it(alice: Caller) -> None:
    execution = started(alice, noop("first"), wait("paid", "first", signal="paid"))
    assert signal(alice, execution, "paid", payload="early").status_code == 200
    with engine() as world:
        world.drain()
    assert step_shown(alice, execution, "paid")["output"]["payload"] == "early"


def test_a_signal_while_payment_is_awaited_starts_nothing_and_is_kept(alice: Caller) -> None:
    workflow = published(alice, [wait("paid", signal="paid")], price={"amount": 1, "currency": "EUR"})
    shown = created(alice, workflow)["execution"]
    assert signal(alice, shown["id"], "paid").json()["data"]["status"] == "awaiting_payment"
    assert Execution.objects.get(id=shown["id"]).due_at is None
    with engine() as world:
        world.drain()
        assert step_shown(alice, shown["id"], "paid")["status"] == "pending"
        alice.post(f"/v1/payments/{shown['orderId']}/confirm", {"reference": "r"})
        world.drain()
    assert step_shown(alice, shown["id"], "paid")["status"] == "succeeded"


def test_a_signal_that_no_step_waits_for_is_not_found(alice: Caller) -> None:
    execution = started(alice, wait("paid", signal="paid"))
    with nothing_written():
        for name in ("unpaid", "x" * 300, "%00", "Paid"):
            assert refusal(signal(alice, execution, name)) == (404, "not_found")


def test_a_signal_that_only_a_step_in_a_loop_waits_for_is_known(alice: Caller) -> None:
    config = {"body": [wait("inside", signal="again")], "until": "true", "max_iterations": 2}
    execution = started(alice, {"name": "rounds", "type": "loop", "config": config})
    assert signal(alice, execution, "again").status_code == 200


@pytest.mark.parametrize(
    ("payload", "field"), [({}, "/payload/amount"), ({"amount": "5"}, "/payload/amount"), (None, "/payload")]
)
def test_a_payload_has_to_fit_the_schema_of_the_wait(alice: Caller, payload: Any, field: str) -> None:
    execution = started(alice, wait("paid", signal="paid", schema=SCHEMA))
    with nothing_written():
        answer = signal(alice, execution, "paid", payload=payload).json()
    assert answer["code"] == 400
    assert [detail["field"] for detail in answer["details"]] == [field]


def test_a_payload_that_fits_one_of_several_waits_is_taken(alice: Caller) -> None:
    other = {"type": "string"}
    execution = started(alice, wait("number", signal="paid", schema=SCHEMA), wait("text", signal="paid", schema=other))
    assert signal(alice, execution, "paid", payload="five").status_code == 200
    assert signal(alice, execution, "paid", payload={"amount": 5}).status_code == 200
    with nothing_written():
        assert signal(alice, execution, "paid", payload=5).status_code == 400


def test_a_payload_that_no_output_could_hold_is_refused(alice: Caller, settings: Any) -> None:
    settings.OUTPUT_LIMIT_BYTES = 600
    execution = started(alice, wait("paid", signal="paid"))
    with nothing_written():
        answer = signal(alice, execution, "paid", payload="x" * 87).json()
    assert (answer["code"], answer["details"][0]["field"]) == (400, "/payload")
    assert signal(alice, execution, "paid", payload="x" * 86).status_code == 200
    with engine() as world:
        world.drain()
    assert step_shown(alice, execution, "paid")["status"] == "succeeded"


def test_an_execution_that_ended_takes_no_signal(alice: Caller) -> None:
    execution = started(alice, wait("paid", signal="paid"))
    signal(alice, execution, "paid")
    with engine() as world:
        world.drain()
    with nothing_written():
        assert refusal(signal(alice, execution, "paid")) == (409, "already_ended")


def test_an_approval_lets_the_step_succeed_with_who_gave_it(alice: Caller) -> None:
    execution = started(alice, wait("ask", approval={"message": "Is it all right?"}))
    with engine() as world:
        world.drain()
        assert decide(alice, execution, "ask", "approve", comment="fine").status_code == 200
        world.drain()
    output = step_shown(alice, execution, "ask")["output"]
    assert output == {
        "by": "approval",
        "payload": {"approved": True, "by": "api_key:a test's key", "comment": "fine"},
    }


def test_a_rejection_fails_the_step(alice: Caller) -> None:
    execution = started(alice, wait("ask", approval={}))
    with engine() as world:
        world.drain()
        decide(alice, execution, step_shown(alice, execution, "ask")["id"], "reject", comment="too dear")
        world.drain()
    step = step_shown(alice, execution, "ask")
    assert (step["status"], step["error"]["kind"]) == ("failed", "rejected")
    assert "too dear" in step["error"]["message"]


def test_only_those_whom_the_step_names_may_decide(alice: Caller) -> None:
    assert alice.tenant is not None
    execution = started(alice, wait("ask", approval={"approvers": ["a test's key"]}))
    _, key = registry.create_key(alice.tenant, "another", ["*"])
    with engine() as world:
        world.drain()
        with nothing_written():
            assert refusal(decide(Caller(alice.tenant, key), execution, "ask", "approve")) == (403, "not_an_approver")
        assert decide(another_key(alice.tenant), execution, "ask", "approve").status_code == 200


def test_a_decision_is_taken_once(alice: Caller) -> None:
    execution = started(alice, wait("ask", approval={}), wait("other", approval={}))
    with engine() as world:
        world.drain()
        decide(alice, execution, "ask", "approve")
        with nothing_written():
            assert refusal(decide(alice, execution, "ask", "reject")) == (409, "already_decided")
        assert decide(alice, execution, "other", "reject").status_code == 200
        world.drain()
        with nothing_written():
            assert refusal(decide(alice, execution, "ask", "reject")) == (409, "not_waiting")


def test_what_waits_for_no_approval_can_not_be_approved(alice: Caller) -> None:
    execution = started(alice, wait("ask", approval={}), wait("paid", signal="paid"), transform("done", 1))
    with nothing_written():
        assert refusal(decide(alice, execution, "ask", "approve")) == (409, "not_waiting")
    with engine() as world:
        world.drain()
    with nothing_written():
        for step in ("paid", "done"):
            assert refusal(decide(alice, execution, step, "approve")) == (409, "not_waiting")
        for step in ("nobody", "%00", "01a2022d-9dbb-7513-ad1b-93c2e182697b", "ask[0]", "x" * 300):
            assert refusal(decide(alice, execution, step, "approve")) == (404, "not_found")


def test_a_decision_under_a_key_is_taken_once_and_answered_again(alice: Caller) -> None:
    execution = started(alice, wait("ask", approval={}))
    with engine() as world:
        world.drain()
    path = f"/v1/executions/{execution}/steps/ask/approve"
    first = alice.post(path, {}, Idempotency_Key="once")
    again = alice.post(path, {}, Idempotency_Key="once")
    assert first.status_code == again.status_code == 200
    assert again.headers["Idempotent-Replayed"] == "true"
    assert Arrival.objects.filter(execution=UUID(execution), kind="decision").count() == 1
