"""What a process read of a workflow a moment ago is gone by, and never by what holds no more."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from contract import clock
from executions.models import Execution, Payment, Submission
from tenants.models import Agent
from tests.integration.engine.world import noop, transform
from tests.integration.http.arranging import ECHO, created, creation, published
from tests.integration.http.test_executions_cost import statements
from tests.integration.http_client import Caller, another_key, caller
from workflows import live

WANTS_A_NAME = {"input_schema": {"type": "object", "required": ["name"]}}

pytestmark = pytest.mark.usefixtures("kept_for_long")


def changed(alice: Caller, workflow_id: str, steps: Any = ECHO, **members: Any) -> None:
    """Another version of the workflow is live."""
    name = alice.get(f"/v1/workflows/{workflow_id}").json()["name"]
    assert alice.put(f"/v1/workflows/{workflow_id}", {"name": name, "steps": steps, **members}).status_code == 200
    assert alice.post(f"/v1/workflows/{workflow_id}/publish").status_code == 200


def test_what_runs_is_read_once_for_creations_that_follow_each_other(alice: Caller) -> None:
    workflow_id = published(alice)
    created(alice, workflow_id)
    for _ in range(2):
        with statements(2):
            created(alice, workflow_id)


def test_it_is_read_anew_after_a_moment(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    workflow_id = published(alice)
    created(alice, workflow_id)
    monkeypatch.setattr(clock, "KNOWN_SECONDS", 0.0)
    with statements(3):
        created(alice, workflow_id)


def test_what_was_long_on_its_way_is_not_kept(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time that came with it would put an execution before those that were created before it."""
    monkeypatch.setattr(live, "NEAR_SECONDS", 0.0)
    workflow_id = published(alice)
    created(alice, workflow_id)
    with statements(3):
        created(alice, workflow_id)


def test_an_execution_takes_the_version_that_was_published_since(alice: Caller) -> None:
    workflow_id = published(alice)
    first = created(alice, workflow_id)["execution"]["id"]
    changed(alice, workflow_id, [noop("other")])
    second = created(alice, workflow_id)["execution"]["id"]
    versions = {str(row.id): row.version.version for row in Execution.objects.select_related("version")}
    assert versions[first] != versions[second]
    assert Execution.objects.get(id=second).steps_left == 1


def test_an_execution_takes_the_version_that_was_gone_back_to(alice: Caller) -> None:
    workflow_id = published(alice)
    first = Execution.objects.get(id=created(alice, workflow_id)["execution"]["id"]).version
    changed(alice, workflow_id, [noop("other")])
    created(alice, workflow_id)
    back = alice.post(f"/v1/workflows/{workflow_id}/rollback", {"version": first.version})
    assert back.status_code == 200, back.content
    assert Execution.objects.get(id=created(alice, workflow_id)["execution"]["id"]).version == first


@pytest.mark.parametrize("verb", ["pause", "archive"])
@pytest.mark.parametrize("key", [None, "k"])
def test_a_workflow_that_is_shut_takes_nothing_from_then_on(alice: Caller, verb: str, key: str | None) -> None:
    workflow_id = published(alice)
    created(alice, workflow_id)
    alice.post(f"/v1/workflows/{workflow_id}/{verb}")
    assert alice.post("/v1/executions", creation(workflow_id, idempotencyKey=key)).status_code == 409
    assert Execution.objects.count() == Submission.objects.count() == 1


def test_a_workflow_that_is_resumed_runs_at_once(alice: Caller) -> None:
    workflow_id = published(alice)
    created(alice, workflow_id)
    for verb, status in (("pause", 409), ("resume", 200), ("pause", 409)):
        alice.post(f"/v1/workflows/{workflow_id}/{verb}")
        assert alice.post("/v1/executions", creation(workflow_id)).status_code == status


