"""/v1/orchestrations: run a workflow or steps of one's own, list what runs, cancel it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from executions.models import Execution
from tests.integration.engine.world import failing, noop, transform, wait
from tests.integration.http.arranging import created, engine, executed, published, reasons, rows_of_every_table
from tests.integration.http.test_orchestrations import MEMBERS
from tests.integration.http_client import Caller, another_key
from workflows.models import Workflow

RUN = "/v1/orchestrations/execute"
LIST = "/v1/orchestrations"
ONE = [transform("only", {"got": "${{ input.a }}"})]


def run(who: Caller, body: Any, **headers: str) -> Any:
    return who.post(RUN, body, **headers)


def listed(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [item["id"] for item in answer.json()["items"]]


def drained() -> None:
    with engine() as world:
        world.drain()


# A workflow


def test_a_workflow_is_run_and_answered_as_an_orchestration(alice: Caller) -> None:
    workflow_id = published(alice, ONE)
    answer = run(alice, {"workflow_id": workflow_id, "input": {"a": 1}, "parameters": {}})
    shown = answer.json()
    assert (answer.status_code, shown.keys(), shown["status"]) == (200, MEMBERS, "running")
    assert (shown["workflow_id"], shown["id"]) == (workflow_id, shown["orchestration_id"])
    assert alice.get(f"{LIST}/{shown['id']}").json() == shown
    seen = alice.get(f"/v1/executions/{shown['id']}").json()["data"]["execution"]
    assert (seen["sourceSystem"], seen["sourceEntityType"], seen["requestPayload"]) == (
        "orchestrations",
        "agent",
        {"a": 1},
    )


def test_a_priced_one_is_found_by_its_id_before_and_after_it_is_paid(alice: Caller) -> None:
    answer = run(alice, {"workflow_id": published(alice, price={"amount": 1, "currency": "EUR"})})
    before = answer.json()
    assert (before["status"], before["started_at"]) == ("pending", None)
    assert answer.headers["Link"].endswith('rel="payment"')
    order = alice.get(f"/v1/executions/{before['id']}").json()["data"]["execution"]["orderId"]
    alice.post(f"/v1/payments/{order}/confirm", {"reference": "r"})
    after = alice.get(f"{LIST}/{before['id']}").json()
    assert (after["status"], after["id"] != before["id"]) == ("running", True)
    assert alice.get(f"{LIST}/{after['id']}").json() == after


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "/workflow_id"),
        ({"workflow_id": None, "steps": None}, "/workflow_id"),
        ({"workflow_id": "", "steps": ONE}, "/workflow_id"),
        ({"workflow_id": "w", "steps": ONE}, "/steps"),
        ({"workflow_id": "w", "timeout_seconds": 0}, "/timeout_seconds"),
        ({"workflow_id": "w", "timeout_seconds": True}, "/timeout_seconds"),
        ({"workflow_id": "w", "max_steps": 0}, "/max_steps"),
        ({"workflow_id": "w", "max_steps": 10_001}, "/max_steps"),
        ({"workflow_id": "w", "max_steps": 1.5}, "/max_steps"),
        ({"workflow_id": "w", "agents": "a"}, "/agents"),
        ({"workflow_id": "w", "agents": [1]}, "/agents/0"),
        ({"workflow_id": "w", "agents": ["a"] * 101}, "/agents"),
        ({"workflow_id": "w", "input": []}, "/input"),
        ({"workflow_id": "w", "colour": "red"}, "/colour"),
        ({"steps": []}, "/steps"),
        ({"steps": "noop"}, "/steps"),
        ({"steps": [{"action": "noop"}, {"name": "noop", "type": "nothing"}]}, "/steps/1/type"),
        ({"steps": [{"name": "a", "type": "transform", "config": {"output": "${{ steps.b }}"}}]}, "/steps/0/config"),
    ],
)
def test_a_body_that_is_wrong_is_refused_by_name(alice: Caller, body: Any, field: str) -> None:
    before = rows_of_every_table()
    for more in ({}, {"dry_run": True}):
        status, _, fields = reasons(run(alice, {**body, **more}))
        assert status == 400
        assert any(found.startswith(field) for found in fields), fields
    assert rows_of_every_table() == before


def test_ids_that_name_nothing_are_named(alice: Caller, bob: Caller) -> None:
    workflow_id, agent = published(alice, ONE), bob.get("/v1/agents").json()["items"][0]["id"]
    before = rows_of_every_table()
    for body, field in (
        ({"workflow_id": published(bob)}, "/workflow_id"),
        ({"workflow_id": str(uuid4())}, "/workflow_id"),
        ({"workflow_id": workflow_id, "agent_id": agent}, "/agent_id"),
        ({"workflow_id": workflow_id, "agents": [agent]}, "/agents/0"),
        ({"steps": ONE, "agent_id": str(uuid4())}, "/agent_id"),
    ):
        before = rows_of_every_table() if "workflow" in field else before
        assert reasons(run(alice, body)) == (404, "not_found", {field})
    assert rows_of_every_table() == before


def test_a_plan_with_more_steps_than_allowed_is_refused(alice: Caller) -> None:
    steps = [noop("a"), noop("b"), noop("c")]
    for source in ({"steps": steps}, {"workflow_id": published(alice, steps)}):
        assert run(alice, {**source, "max_steps": 3}).status_code == 200
        before = rows_of_every_table()
        assert reasons(run(alice, {**source, "max_steps": 2})) == (400, "invalid_content", {"/max_steps"})
        assert reasons(run(alice, {**source, "max_steps": 2, "dry_run": True}))[2] == {"/max_steps"}
        assert rows_of_every_table() == before


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("own", "given"), [(None, 0.1), (60, 0.1), (0.1, 60)])
def test_the_smaller_time_out_counts(alice: Caller, own: Any, given: float) -> None:
    doze = {"name": "doze", "type": "tool_call", "config": {"tool": "sleep", "arguments": {"seconds": 0.2}}}
    workflow_id = published(alice, [doze, noop("after", "doze")], timeout_seconds=own)
    made = run(alice, {"workflow_id": workflow_id, "timeout_seconds": given}).json()
    drained()
    assert alice.get(f"{LIST}/{made['id']}").json()["status"] == "timeout"


# Agents


def agent(alice: Caller, name: str) -> str:
    made: str = alice.post("/v1/agents", {"name": name}).json()["id"]
    return made


def test_only_those_take_part_who_may(alice: Caller) -> None:
    first, second, third = (agent(alice, name) for name in ("first", "second", "third"))
    steps = [{"action": "noop"}, {"action": "noop", "agent_id": second}]
    shown = run(alice, {"steps": steps, "agents": [first, second]}).json()
    assert (shown["agents"], [step["agent_id"] for step in shown["steps"]]) == (
        sorted([first, second]),
        [first, second],
    )
    before = rows_of_every_table()
    for body in (
        {"steps": steps, "agents": [first]},
        {"steps": steps, "agents": [first, second], "agent_id": third},
        {"steps": steps, "agents": [third], "dry_run": True},
    ):
        assert reasons(run(alice, body)) == (403, "agent_denied", {"/agents"})
    alice.post(f"/v1/agents/{second}/suspend")
    assert reasons(run(alice, {"steps": steps, "agents": [first, second]}))[:2] == (403, "agent_suspended")
    assert rows_of_every_table() == before


# Steps of one's own


@pytest.mark.django_db(transaction=True)
def test_steps_are_run_as_they_were_sent_and_kept(alice: Caller) -> None:
    steps = [
        {"action": "noop", "parameters": {"a": "${{ input.a }}"}},
        transform("out", "${{ steps.noop.output.a }}", "noop"),
    ]
    made = run(alice, {"steps": steps, "input": {"a": 7}}).json()
    drained()
    shown = alice.get(f"{LIST}/{made['id']}").json()
    assert (shown["status"], shown["output"]) == ("completed", {"out": 7})
    kept = alice.get(f"/v1/workflows/{made['workflow_id']}").json()
    assert (kept["status"], [step.get("action", step.get("name")) for step in kept["steps"]]) == (
        "archived",
        ["noop", "out"],
    )


def test_the_same_steps_are_kept_once_and_are_in_no_list(alice: Caller, bob: Caller) -> None:
    made = [run(alice, {"steps": ONE}).json()["workflow_id"] for _ in range(2)]
    other = run(alice, {"steps": [transform("only", 2)]}).json()["workflow_id"]
    bobs = run(bob, {"steps": ONE}).json()["workflow_id"]
    assert len({*made, other, bobs}) == 3
    assert alice.get("/v1/workflows").json()["items"] == []
    assert bob.get(f"/v1/workflows/{made[0]}").status_code == 404


def test_steps_that_differ_in_a_secret_alone_are_not_the_same(alice: Caller) -> None:
    def hook(secret: str) -> Any:
        config = {"url": "https://example.com", "payload": {}, "secret": secret}
        return {"steps": [{"name": "tell", "type": "webhook", "config": config}]}

    made = {run(alice, hook(secret)).json()["workflow_id"] for secret in ("a" * 32, "b" * 32)}
    assert len(made) == 2
    for workflow_id in made:
        assert alice.get(f"/v1/workflows/{workflow_id}").json()["steps"][0]["config"]["secret"] == "***"


def test_what_was_kept_of_steps_is_run_and_changed_by_nobody(alice: Caller) -> None:
    kept = run(alice, {"steps": ONE}).json()["workflow_id"]
    assert reasons(executed(alice, kept))[:2] == (409, "workflow_archived")
    assert reasons(run(alice, {"workflow_id": kept}))[:2] == (409, "workflow_archived")
    for verb in ("publish", "pause", "archive"):
        assert alice.post(f"/v1/workflows/{kept}/{verb}").status_code == 409
    assert alice.delete(f"/v1/workflows/{kept}").status_code == 204
    assert run(alice, {"steps": ONE}).json()["workflow_id"] == kept


def test_steps_of_ones_own_want_a_scope_of_their_own(alice: Caller) -> None:
    assert alice.tenant is not None
    runner = another_key(alice.tenant, "orchestrations:write")
    author = another_key(alice.tenant, "orchestrations:write", "workflows:write")
    before = rows_of_every_table()
    for body in ({"steps": ONE}, {"steps": ONE, "dry_run": True}, {"steps": "nonsense"}):
        answer = run(runner, body, Idempotency_Key="k")
        assert reasons(answer)[:2] == (403, "missing_scope")
        assert "workflows:write" in answer.json()["message"]
    assert rows_of_every_table() == before
    assert run(runner, {"workflow_id": published(alice, ONE)}).status_code == 200
    assert run(author, {"steps": ONE}, Idempotency_Key="k").status_code == 200
    assert run(runner, {"steps": ONE}, Idempotency_Key="k").status_code == 403


def test_a_dry_run_of_steps_stores_nothing_and_shows_the_plan(alice: Caller) -> None:
    before = rows_of_every_table()
    body = {"steps": [noop("b", "a"), noop("a")], "dry_run": True, "parameters": {"a": {"arguments": {"x": 1}}}}
    plan = run(alice, body, Idempotency_Key="k").json()
    assert rows_of_every_table() == before
    assert (plan["workflow_id"], plan["run_id"], plan["status"]) == (None, None, "pending")
    assert [(step["name"], step["wave"]) for step in plan["steps"]] == [("a", 0), ("b", 1)]
    assert plan["steps"][0]["config"]["arguments"] == {"name": "a", "x": 1}
    again = run(alice, body).json()
    assert again["plan_hash"] == plan["plan_hash"]
    assert run(alice, {**body, "steps": [noop("a")]}).json()["plan_hash"] != plan["plan_hash"]


def test_a_key_runs_it_once(alice: Caller) -> None:
    first = run(alice, {"steps": ONE}, Idempotency_Key="k")
    again = run(alice, {"steps": ONE}, Idempotency_Key="k")
    assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")
    assert reasons(run(alice, {"steps": [noop("a")]}, Idempotency_Key="k"))[:2] == (409, "idempotency_key_reused")
    assert (Execution.objects.count(), Workflow.objects.count()) == (1, 1)


# Lists


@pytest.mark.django_db(transaction=True)
def test_the_list_is_filtered_by_the_orchestrations_own_words(alice: Caller, bob: Caller) -> None:
    doze = {"name": "doze", "type": "tool_call", "config": {"tool": "sleep", "arguments": {"seconds": 0.1}}}
    workflows = {
        "completed": published(alice, ONE),
        "failed": published(alice, [failing("broken")]),
        "timeout": published(alice, [doze, noop("after", "doze")], timeout_seconds=0.05),
        "waiting": published(alice, [wait("held", signal="go")]),
        "pending": published(alice, price={"amount": 1, "currency": "EUR"}),
        "cancelled": published(alice, ONE),
    }
    made = {
        word: run(alice, {"workflow_id": workflow_id, "input": {"a": 1}}).json()["id"]
        for word, workflow_id in workflows.items()
    }
    alice.post(f"{LIST}/{made['cancelled']}/cancel")
    run(bob, {"steps": ONE})
    drained()
    queued = run(alice, {"workflow_id": workflows["completed"], "input": {"a": 1}}).json()["id"]
    found = {word: listed(alice.get(f"{LIST}?status={word}")) for word in ("pending", "completed", "failed", "timeout")}
    assert found == {word: [made[word]] for word in found}
    assert listed(alice.get(f"{LIST}?status=running")) == [queued, made["waiting"]]
    assert listed(alice.get(f"{LIST}?status=cancelled")) == [made["cancelled"]]
    assert listed(alice.get(f"{LIST}?workflow_id={workflows['completed']}")) == [queued, made["completed"]]
    assert listed(alice.get(f"{LIST}?workflow_id={workflows['completed']}&status=running")) == [queued]
    every = alice.get(LIST).json()["items"]
    assert [item["id"] for item in every] == [queued, *list(made.values())[::-1]]
    for item in every:
        assert item.keys() == MEMBERS - {"steps", "results", "agents"}
        shown = alice.get(f"{LIST}/{item['id']}").json()
        assert item == {name: shown[name] for name in item}


def test_the_list_is_paged_though_a_word_stands_for_several_statuses(alice: Caller) -> None:
    workflow_id = published(alice, ONE)
    made = [run(alice, {"workflow_id": workflow_id}).json()["id"] for _ in range(7)][::-1]
    for index, status in ((0, "workflow_running"), (2, "workflow_waiting"), (3, "workflow_running")):
        named = alice.get(f"/v1/executions/{made[index]}").json()["data"]["execution"]["id"]
        Execution.objects.filter(id=named).update(status=status)
    found: list[str] = []
    query = "status=running&limit=2"
    while query:
        answer = alice.get(f"{LIST}?{query}").json()
        found += [item["id"] for item in answer["items"]]
        query = f"status=running&limit=2&cursor={answer['next_cursor']}" if answer["has_more"] else ""
    assert found == made
    assert listed(alice.get(f"{LIST}?status=running&limit=3&offset=2")) == made[2:5]


def test_the_list_refuses_what_it_does_not_take(alice: Caller) -> None:
    for query in ("status=workflow_queued", "status=", "workflow_id=x", "created_after=x", "createdAfter=x", "limit=0"):
        status, _, fields = reasons(alice.get(f"{LIST}?{query}"))
        assert (status, fields) == (400, {f"query.{query.partition('=')[0]}"})


# Cancelling


@pytest.mark.django_db(transaction=True)
def test_an_orchestration_is_cancelled_by_its_run_or_its_execution(alice: Caller) -> None:
    workflow_id = published(alice, ONE)
    for name in ("id", "runId"):
        execution = created(alice, workflow_id)["execution"]
        answer = alice.post(f"{LIST}/{execution[name]}/cancel", {"reason": "no need"})
        assert (answer.status_code, answer.json().keys()) == (200, MEMBERS)
        drained()
        shown = alice.get(f"{LIST}/{execution['id']}").json()
        assert (shown["status"], shown["error"]) == (
            "cancelled",
            {"code": "workflow_cancelled", "message": "no need"},
        )
        assert reasons(alice.post(f"{LIST}/{execution['id']}/cancel"))[:2] == (409, "already_ended")
