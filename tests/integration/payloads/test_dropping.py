"""Payloads that are dropped: by retention, or because somebody asked; the digests and the chain stay."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from contract.identifiers import id_at
from contract.problems import Conflict
from executions.commands import redrive, signal
from executions.models import Attempt, Execution, Lineage, PayloadRemoval
from executions.payloads import dropping, retention
from executions.payloads.contents import Place
from executions.payloads.dropping import REQUEST, drop_payloads
from executions.payloads.objects import StoredObjects
from executions.payloads.reading import contents
from executions.payloads.references import digest_of, is_dropped
from executions.payloads.retention import remove_orphans, retain, set_retention
from tenants import registry
from tenants.models import IdempotentRequest, Tenant
from tests.integration.engine.world import World, child, failing, published, submitted, told, transform, wait
from tests.integration.payloads.stored import folder, large, objects
from workflows.models import Workflow

CANARY = "canary-3f9c"
BY = "key:k"


def run(alice: Tenant, world: World, *steps: dict[str, Any], workflow: str | None = None) -> Execution:
    given = {"text": CANARY + large(), "small": CANARY}
    execution = submitted(alice, workflow or published(alice, list(steps)), given)
    world.drain()
    execution.refresh_from_db()
    return execution


def ended_ago(execution: Execution, days: float) -> Execution:
    Execution.objects.filter(id=execution.id).update(finished_at=timezone.now() - timedelta(days=days))
    return execution


def is_gone(execution: Execution) -> bool:
    execution.refresh_from_db()
    return execution.payloads_dropped_at is not None and not folder(execution).exists()


def texts() -> list[str]:
    """Every text of every column of the product's tables."""
    found = []
    with connection.cursor() as cursor:
        for room in ("tenants", "workflows", "executions"):
            for model in apps.get_app_config(room).get_models():
                table = model._meta.db_table
                cursor.execute(f"SELECT row_to_json(t)::text FROM {table} t")
                found += [row[0] for row in cursor.fetchall()]
    return found


SAME = transform("same", "${{ input.text }}")
SMALL = transform("small", {"of": "${{ input.small }}"})
EACH = {
    "name": "each",
    "type": "map",
    "config": {
        "over": ["${{ input.text }}", "${{ input.small }}"],
        "step": {"type": "tool_call", "config": {"tool": "noop", "arguments": {"text": "${{ item }}"}}},
    },
}


def test_nothing_of_what_was_dropped_is_left_in_any_table_or_object(alice: Tenant, world: World) -> None:
    execution = run(alice, world, SAME, SMALL, EACH, wait("go", signal="go"))
    signal(execution.id, "go", {"said": CANARY}, BY)
    world.drain()
    IdempotentRequest.objects.create(
        tenant=alice, method="POST", path="/v1/executions", key="k", body_digest="0" * 64, status=200, headers={},
        text=json.dumps({"data": {"execution": {"id": str(execution.id), "requestPayload": {"text": CANARY}}}}),
    )  # fmt: skip
    assert any(CANARY in text for text in texts())
    assert objects(execution)

    assert drop_payloads(execution.id, REQUEST, BY)

    assert [text for text in texts() if CANARY in text] == []
    assert is_gone(execution)
    assert not PayloadRemoval.objects.exists()


def test_the_digests_stay_and_the_chain_goes_on(alice: Tenant, world: World) -> None:
    execution = run(alice, world, SAME)
    before = [digest_of(column) for column in (execution.submission.input, execution.output or "")]
    head = bytes(execution.chain_head)

    drop_payloads(execution.id, REQUEST, BY)

    execution = Execution.objects.get(id=execution.id)
    after = [execution.submission.input, execution.output or ""]
    assert all(map(is_dropped, after))
    assert list(map(digest_of, after)) == before
    event = execution.events.order_by("-sequence")[0]
    assert bytes(event.hash) == bytes(execution.chain_head) == hashlib.sha256(event.body.encode()).digest()
    assert json.loads(event.body)["previous"] == head.hex()
    # The submission has three and its metadata, the attempt input and output, the execution its output.
    [(_, data)] = told(execution, "execution.payloads_dropped")
    assert {"reason": "request", "by": BY, "count": 6}.items() <= data.items()


def test_dropping_twice_is_dropping_once(alice: Tenant, world: World) -> None:
    execution = run(alice, world, SMALL)
    assert [drop_payloads(execution.id, REQUEST, BY) for _ in range(2)] == [True, False]
    assert len(told(execution, "execution.payloads_dropped")) == 1


def test_an_execution_that_goes_on_is_never_touched(alice: Tenant, world: World) -> None:
    execution = run(alice, world, SAME, wait("go", "same", signal="go"))
    set_retention(alice, None, 0)

    assert retain() == 0
    with pytest.raises(Conflict) as refused:
        drop_payloads(execution.id, REQUEST, BY)

    assert refused.value.reason == "not_ended"
    assert objects(execution)
    signal(execution.id, "go", None, BY)
    world.drain()
    execution.refresh_from_db()
    assert execution.status == "workflow_succeeded"


