"""What a receipt says, and that what it says and by whom can be checked without this product."""

from __future__ import annotations

import hashlib
import json

import jwt
import pytest

from contract.identifiers import run_name
from contract.json_values import stored
from executions import commands
from executions.models import Execution, Lineage, Receipt
from executions.payloads.contents import Place
from executions.payloads.reading import contents
from executions.payloads.references import digest_of, is_reference
from tests.integration.engine.world import World, failing, noop, published, submitted
from tests.integration.http_client import Caller
from tests.integration.receipts.ending import asked, checked, ended, redriven, seal_all, verdict

PRICE = {"amount": 4950, "currency": "EUR"}


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def only(execution: Execution) -> Receipt:
    return Receipt.objects.get(execution=execution)


def test_a_run_that_ended_has_a_receipt_by_itself_and_all_of_it_verifies(alice: Caller, world: World) -> None:
    execution = ended(alice, world)
    seal_all()
    made = only(execution)
    assert (made.run_id, made.status) == (execution.run_id, "workflow_succeeded")
    found = verdict(execution)
    assert (found.findings, found.notes, found.signed_by, found.trusted) == ((), (), (made.kid,), True)


def test_it_says_what_went_in_what_came_out_and_where_the_chain_stood(alice: Caller, world: World) -> None:
    execution = ended(alice, world)
    seal_all()
    said = checked(only(execution).jws)
    last = execution.events.order_by("-sequence")[0]
    assert said["events"] == {"sequence": last.sequence, "head": bytes(last.hash).hex()}
    assert (said["execution"], said["run_id"]) == (str(execution.id), run_name(execution.run_id))  # type: ignore[arg-type]
    assert (said["input"], said["output"]) == (sha('{"n":1.5}'), sha(execution.output or ""))
    assert (said["definition"], said["version"]) == (execution.version.digest, "1.0.0")
    assert (said["status"], said["price"]) == ("workflow_succeeded", None)
    assert [(step["name"], step["status"], step["attempts"]) for step in said["steps"]] == [
        ("first", "succeeded", 1),
        ("second", "succeeded", 1),
    ]
    outputs = {row.step_index: sha(row.output or "") for row in execution.attempts.all()}
    assert [step["output"] for step in said["steps"]] == [outputs[0], outputs[1]]


def test_any_library_that_knows_jws_checks_it(alice: Caller, world: World) -> None:
    execution = ended(alice, world)
    seal_all()
    jws = only(execution).jws
    key_set = alice.get("/.well-known/jwks.json").json()
    [key] = [key for key in key_set["keys"] if key["kid"] == jwt.get_unverified_header(jws)["kid"]]
    payload = jwt.api_jws.PyJWS().decode(jws, jwt.PyJWK(key), algorithms=["EdDSA"])
    assert json.loads(payload) == checked(jws, key_set)
    assert payload == stored(json.loads(payload)).encode(), "it is canonical"


def test_its_lineage_is_the_digest_of_what_is_kept_of_where_the_inputs_came_from(alice: Caller, world: World) -> None:
    execution = ended(alice, world)
    seal_all()
    kept = Lineage.objects.filter(execution=execution).order_by("position")
    assert {row.kind for row in kept} >= {"step", "input"}
    assert checked(only(execution).jws)["lineage"] != sha("[]")
    assert verdict(execution).intact
    kept.filter(position=0).delete()
    assert [finding.where for finding in verdict(execution).findings] == ["receipt 1 lineage"]


def test_what_failed_is_signed_too_with_the_errors_and_what_never_began(alice: Caller, world: World) -> None:
    execution = ended(alice, world, [failing("first"), noop("second", "first")])
    seal_all()
    said = checked(only(execution).jws)
    assert said["status"] == "workflow_failed"
    assert [(step["name"], step["status"], step["attempts"], step["started_at"]) for step in said["steps"]] == [
        ("first", "failed", 1, said["steps"][0]["started_at"]),
        ("second", said["steps"][1]["status"], 0, None),
    ]
    assert said["steps"][0]["error"] == sha(execution.attempts.get().error or "")
    assert verdict(execution).intact


