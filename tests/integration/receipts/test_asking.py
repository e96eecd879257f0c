"""GET /v1/executions/{id}/receipt, and the receipts of an orchestration."""

from __future__ import annotations

from typing import Any

import pytest

from contract.identifiers import run_name
from executions.models import EarlierRun, Receipt
from tests.integration.engine.world import World, failing, noop, published, submitted, wait
from tests.integration.http_client import Caller, another_key
from tests.integration.receipts.ending import asked, checked, ended, reason, redriven, seal_all


def test_it_is_made_when_somebody_asks_before_it_was_made_by_itself(alice: Caller, world: World) -> None:
    execution = ended(alice, world)
    answer = asked(alice, execution)
    made = Receipt.objects.get()
    data = answer.json()["data"]
    assert data == {
        "id": str(made.id),
        "runId": run_name(execution.run_id),  # type: ignore[arg-type]
        "sequence": execution.event_sequence,
        "kid": made.kid,
        "jws": made.jws,
        "payload": checked(made.jws),
        "createdAt": data["createdAt"],
    }
    assert data["payload"]["signed_at"].startswith(data["createdAt"][:-1])


def test_whoever_asks_again_gets_the_same_and_so_does_the_background(alice: Caller, world: World) -> None:
    execution = ended(alice, world)
    first = asked(alice, execution).json()["data"]
    seal_all()
    assert asked(alice, execution).json()["data"] == first
    assert Receipt.objects.count() == 1


@pytest.mark.parametrize("price", [None, {"amount": 1, "currency": "EUR"}])
def test_before_the_end_there_is_none(alice: Caller, world: World, price: Any) -> None:
    assert alice.tenant is not None
    steps = [wait("held", signal="go")]
    members = {"price": price} if price else {}
    execution = submitted(alice.tenant, published(alice.tenant, steps, **members))
    assert reason(asked(alice, execution)) == (409, "not_ended")
    world.drain()
    assert reason(asked(alice, execution)) == (409, "not_ended")
    assert not Receipt.objects.exists()


def test_the_receipt_of_an_earlier_run_is_asked_for_by_its_id(alice: Caller, world: World) -> None:
    execution = ended(alice, world, [failing("first", times=1), wait("held", "first", signal="go")])
    redriven(alice, execution)
    earlier = EarlierRun.objects.get().run_id
    world.drain()
    assert reason(asked(alice, execution)) == (409, "not_ended")
    for spelling in (str(earlier), run_name(earlier)):
        data = asked(alice, execution, f"?run={spelling}").json()["data"]
        assert (data["runId"], data["payload"]["status"]) == (run_name(earlier), "workflow_failed")
    assert alice.post(f"/v1/executions/{execution.id}/signals/go").status_code == 200
    world.drain()
    data = asked(alice, execution).json()["data"]
    assert (data["runId"], data["payload"]["status"]) == (run_name(execution.run_id), "workflow_succeeded")  # type: ignore[arg-type]
    assert asked(alice, execution, f"?run={data['runId']}").json()["data"] == data


def test_a_run_of_another_execution_is_unknown_here(alice: Caller, world: World) -> None:
    execution, other = ended(alice, world), ended(alice, world)
    assert reason(asked(alice, execution, f"?run={other.run_id}")) == (404, "not_found")
    assert not Receipt.objects.exists()


@pytest.mark.parametrize("query", ["?run=1", "?run=", "?run=maip-agent:01M822S77TESSVYYH44AD5QSGB", "?runId=x"])
def test_what_is_no_run_is_refused(alice: Caller, world: World, query: str) -> None:
    answer = asked(alice, ended(alice, world), query)
    assert answer.status_code == 400
    assert answer.json()["details"][0]["field"].startswith("query.run")


def test_another_tenant_s_receipt_is_unknown_like_one_that_does_not_exist(
    alice: Caller, bob: Caller, world: World
) -> None:
    execution = ended(alice, world)
    asked(alice, execution)
    answers = [asked(bob, execution), bob.get(f"/v1/executions/{execution.id}0/receipt")]
    told = [{**answer.json(), "requestId": ""} for answer in answers]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert told[0] == told[1]


def test_the_scope_of_reading_executions_is_wanted(alice: Caller, world: World) -> None:
    assert alice.tenant is not None
    execution = ended(alice, world)
    assert asked(another_key(alice.tenant, "executions:write"), execution).status_code == 403
    assert asked(another_key(alice.tenant, "executions:read"), execution).status_code == 200


def orchestration(who: Caller, execution: Any) -> Any:
    shown = who.get(f"/v1/orchestrations/{execution.id}").json()
    [listed] = [one for one in who.get("/v1/orchestrations").json()["items"] if one["id"] == shown["id"]]
    assert (listed["receipt_id"], listed["receipts"]) == (shown["receipt_id"], shown["receipts"])
    return shown


def test_an_orchestration_names_its_receipt_as_soon_as_it_has_ended(alice: Caller, world: World) -> None:
    assert alice.tenant is not None
    execution = submitted(alice.tenant, published(alice.tenant, [noop("only")]))
    before = orchestration(alice, execution)
    assert (before["receipt_id"], before["receipts"]) == (None, [])
    world.drain()
    at_the_end = orchestration(alice, execution)
    assert not Receipt.objects.exists()
    [told] = at_the_end["receipts"]
    assert told == {
        "id": at_the_end["receipt_id"],
        "run_id": at_the_end["id"],
        "status": "workflow_succeeded",
        "created_at": None,
    }
    made = asked(alice, execution).json()["data"]
    sealed = orchestration(alice, execution)
    assert sealed["receipt_id"] == at_the_end["receipt_id"] == made["id"] == made["payload"]["id"]
    assert sealed["receipts"] == [{**told, "created_at": made["createdAt"]}]


def test_an_orchestration_that_was_redriven_has_a_receipt_for_each_run(alice: Caller, world: World) -> None:
    execution = ended(alice, world, [failing("first", times=1)])
    seal_all()
    redriven(alice, execution)
    meanwhile = orchestration(alice, execution)
    assert (meanwhile["receipt_id"], len(meanwhile["receipts"])) == (None, 1)
    world.drain()
    after = orchestration(alice, execution)
    assert [told["status"] for told in after["receipts"]] == ["workflow_failed", "workflow_succeeded"]
    assert after["receipt_id"] == after["receipts"][1]["id"] != after["receipts"][0]["id"]
    assert after["receipts"][1]["run_id"] == after["id"]