def test_what_was_dropped_cannot_be_redriven(alice: Tenant, world: World) -> None:
    execution = run(alice, world, failing("never"))
    drop_payloads(execution.id, REQUEST, BY)
    with pytest.raises(Conflict) as refused:
        redrive(execution.id, None, None, BY)
    assert refused.value.reason == "payloads_dropped"


def test_retention_drops_what_ended_long_enough_ago_and_nothing_else(alice: Tenant, world: World) -> None:
    bob = registry.create_tenant("bob", "Bob")
    workflow, of_bob = published(alice, [SMALL]), published(bob, [SMALL])
    old, young = (ended_ago(run(alice, world, workflow=workflow), days) for days in (31, 29))
    others = ended_ago(run(bob, world, workflow=of_bob), 31)
    set_retention(alice, None, 30)

    assert retain() == 1
    assert retain() == 0

    assert [is_gone(execution) for execution in (old, young, others)] == [True, False, False]
    assert told(old, "execution.payloads_dropped")[0][1]["reason"] == "retention"


def test_what_a_workflow_says_goes_before_what_its_tenant_says(alice: Tenant, world: World) -> None:
    names = ("kept", "sooner", "inherits")
    workflows = {name: published(alice, [SMALL]) for name in names}
    executions = {name: ended_ago(run(alice, world, workflow=workflows[name]), 10) for name in names}
    set_retention(alice, None, 30)
    set_retention(alice, Workflow.objects.get(id=workflows["kept"]), None)
    set_retention(alice, Workflow.objects.get(id=workflows["sooner"]), 7)

    retain()
    assert {name: is_gone(executions[name]) for name in names} == {"kept": False, "sooner": True, "inherits": False}

    set_retention(alice, None, 9)
    retain()
    assert {name: is_gone(executions[name]) for name in names} == {"kept": False, "sooner": True, "inherits": True}


def test_objects_that_a_crash_left_behind_are_removed_later(
    alice: Tenant, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = run(alice, world, SAME)
    with monkeypatch.context() as patch:
        patch.setattr(dropping, "remove_objects", lambda _: None)
        drop_payloads(execution.id, REQUEST, BY)
    assert objects(execution)

    retain()
    assert objects(execution), "who dropped it may be about to"
    PayloadRemoval.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    retain()

    assert is_gone(execution)
    assert not PayloadRemoval.objects.exists()


def test_objects_that_nobody_refers_to_are_removed_by_a_command(alice: Tenant, world: World) -> None:
    kept = run(alice, world, SAME)
    dropped = run(alice, world, SAME)
    drop_payloads(dropped.id, REQUEST, BY)
    moments = {"old": timezone.now() - timedelta(days=2), "young": timezone.now()}
    never = {name: Place(alice.id, id_at(moment)) for name, moment in moments.items()}
    for place in (*never.values(), Place(alice.id, dropped.id)):
        contents().keep(place, '"late"')

    assert remove_orphans() == 2

    left = {place.execution for place in StoredObjects().places() if place.tenant == alice.id}
    assert left == {kept.id, never["young"].execution}


def test_an_operator_drops_payloads_by_a_command(
    alice: Tenant, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    execution, live = run(alice, world, SAME), run(alice, world, wait("go", signal="go"))

    call_command("drop_payloads", str(execution.id))
    with pytest.raises(CommandError, match="has not ended"):
        call_command("drop_payloads", str(live.id))

    assert is_gone(execution)


def test_where_values_came_from_is_kept_of_what_is_dropped_right_after_its_end(alice: Tenant, world: World) -> None:
    execution = run(alice, world, transform("out", "${{ input.small }}"))
    drop_payloads(execution.id, REQUEST, BY)
    assert Lineage.objects.filter(execution=execution, kind="input", name=None).exists()
    assert execution.receipts.count() == 1


def test_one_that_cannot_be_dropped_now_keeps_no_other_from_it(
    alice: Tenant, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_retention(alice, None, 1)
    redriven = ended_ago(run(alice, world, failing("f")), 3)
    other = ended_ago(run(alice, world, transform("out", 1)), 2)
    due = retention._due()
    assert set(due) == {redriven.id, other.id}
    redrive(redriven.id, None, None, BY)
    monkeypatch.setattr(retention, "_due", lambda: due)
    assert retain() == 1
    assert is_gone(other)


def test_a_child_whose_parent_has_yet_to_take_its_output_in_keeps_its_payloads(alice: Tenant, world: World) -> None:
    inner = published(alice, [transform("out", "${{ input.small }}")], name="inner")
    outer = published(alice, [child("c", inner, given={"small": CANARY})])
    parent = submitted(alice, outer, {})
    world.drain()
    made = Execution.objects.get(submission__parent=parent)
    Attempt.objects.filter(child=made.id).update(status="waiting", finished_at=None)
    with pytest.raises(Conflict, match="parent"):
        drop_payloads(made.id, REQUEST, BY)