def test_what_was_cancelled_before_it_was_paid_for_is_signed_without_a_run(alice: Caller) -> None:
    assert alice.tenant is not None
    execution = submitted(alice.tenant, published(alice.tenant, [noop("only")], price=PRICE))
    commands.cancel(execution.id, "not wanted", "key:k")
    seal_all()
    made = only(execution)
    said = checked(made.jws)
    assert (made.run_id, said["run_id"], said["started_at"], said["steps"]) == (None, None, None, [])
    assert (said["price"]["amount"], said["price"]["currency"]) == (4950, "EUR")
    assert asked(alice, execution).json()["data"]["runId"] is None
    assert verdict(execution).intact


def test_what_is_given_back_afterwards_comes_after_the_receipt_which_stays_good(alice: Caller, world: World) -> None:
    assert alice.tenant is not None
    execution = submitted(alice.tenant, published(alice.tenant, [noop("only")], price=PRICE))
    commands.confirm_payment(execution.payment, "bank-1", "key:k")
    world.drain()
    seal_all()
    said = checked(only(execution).jws)
    assert said["price"] == {**PRICE, "status": "paid"}
    commands.refund_payment(execution.payment, 1000, "too slow", "key:k")
    seal_all()
    assert checked(only(execution).jws) == said
    found = verdict(execution)
    assert found.intact
    assert "came after the last receipt" in str(found.notes)


def test_a_receipt_that_is_made_late_says_what_was_true_at_the_end_of_its_run(alice: Caller, world: World) -> None:
    assert alice.tenant is not None
    execution = submitted(alice.tenant, published(alice.tenant, [noop("only")], price=PRICE))
    commands.confirm_payment(execution.payment, "bank-1", "key:k")
    world.drain()
    commands.refund_payment(execution.payment, 1000, "too slow", "key:k")
    seal_all()
    assert checked(only(execution).jws)["price"]["status"] == "paid"
    assert verdict(execution).intact


def test_each_run_has_its_own_receipt_and_the_earlier_stays_good(alice: Caller, world: World) -> None:
    execution = ended(alice, world, [failing("first", times=1), noop("second", "first")])
    seal_all()
    first = only(execution)
    redriven(alice, execution)
    world.drain()
    seal_all()
    receipts = list(Receipt.objects.filter(execution=execution).order_by("sequence"))
    assert [receipt.status for receipt in receipts] == ["workflow_failed", "workflow_succeeded"]
    assert receipts[0].jws == first.jws
    assert receipts[0].run_id != receipts[1].run_id
    assert verdict(execution).intact


def dropped(who: Caller, execution: Execution) -> None:
    assert who.delete(f"/v1/executions/{execution.id}/payloads").status_code == 204
    execution.refresh_from_db()


def test_a_receipt_outlives_the_payloads_and_stays_good(alice: Caller, world: World) -> None:
    execution = ended(alice, world)
    seal_all()
    jws = only(execution).jws
    dropped(alice, execution)
    seal_all()
    assert only(execution).jws == jws == asked(alice, execution).json()["data"]["jws"]
    found = verdict(execution)
    assert (found.findings, found.dropped > 0) == ((), True)


def test_what_was_dropped_before_it_was_signed_is_signed_by_its_digests(alice: Caller, world: World) -> None:
    execution = ended(alice, world)
    output = sha(execution.output or "")
    dropped(alice, execution)
    seal_all()
    assert checked(only(execution).jws)["output"] == output
    assert verdict(execution).intact


def test_what_is_too_large_for_its_column_is_fetched_to_be_signed(
    alice: Caller, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents(), "inline_bytes", 10)
    with World() as another:
        execution = ended(alice, another)
    assert is_reference(execution.output or "")
    seal_all()
    assert {row.digest is None for row in Lineage.objects.filter(execution=execution)} == {False}
    contents().forget(Place(execution.tenant_id, execution.id))
    assert checked(only(execution).jws)["output"] == digest_of(execution.output or "")


def test_a_receipt_that_is_made_late_tells_nothing_of_parts_that_a_later_run_made(alice: Caller, world: World) -> None:
    step = {"action": "noop", "parameters": {"n": "${{ item }}"}}
    each = {"name": "each", "type": "map", "config": {"over": "[1, 2]", "step": step}, "depends_on": ["first"]}
    execution = ended(alice, world, [failing("first", times=1), each])
    redriven(alice, execution)
    world.drain()
    seal_all()
    told = [
        [step["name"] for step in checked(receipt.jws)["steps"]]
        for receipt in Receipt.objects.filter(execution=execution).order_by("sequence")
    ]
    assert told == [["first", "each"], ["first", "each", "each[0]", "each[1]"]]
    assert verdict(execution).intact
