"""Redrive over HTTP: what succeeded is kept, what did not is run again, under a new run id; or only told."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from executions.models import Arrival, Attempt, EarlierRun, Execution, Payment, Submission
from tests.integration.engine.world import noop, transform
from tests.integration.http.arranging import created, engine, executed, published
from tests.integration.http.doors import nothing_written
from tests.integration.http.test_overruling import shown
from tests.integration.http.test_pausing import refusal, statuses
from tests.integration.http.test_signals_and_approvals import started, step_shown
from tests.integration.http_client import Caller

pytestmark = pytest.mark.django_db(transaction=True)

WHEN = "2026-11-22T10:00:00Z"
TWICE = {"max_attempts": 2, "initial_seconds": 0, "jitter": False}


def fails(name: str, *depends_on: str, times: int = 1, **members: Any) -> dict[str, Any]:
    """A step whose first attempts fail."""
    config = {"tool": "fail", "arguments": {"message": "no", "times": times}}
    return {"name": name, "type": "tool_call", "config": config, "depends_on": list(depends_on), **members}


def redrive(alice: Caller, execution: str, **body: Any) -> Any:
    return alice.post(f"/v1/executions/{execution}/redrive", body)


def drained() -> None:
    with engine() as world:
        world.drain()


def failed(alice: Caller, *steps: dict[str, Any], **members: Any) -> str:
    """An execution of these steps that ran and failed."""
    execution: str = created(alice, published(alice, list(steps), **members))["execution"]["id"]
    drained()
    assert shown(alice, execution)["status"] == "workflow_failed"
    return execution


def attempts(alice: Caller, execution: str) -> dict[str, int]:
    items = alice.get(f"/v1/executions/{execution}/steps").json()["data"]["items"]
    return {item["name"]: len(item["attempts"]) for item in items}


def test_what_succeeded_is_kept_and_what_failed_is_run_again(alice: Caller) -> None:
    execution = failed(alice, noop("first"), fails("second", "first"), noop("third", "second"), noop("beside"))
    answer = redrive(alice, execution).json()["data"]
    assert (answer["status"], answer["statusReason"], answer["finishedAt"]) == ("workflow_queued", None, None)
    assert statuses(alice, execution) == {
        "first": "succeeded",
        "second": "pending",
        "third": "pending",
        "beside": "succeeded",
    }
    drained()
    assert shown(alice, execution)["status"] == "workflow_succeeded"
    assert attempts(alice, execution) == {"first": 1, "second": 2, "third": 1, "beside": 1}


def test_a_step_that_begins_anew_shows_nothing_of_what_it_came_to_but_its_attempts(alice: Caller) -> None:
    execution = failed(alice, fails("only"))
    redrive(alice, execution)
    step = step_shown(alice, execution, "only")
    assert [step[name] for name in ("input", "output", "error", "startedAt", "finishedAt")] == [None] * 5
    assert [attempt["status"] for attempt in step["attempts"]] == ["failed"]


def test_a_redrive_is_another_run_and_the_ids_of_all_runs_name_the_execution(alice: Caller) -> None:
    execution = failed(alice, fails("only", times=2))
    runs = [shown(alice, execution)["runId"]]
    for _ in range(2):
        redrive(alice, execution)
        drained()
        runs.append(shown(alice, execution)["runId"])
    assert len(set(runs)) == 3
    for run in runs:
        assert shown(alice, run)["id"] == execution
        assert alice.get(f"/v1/orchestrations/{run}").json()["id"] == runs[-1]
    events = alice.get(f"/v1/executions/{execution}/events").json()["data"]
    assert list(dict.fromkeys(event["runId"] for event in events)) == runs
    redriven = [event for event in events if event["eventType"] == "execution.redriven"]
    assert [(event["runId"], event["data"]["earlier_run"]) for event in redriven] == [
        (runs[1], runs[0]),
        (runs[2], runs[1]),
    ]
    assert redriven[0]["data"]["by"] == "api_key:a test's key"
    assert alice.get(f"/v1/executions/{execution}").json()["data"]["events"] == events


def test_an_earlier_run_of_another_tenants_execution_is_not_found(alice: Caller, bob: Caller) -> None:
    execution = failed(alice, fails("only"))
    run = shown(alice, execution)["runId"]
    redrive(alice, execution)
    assert bob.get(f"/v1/executions/{run}").status_code == 404


def test_a_cancelled_execution_goes_on_where_it_was(alice: Caller) -> None:
    wait = {"name": "held", "type": "wait", "config": {"signal": "go"}, "depends_on": ["first"]}
    execution = started(alice, noop("first"), wait)
    drained()
    alice.post(f"/v1/executions/{execution}/cancel")
    drained()
    assert shown(alice, execution)["status"] == "workflow_cancelled"
    redrive(alice, execution)
    drained()
    assert statuses(alice, execution) == {"first": "succeeded", "held": "waiting"}
    alice.post(f"/v1/executions/{execution}/signals/go")
    drained()
    assert shown(alice, execution)["status"] == "workflow_succeeded"


def test_one_that_was_cancelled_before_it_began_begins(alice: Caller) -> None:
    execution = started(alice, noop("first"), noop("second", "first"))
    alice.post(f"/v1/executions/{execution}/cancel")
    drained()
    redrive(alice, execution)
    drained()
    assert statuses(alice, execution) == {"first": "succeeded", "second": "succeeded"}


def test_from_a_step_on_everything_after_it_is_run_again(alice: Caller) -> None:
    execution = failed(alice, noop("first"), noop("second", "first"), fails("third", "second"), noop("beside"))
    assert redrive(alice, execution, fromStep="second").status_code == 200
    drained()
    assert attempts(alice, execution) == {"first": 1, "second": 2, "third": 2, "beside": 1}


def test_the_config_of_the_step_may_be_changed_for_the_new_run(alice: Caller) -> None:
    execution = failed(
        alice, noop("first", config={"tool": "noop", "arguments": {"a": 1, "b": 2}}), fails("second", "first")
    )
    answer = redrive(alice, execution, fromStep="first", input={"arguments": {"a": 5, "b": None}})
    assert answer.status_code == 200, answer.content
    drained()
    assert step_shown(alice, execution, "first")["output"] == {"a": 5}
    before = EarlierRun.objects.get(execution=UUID(execution))
    asked = Submission.objects.get(execution=UUID(execution))
    assert json.loads(before.parameters) == {}
    assert json.loads(asked.parameters) == {"first": {"arguments": {"a": 5, "b": None}}}


def test_a_recorded_input_may_be_sent_back_with_one_member_changed(alice: Caller) -> None:
    config = {"tool": "noop", "arguments": {"who": "${{ input.who }}"}}
    workflow = published(alice, [{"name": "first", "type": "tool_call", "config": config}, fails("second", "first")])
    execution = created(alice, workflow, requestPayload={"who": "ann"})["execution"]["id"]
    drained()
    recorded = step_shown(alice, execution, "first")["input"]
    assert recorded["tool"] == "noop"
    changed = {**recorded, "arguments": {"who": "bob"}}
    assert redrive(alice, execution, fromStep="first", input=changed).status_code == 200
    drained()
    assert step_shown(alice, execution, "first")["output"] == {"who": "bob"}
    assert json.loads(Submission.objects.get(execution=UUID(execution)).parameters) == {
        "first": {"arguments": {"who": "bob"}}
    }


def test_what_was_patched_before_stays_patched(alice: Caller) -> None:
    steps = [noop("first", config={"tool": "noop", "arguments": {"a": 1, "b": 2}}), fails("second", "first", times=2)]
    body = {"parameters": {"first": {"arguments": {"a": 3}}}}
    execution = executed(alice, published(alice, steps), body).json()["execution_id"]
    drained()
    redrive(alice, execution, fromStep="first", input={"arguments": {"b": 4}})
    drained()
    assert step_shown(alice, execution, "first")["output"] == {"a": 3, "b": 4}
    redrive(alice, execution, fromStep="first", input={"arguments": {"a": 1, "b": 4}})
    drained()
    assert step_shown(alice, execution, "first")["output"] == {"a": 1, "b": 4}


@pytest.mark.parametrize(
    ("body", "field", "word"),
    [
        ({"fromStep": "nobody"}, "/fromStep", "unknown_step"),
        ({"fromStep": "each[0]"}, "/fromStep", "unknown_step"),
        ({"fromStep": "after"}, "/fromStep", "not_reachable"),
        ({"fromStep": "first", "input": {"tool": "sleep"}}, "/input/tool", "not_patchable"),
        ({"fromStep": "first", "input": {"arguments": "text"}}, "/input/arguments", "wrong_type"),
        ({"input": {"arguments": {}}}, "/fromStep", "missing"),
        ({"fromStep": "first", "input": 1}, "/input", "invalid_type"),
        ({"fromStep": 1}, "/fromStep", "invalid_type"),
    ],
)
@pytest.mark.parametrize("preview", [True, False])
def test_what_does_not_fit_the_definition_is_refused(
    alice: Caller, body: dict[str, Any], field: str, word: str, preview: bool
) -> None:
    skipped = transform("not_wanted", 1, when="false")
    execution = failed(alice, noop("first"), skipped, noop("after", "not_wanted"), fails("fails", "first"))
    with nothing_written():
        answer = redrive(alice, execution, **body, preview=preview).json()
    assert answer["code"] == 400
    assert [(detail["field"], detail["code"]) for detail in answer["details"]] == [(field, word)]
    assert shown(alice, execution)["status"] == "workflow_failed"


def test_only_what_failed_or_was_cancelled_is_redriven(alice: Caller) -> None:
    execution = started(alice, noop("first"))
    for _ in range(2):
        with nothing_written():
            for body in ({}, {"preview": True}, {"fromStep": "nobody"}):
                assert refusal(redrive(alice, execution, **body)) == (409, "not_redrivable")
        drained()


@pytest.mark.parametrize("status", ["refunded", "partially_refunded", "expired", "failed"])
def test_what_is_not_paid_for_is_not_redriven(alice: Caller, status: str) -> None:
    shown_ = created(alice, published(alice, [fails("only")], price={"amount": 5, "currency": "EUR"}))["execution"]
    alice.post(f"/v1/payments/{shown_['orderId']}/confirm", {"reference": "r"})
    drained()
    payment = Payment.objects.filter(order_id=shown_["orderId"])
    payment.update(status=status)
    with nothing_written():
        assert refusal(redrive(alice, shown_["id"])) == (409, "payment_required")
    payment.update(status="paid")
    assert redrive(alice, shown_["id"]).json()["data"]["status"] == "workflow_queued"


def test_what_was_cancelled_before_it_was_paid_for_is_not_redriven(alice: Caller) -> None:
    execution = created(alice, published(alice, [noop("only")], price={"amount": 5, "currency": "EUR"}))["execution"]
    alice.post(f"/v1/executions/{execution['id']}/cancel")
    with nothing_written():
        assert refusal(redrive(alice, execution["id"])) == (409, "payment_required")


def test_a_preview_takes_no_idempotency_key(alice: Caller) -> None:
    execution = failed(alice, fails("only"))
    asked = f"/v1/executions/{execution}/redrive"
    assert alice.post(asked, {"preview": True}, Idempotency_Key="k").status_code == 200
    assert "Idempotent-Replayed" not in alice.post(asked, {"preview": True}, Idempotency_Key="k").headers
    assert alice.post(asked, {}, Idempotency_Key="k").json()["data"]["status"] == "workflow_queued"


def test_a_preview_says_what_would_be_kept_and_repeated_and_writes_nothing(alice: Caller) -> None:
    execution = failed(alice, noop("first"), transform("made", 1, "first"), fails("second", "made"))
    seq = Execution.objects.get(id=execution).seq
    with nothing_written():
        told = redrive(alice, execution, fromStep="first", preview=True).json()["data"]
    repeat = {"step": "first", "type": "tool_call", "effect": "idempotent", "attempts": 1}
    assert told == {
        "preview": {
            "fromStep": "first",
            "keeps": [],
            "resets": ["first", "made", "second"],
            "repeats": [{**repeat, "lastOutcome": "succeeded", "sameKey": False}],
        }
    }
    assert Execution.objects.get(id=execution).seq == seq
    plain = redrive(alice, execution, preview=True).json()["data"]["preview"]
    assert plain == {"fromStep": None, "keeps": ["first", "made"], "resets": ["second"], "repeats": []}


def test_a_map_runs_only_the_items_again_that_failed(alice: Caller) -> None:
    config = {"tool": "fail", "arguments": {"message": "no", "times": "${{ item }}"}}
    step = {"type": "tool_call", "config": config, "retry": TWICE}
    each = {"name": "each", "type": "map", "config": {"over": [1, 2, 1, 2], "step": step}}
    execution = failed(alice, each)
    preview = redrive(alice, execution, preview=True).json()["data"]["preview"]
    assert preview["resets"] == ["each", "each[1]", "each[3]"]
    redrive(alice, execution)
    drained()
    assert shown(alice, execution)["status"] == "workflow_succeeded"
    assert attempts(alice, execution) == {"each": 2, "each[0]": 2, "each[1]": 3, "each[2]": 2, "each[3]": 3}


def test_a_map_that_is_named_makes_all_its_items_anew(alice: Caller) -> None:
    step = {"type": "tool_call", "config": {"tool": "noop", "arguments": {"n": "${{ item }}"}}}
    each = {"name": "each", "type": "map", "config": {"over": [0, 1], "step": step}}
    execution = failed(alice, each, fails("after", "each"))
    assert redrive(alice, execution, fromStep="each", input={"over": [7]}).status_code == 200
    drained()
    assert attempts(alice, execution) == {"each": 2, "after": 2, "each[0]": 2}
    assert step_shown(alice, execution, "each")["output"]["items"] == [{"n": 7}]
    assert alice.get(f"/v1/executions/{execution}/steps/each[1]/why-waiting").status_code == 404


def test_a_loop_goes_on_with_the_round_that_failed(alice: Caller) -> None:
    body = [
        transform("turn", "${{ index + 1 }}"),
        {
            "name": "try",
            "type": "tool_call",
            "depends_on": ["turn"],
            "retry": TWICE,
            "config": {"tool": "fail", "arguments": {"message": "no", "times": "${{ steps.turn.output }}"}},
        },
    ]
    config = {"body": body, "until": "index == 1", "max_iterations": 3}
    execution = failed(alice, {"name": "again", "type": "loop", "config": config})
    redrive(alice, execution)
    drained()
    assert shown(alice, execution)["status"] == "workflow_succeeded"
    assert attempts(alice, execution) == {
        "again": 2,
        "again[0].turn": 1,
        "again[0].try": 2,
        "again[1].turn": 2,
        "again[1].try": 3,
    }


def test_what_was_undone_is_done_again_with_another_key(alice: Caller) -> None:
    undo = {"compensate": {"type": "tool_call", "config": {"tool": "noop", "arguments": {}}}}
    execution = failed(alice, noop("booked", **undo), noop("noted", "booked"), fails("fails", "noted"), noop("beside"))
    assert statuses(alice, execution)["compensate[booked]"] == "succeeded"
    told = redrive(alice, execution, preview=True).json()["data"]["preview"]
    assert (told["keeps"], told["resets"]) == (["beside"], ["booked", "noted", "fails"])
    assert [(repeat["step"], repeat["sameKey"]) for repeat in told["repeats"]] == [
        ("booked", False),
        ("noted", False),
        ("compensate[booked]", False),
    ]
    redrive(alice, execution)
    drained()
    assert shown(alice, execution)["status"] == "workflow_succeeded"
    assert attempts(alice, execution) == {"booked": 2, "noted": 2, "fails": 2, "beside": 1, "compensate[booked]": 1}


def test_what_came_for_the_run_that_ended_does_not_concern_the_next_one(alice: Caller) -> None:
    wait = {"name": "held", "type": "wait", "config": {"signal": "go"}, "depends_on": ["only"]}
    execution = failed(alice, fails("only"), wait)
    for kind, name in (("cancel", None), ("signal", "go")):
        Arrival.objects.create(
            execution_id=UUID(execution), kind=kind, name=name, payload='{"payload":1}', actor="a", created_at=WHEN
        )
    redrive(alice, execution)
    drained()
    assert shown(alice, execution)["status"] == "workflow_succeeded"
    assert step_shown(alice, execution, "held")["output"]["payload"] == 1


def test_a_redrive_under_a_key_happens_once(alice: Caller) -> None:
    execution = failed(alice, fails("only", times=2))
    path = f"/v1/executions/{execution}/redrive"
    first = alice.post(path, {}, Idempotency_Key="once").json()
    again = alice.post(path, {}, Idempotency_Key="once")
    assert (again.json()["data"], again.headers["Idempotent-Replayed"]) == (first["data"], "true")
    assert EarlierRun.objects.count() == 1
    drained()
    assert Attempt.objects.count() == 2