def test_the_agent_counts_as_it_is_now(alice: Caller) -> None:
    workflow_id = published(alice)
    [agent] = alice.get("/v1/agents").json()["items"]
    for verb, status in (("activate", 200), ("suspend", 403), ("activate", 200)):
        alice.post(f"/v1/agents/{agent['id']}/{verb}")
        assert alice.post("/v1/executions", creation(workflow_id)).status_code == status


@pytest.mark.parametrize(
    ("before", "since", "statuses"),
    [({}, WANTS_A_NAME, (200, 400)), (WANTS_A_NAME, {}, (400, 200))],
    ids=["wants more", "wants less"],
)
def test_an_input_is_judged_by_the_schema_that_is_live(
    alice: Caller, before: Any, since: Any, statuses: tuple[int, int]
) -> None:
    workflow_id = published(alice, **before)
    assert alice.post("/v1/executions", creation(workflow_id)).status_code == statuses[0]
    changed(alice, workflow_id, **since)
    assert alice.post("/v1/executions", creation(workflow_id)).status_code == statuses[1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("key", [None, "k"])
def test_a_price_that_was_set_since_is_asked_for_once(key: str | None) -> None:
    alice = caller("alice")
    price = {"amount": 100, "currency": "EUR"}
    workflow_id = published(alice, price=price)
    created(alice, workflow_id)
    changed(alice, workflow_id, price=price | {"amount": 250})
    made = created(alice, workflow_id, idempotencyKey=key)
    assert made["execution"]["status"] == "awaiting_payment"
    assert sorted(Payment.objects.values_list("amount", flat=True)) == [100, 250]


@pytest.mark.django_db(transaction=True)
def test_what_was_outdated_within_a_keys_transaction_is_done_again_whole() -> None:
    alice = caller("alice")
    workflow_id = published(alice)
    created(alice, workflow_id)
    changed(alice, workflow_id, [noop("other")])
    made = created(alice, workflow_id, idempotencyKey="k")
    assert created(alice, workflow_id, idempotencyKey="k") == made
    assert Execution.objects.get(id=made["execution"]["id"]).steps_left == 1


@pytest.mark.parametrize("actions", [["*"], ["noop", "transform"]], ids=len)
def test_what_holds_is_gone_by_whatever_the_agent_may_do(alice: Caller, actions: list[str]) -> None:
    workflow_id = published(alice, [transform("only", {"got": "${{ input }}"})])
    Agent.objects.update(actions=actions)
    answers = [alice.post("/v1/executions", creation(workflow_id)).status_code for _ in range(3)]
    assert answers == [200, 200, 200]


def test_a_refusal_comes_once_whatever_others_keep_meanwhile(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    workflow_id = published(alice, **WANTS_A_NAME)
    monkeypatch.setattr(live._Kept, "forget", lambda *_: None)
    for _ in range(2):
        assert alice.post("/v1/executions", creation(workflow_id)).status_code == 400


def test_what_is_kept_for_one_tenant_opens_nothing_to_another(alice: Caller) -> None:
    workflow_id = published(alice)
    created(alice, workflow_id)
    assert caller("bob").post("/v1/executions", creation(workflow_id)).status_code == 404
    assert alice.tenant is not None
    assert another_key(alice.tenant).post("/v1/executions", creation(workflow_id)).status_code == 200


def test_an_execution_is_never_created_before_its_time(alice: Caller) -> None:
    """Nor is it due later than the workers look for it."""
    workflow_id = published(alice)
    for _ in range(3):
        made = Execution.objects.get(id=created(alice, workflow_id)["execution"]["id"])
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp() - %s", [made.created_at])
            age = cursor.fetchone()[0].total_seconds()
        assert 0 <= age < 5
        assert made.due_at == made.created_at


def test_no_more_than_so_many_are_kept(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_KEPT", 1)
    first, second = published(alice), published(alice)
    for workflow_id in (first, second):
        created(alice, workflow_id)
    for workflow_id, count in ((second, 2), (first, 3), (first, 2), (second, 3)):
        with statements(count):
            created(alice, workflow_id)
