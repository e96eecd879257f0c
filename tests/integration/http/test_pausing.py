"""Pause and resume over HTTP: nothing new begins, what runs ends; and what a quarantined execution needs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from executions.models import Event, Execution
from tests.integration.engine.world import noop
from tests.integration.http.arranging import created, engine, published
from tests.integration.http.doors import nothing_written
from tests.integration.http_client import Caller

pytestmark = pytest.mark.django_db(transaction=True)

CHAIN = [noop("first"), noop("second", "first")]


def at(execution: str, command: str) -> str:
    return f"/v1/executions/{execution}/{command}"


def told(alice: Caller, execution: str, command: str) -> Any:
    answer = alice.post(at(execution, command))
    assert answer.status_code == 200, answer.content
    return answer.json()["data"]


def refusal(answer: Any) -> tuple[int, str]:
    body = answer.json()
    return body["code"], body["details"][0]["code"]


def statuses(alice: Caller, execution: str) -> dict[str, str]:
    items = alice.get(f"/v1/executions/{execution}/steps").json()["data"]["items"]
    return {item["name"]: item["status"] for item in items}


def test_nothing_of_a_paused_execution_begins_until_it_is_resumed(alice: Caller) -> None:
    execution = created(alice, published(alice, CHAIN))["execution"]["id"]
    paused = told(alice, execution, "pause")
    assert (paused["status"], paused["statusReason"]) == ("workflow_queued", "paused")
    with engine() as world:
        world.drain()
        assert statuses(alice, execution) == {"first": "pending", "second": "pending"}
        resumed = told(alice, execution, "resume")
        assert (resumed["status"], resumed["statusReason"]) == ("workflow_queued", None)
        world.drain()
    assert alice.get(f"/v1/executions/{execution}").json()["data"]["execution"]["status"] == "workflow_succeeded"
    events = alice.get(f"/v1/executions/{execution}/events").json()["data"]
    by = {event["eventType"]: event["data"].get("by") for event in events}
    assert by["execution.paused"] == by["execution.resumed"] == "api_key:a test's key"


def test_what_runs_when_it_is_paused_goes_on_to_its_end(alice: Caller) -> None:
    execution = created(alice, published(alice, CHAIN))["execution"]["id"]
    with engine() as world:
        carry_out = world.engine.carry_out

        def pausing(claim: Any) -> Any:
            told(alice, execution, "pause")
            return carry_out(claim)

        world.engine.carry_out = pausing
        world.drain()
        assert statuses(alice, execution) == {"first": "succeeded", "second": "pending"}
        shown = alice.get(f"/v1/executions/{execution}").json()["data"]["execution"]
        assert (shown["status"], shown["statusReason"]) == ("workflow_running", "paused")
        world.engine.carry_out = carry_out
        told(alice, execution, "resume")
        world.drain()
    assert statuses(alice, execution) == {"first": "succeeded", "second": "succeeded"}


def test_one_that_awaits_its_payment_may_be_paused_and_is_not_started_by_being_paid(alice: Caller) -> None:
    shown = created(alice, published(alice, CHAIN, price={"amount": 1, "currency": "EUR"}))["execution"]
    execution = shown["id"]
    assert told(alice, execution, "pause")["status"] == "awaiting_payment"
    assert alice.post(f"/v1/payments/{shown['orderId']}/confirm", {"reference": "r"}).status_code == 200
    with engine() as world:
        world.drain()
        assert alice.get(f"/v1/executions/{execution}").json()["data"]["execution"]["status"] == "workflow_queued"
        told(alice, execution, "resume")
        world.drain()
    assert alice.get(f"/v1/executions/{execution}").json()["data"]["execution"]["status"] == "workflow_succeeded"


def test_resuming_one_that_awaits_its_payment_does_not_start_it(alice: Caller) -> None:
    execution = created(alice, published(alice, CHAIN, price={"amount": 1, "currency": "EUR"}))["execution"]["id"]
    told(alice, execution, "pause")
    assert told(alice, execution, "resume")["status"] == "awaiting_payment"
    assert Execution.objects.get(id=execution).due_at is None


def test_what_is_in_the_wrong_state_is_refused_and_left_alone(alice: Caller) -> None:
    execution = created(alice, published(alice, CHAIN))["execution"]["id"]
    with nothing_written():
        assert refusal(alice.post(at(execution, "resume"))) == (409, "not_paused")
    told(alice, execution, "pause")
    with nothing_written():
        assert refusal(alice.post(at(execution, "pause"))) == (409, "already_paused")
    told(alice, execution, "resume")
    Execution.objects.filter(id=execution).update(intent="cancel")
    with nothing_written():
        assert refusal(alice.post(at(execution, "pause"))) == (409, "already_ending")
        assert refusal(alice.post(at(execution, "resume"))) == (409, "not_paused")
    Execution.objects.filter(id=execution).update(intent="run")
    with engine() as world:
        world.drain()
    with nothing_written():
        for command in ("pause", "resume"):
            assert refusal(alice.post(at(execution, command))) == (409, "already_ended")


def test_a_paused_execution_is_cancelled_as_any_other(alice: Caller) -> None:
    execution = created(alice, published(alice, CHAIN))["execution"]["id"]
    told(alice, execution, "pause")
    with engine() as world:
        world.drain()
        alice.post(at(execution, "cancel"), {"reason": "no more"})
        world.drain()
    shown = alice.get(f"/v1/executions/{execution}").json()["data"]["execution"]
    assert (shown["status"], shown["statusReason"]) == ("workflow_cancelled", "no more")


@pytest.mark.parametrize("intent", ["run", "pause"])
def test_a_resume_releases_what_was_quarantined(alice: Caller, intent: str) -> None:
    execution = created(alice, published(alice, CHAIN))["execution"]["id"]
    quarantine(execution, intent=intent)
    shown = told(alice, execution, "resume")
    assert shown["statusReason"] is None
    row = Execution.objects.get(id=execution)
    assert (row.quarantined_at, row.tries, row.intent) == (None, 0, "run")
    with engine() as world:
        world.drain()
    assert statuses(alice, execution) == {"first": "succeeded", "second": "succeeded"}
    assert Event.objects.filter(execution=UUID(execution), type="execution.resumed").exists()


def test_whatever_arrives_for_one_that_is_quarantined_has_it_looked_at_again(alice: Caller) -> None:
    execution = created(alice, published(alice, CHAIN))["execution"]["id"]
    quarantine(execution)
    alice.post(at(execution, "cancel"), {"reason": "no more"})
    row = Execution.objects.get(id=execution)
    assert (row.quarantined_at, row.tries, row.status_reason) == (None, 0, None)
    assert row.due_at is not None
    with engine() as world:
        world.drain()
    assert alice.get(f"/v1/executions/{execution}").json()["data"]["execution"]["status"] == "workflow_cancelled"


def quarantine(execution: str, **members: str) -> None:
    when = "2026-11-22T10:00:00Z"
    rows = Execution.objects.filter(id=execution)
    rows.update(quarantined_at=when, tries=6, due_at=None, status_reason="quarantined: a riddle", **members)
