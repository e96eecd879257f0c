"""What workers of agents do over HTTP: claim, wait for something to claim, beat, complete, fail."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connections
from django.test import RequestFactory

from contract.http import WAITS_LATER, Answer
from executions.api.tasks import ClaimDoor
from executions.models import Attempt, Task
from tests.integration.engine.tasks import agent_step
from tests.integration.engine.world import noop
from tests.integration.http.arranging import created, executed, published, reasons
from tests.integration.http.test_redriving import drained
from tests.integration.http.test_signals_and_approvals import step_shown
from tests.integration.http.test_why_waiting import only
from tests.integration.http_client import Caller, another_key

pytestmark = pytest.mark.django_db(transaction=True)


def agent_of(alice: Caller) -> str:
    return str(alice.get("/v1/agents").json()["items"][-1]["id"])


def at(alice: Caller, *rest: str, agent: str | None = None) -> str:
    return "/".join(["/v1/agents", agent or agent_of(alice), "tasks", *rest])


def claim(alice: Caller, agent: str | None = None, **body: Any) -> Any:
    answer = alice.post(at(alice, "claim", agent=agent), body)
    assert answer.status_code == 200, answer.content
    assert answer.json().keys() == {"items"}
    return answer.json()["items"]


def say(alice: Caller, task: Any, verb: str, **body: Any) -> Any:
    return alice.post(at(alice, task["task_id"], verb), {"lease": task["lease"], **body})


def waiting(alice: Caller, *steps: dict[str, Any], **members: Any) -> str:
    """An execution whose agents' steps have handed their tasks out."""
    execution: str = created(alice, published(alice, list(steps), **members))["execution"]["id"]
    drained()
    return execution


def shown(alice: Caller, execution: str) -> Any:
    return alice.get(f"/v1/executions/{execution}").json()["data"]["execution"]


def test_a_worker_claims_beats_and_completes(alice: Caller) -> None:
    execution = waiting(alice, agent_step("look", timeout_seconds=600), noop("after", "look"))
    [task] = claim(alice)
    assert task.keys() == {
        *("task_id", "lease", "task", "arguments", "execution_id", "step", "attempt", "deadline"),
    }
    assert (task["task"], task["arguments"], task["attempt"]) == ("see to look", {"n": 1}, 1)
    assert (task["execution_id"], task["step"]) == (execution, "look")
    assert task["deadline"].endswith("Z")
    assert claim(alice, max=100) == []

    beaten = say(alice, task, "heartbeat")
    assert beaten.status_code == 200
    assert beaten.json().keys() == {"task_id", "status", "leased_until", "deadline"}
    assert beaten.json()["deadline"] == task["deadline"]

    done = say(alice, task, "complete", output={"seen": True})
    assert (done.status_code, done.json()) == (200, {"task_id": task["task_id"], "status": "completed"})
    drained()
    assert step_shown(alice, execution, "look")["output"] == {"seen": True}
    assert shown(alice, execution)["status"] == "workflow_succeeded"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("no", {"kind": "agent_failed", "message": "no", "details": None}),
        ({"message": "no"}, {"kind": "agent_failed", "message": "no", "details": None}),
        (
            {"kind": "tired", "message": "no", "details": [{"a": 1}]},
            {"kind": "tired", "message": "no", "details": [{"a": 1}]},
        ),
    ],
)
def test_a_worker_says_what_went_wrong(alice: Caller, error: Any, told: Any) -> None:
    execution = waiting(alice, agent_step("look"))
    [task] = claim(alice)
    answer = say(alice, task, "fail", error=error)
    assert (answer.status_code, answer.json()["status"]) == (200, "failed")
    drained()
    assert step_shown(alice, execution, "look")["error"] == told


def test_a_failure_is_tried_again_unless_the_worker_says_otherwise(alice: Caller) -> None:
    retry = {"max_attempts": 2, "initial_seconds": 0}
    execution = waiting(alice, *(agent_step(name, retry=retry, on_failure="continue") for name in "ab"))
    for task in claim(alice, max=2):
        say(alice, task, "fail", error="no", **({"retryable": False} if task["step"] == "a" else {}))
    drained()
    assert step_shown(alice, execution, "a")["status"] == "failed"
    [task] = claim(alice, max=2)
    assert (task["step"], task["attempt"]) == ("b", 2)


@pytest.mark.parametrize(
    ("verb", "body", "field"),
    [
        ("claim", {"max": 0}, "/max"),
        ("claim", {"max": 101}, "/max"),
        ("claim", {"max": "1"}, "/max"),
        ("claim", {"wait_seconds": -1}, "/wait_seconds"),
        ("claim", {"wait_seconds": 31}, "/wait_seconds"),
        ("claim", {"wait_seconds": 0.5}, "/wait_seconds"),
        ("heartbeat", {"lease": None}, "/lease"),
        ("complete", {"lease": 5}, "/lease"),
        ("fail", {}, "/error"),
        ("fail", {"error": ""}, "/error/message"),
        ("fail", {"error": 5}, "/error"),
        ("fail", {"error": {}}, "/error/message"),
        ("fail", {"error": {"message": "m", "surprise": 1}}, "/error/surprise"),
        ("fail", {"error": "x" * 4001}, "/error/message"),
        ("fail", {"error": {"message": "m", "kind": "k" * 101}}, "/error/kind"),
        ("fail", {"error": "m", "retryable": "no"}, "/retryable"),
    ],
)
def test_a_member_that_is_wrong_is_named(alice: Caller, verb: str, body: Any, field: str) -> None:
    path = at(alice, "claim") if verb == "claim" else at(alice, str(uuid4()), verb)
    given = body if verb == "claim" else {"lease": "x", **body}
    assert reasons(alice.post(path, given)) == (400, "invalid_input", {field})


def test_a_task_of_another_agent_is_like_one_that_does_not_exist(alice: Caller, bob: Caller) -> None:
    waiting(alice, agent_step("a"))
    [task] = claim(alice)
    scout = alice.post("/v1/agents", {"name": "scout"}).json()["id"]
    for verb, body in (("heartbeat", {}), ("complete", {}), ("fail", {"error": "no"})):
        given, request = {"lease": task["lease"], **body}, {"X_Request_ID": "r"}
        answers = [
            alice.post(at(alice, task["task_id"], verb, agent=scout), given, **request),
            alice.post(at(alice, str(uuid4()), verb), given, **request),
            alice.post(at(alice, "nonsense", verb), given, **request),
            bob.post(at(bob, task["task_id"], verb), given, **request),
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.content for answer in answers}) == 1
    assert say(alice, task, "heartbeat").status_code == 200


def test_another_tenant_claims_nothing_of_it(alice: Caller, bob: Caller) -> None:
    waiting(alice, agent_step("a"))
    assert claim(bob, max=100) == []
    assert bob.post(at(alice, "claim"), {}).status_code == 404
    assert len(claim(alice)) == 1


def test_an_agent_claims_what_is_its_own(alice: Caller) -> None:
    scout = alice.post("/v1/agents", {"name": "scout"}).json()
    waiting(alice, agent_step("own", agent_id=scout["agent_id"]), agent_step("default"))
    for spelling in (scout["id"], scout["agent_id"]):
        [task] = claim(alice, spelling, max=10) or [None]
        if spelling == scout["id"]:
            assert task["step"] == "own"
        else:
            assert task is None
    assert [task["step"] for task in claim(alice, max=10)] == ["default"]


@pytest.mark.parametrize(("verb", "reason"), [("suspend", "agent_suspended"), ("revoke", "agent_revoked")])
def test_an_agent_that_is_not_active_does_nothing(alice: Caller, verb: str, reason: str) -> None:
    waiting(alice, agent_step("a"), agent_step("b"))
    [task] = claim(alice)
    alice.post(f"/v1/agents/{agent_of(alice)}/{verb}")
    answers = [alice.post(at(alice, "claim"), {})]
    answers += [say(alice, task, "heartbeat"), say(alice, task, "complete"), say(alice, task, "fail", error="no")]
    assert [reasons(answer)[:2] for answer in answers] == [(403, reason)] * 4
    assert Task.objects.get(id=task["task_id"]).status == "claimed"


def test_an_agent_that_may_not_carry_tasks_out_claims_none(alice: Caller) -> None:
    scout = alice.post("/v1/agents", {"name": "scout", "actions": ["*", "!agent:run"]}).json()["id"]
    answer = alice.post(at(alice, "claim", agent=scout), {})
    assert reasons(answer)[:2] == (403, "agent_denied")
    workflow = published(alice, [agent_step("a", agent_id=scout)])
    assert reasons(executed(alice, workflow))[:2] == (403, "agent_denied")


def test_a_lease_that_is_over_is_refused_with_its_reason(alice: Caller) -> None:
    waiting(alice, agent_step("a"), agent_step("b"))
    [task, other] = claim(alice, max=2)
    wrong = {**task, "lease": other["lease"]}
    for given in (wrong, {**task, "lease": "nonsense"}):
        for verb, body in (("heartbeat", {}), ("complete", {}), ("fail", {"error": "no"})):
            assert reasons(say(alice, given, verb, **body))[:2] == (409, "stale_lease")
    assert say(alice, task, "complete", output=1).status_code == 200
    assert say(alice, task, "complete", output=1).status_code == 200
    assert reasons(say(alice, task, "complete", output=2))[:2] == (409, "task_ended")
    assert reasons(say(alice, task, "heartbeat"))[:2] == (409, "task_ended")


def test_a_worker_whose_execution_was_cancelled_is_told_by_its_next_beat(alice: Caller) -> None:
    execution = waiting(alice, agent_step("a"))
    [task] = claim(alice)
    alice.post(f"/v1/executions/{execution}/cancel")
    drained()
    assert reasons(say(alice, task, "heartbeat"))[:2] == (409, "task_ended")


def test_an_output_beyond_the_bound_is_refused_in_its_own_name(alice: Caller, settings: Any) -> None:
    waiting(alice, agent_step("a"))
    [task] = claim(alice)
    settings.OUTPUT_LIMIT_BYTES = 100
    assert reasons(say(alice, task, "complete", output="x" * 100)) == (400, "invalid_content", {"/output"})
    error = {"message": "m", "details": "x" * 100}
    assert reasons(say(alice, task, "fail", error=error)) == (400, "invalid_content", {"/error"})
    assert say(alice, task, "complete", output="x").status_code == 200


def test_a_repeated_claim_is_given_the_same_tasks(alice: Caller) -> None:
    waiting(alice, agent_step("a"), agent_step("b"))
    path = at(alice, "claim")
    first, again = (alice.post(path, {"max": 1}, Idempotency_Key="k") for _ in range(2))
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert Task.objects.filter(status="claimed").count() == 1
    [task] = first.json()["items"]
    for _ in range(2):
        path = at(alice, task["task_id"], "complete")
        assert alice.post(path, {"lease": task["lease"]}, Idempotency_Key="k").status_code == 200
    used = alice.post(path, {"lease": task["lease"], "output": 1}, Idempotency_Key="k")
    assert reasons(used)[:2] == (409, "idempotency_key_reused")


def test_a_claim_that_waits_is_answered_as_soon_as_there_is_something(alice: Caller) -> None:
    agent = agent_of(alice)
    with ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        answer = pool.submit(own_thread, claim, alice, agent, wait_seconds=20)
        time.sleep(0.5)
        assert not answer.done()
        waiting(alice, agent_step("a"))
        [task] = answer.result(timeout=10)
    assert task["step"] == "a"
    assert time.monotonic() - began < 15


def test_a_claim_that_waits_in_vain_is_answered_with_nothing_when_its_time_is_over(alice: Caller) -> None:
    began = time.monotonic()
    answer = alice.post(at(alice, "claim"), {"wait_seconds": 1}, Idempotency_Key="k")
    assert answer.json() == {"items": []}
    assert 1 <= time.monotonic() - began < 5
    waiting(alice, agent_step("a"))
    began = time.monotonic()
    assert alice.post(at(alice, "claim"), {"wait_seconds": 1}, Idempotency_Key="k").json() == {"items": []}
    assert time.monotonic() - began < 1, "a replay waits for nothing"


def test_a_claim_that_waits_holds_neither_a_transaction_nor_its_key(alice: Caller) -> None:
    agent = agent_of(alice)
    path = at(alice, "claim", agent=agent)
    with ThreadPoolExecutor(2) as pool:
        answers = [
            pool.submit(own_thread, alice.post, path, {"wait_seconds": 3}, Idempotency_Key="k") for _ in range(2)
        ]
        time.sleep(0.5)
        waiting(alice, agent_step("a"), agent_step("b"))
        first, second = (answer.result(timeout=10) for answer in answers)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()
    assert len(first.json()["items"]) == 1


def test_an_agent_that_is_suspended_meanwhile_waits_no_longer_than_for_the_next_task(alice: Caller) -> None:
    agent = agent_of(alice)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(own_thread, alice.post, at(alice, "claim", agent=agent), {"wait_seconds": 2})
        time.sleep(0.3)
        alice.post(f"/v1/agents/{agent}/suspend")
        assert reasons(answer.result(timeout=10))[:2] == (403, "agent_suspended")


def on_a_server_that_waits(alice: Caller, **body: Any) -> Answer:
    """The answer to a claim, as a server has it that holds no thread while it waits."""
    request = RequestFactory().post(
        at(alice, "claim"),
        json.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Bearer {alice.key}"},
        **{WAITS_LATER: True},  # type: ignore[arg-type]
    )
    answer = ClaimDoor.as_view({"post": "claim"})(request, agent_id=agent_of(alice))
    assert isinstance(answer, Answer)
    answer.render()
    return answer


def test_a_server_that_waits_without_a_thread_claims_when_there_is_something(alice: Caller) -> None:
    answers = [on_a_server_that_waits(alice, wait_seconds=20) for _ in range(2)]
    woken = threading.Event()
    assert answers[0].wait is not None
    answers[0].wait.watch(woken.set)
    waiting(alice, agent_step("a"))
    assert woken.wait(10)
    for answer in answers:
        answer.settle()
    assert [answer.wait is None for answer in answers] == [True, False], "the other goes on waiting"
    assert [task["step"] for task in json.loads(answers[0].content)["items"]] == ["a"]


def test_a_wait_whose_time_is_over_is_answered_with_nothing(alice: Caller) -> None:
    answer = on_a_server_that_waits(alice, wait_seconds=1)
    assert answer.wait is not None
    assert 0 < answer.wait.seconds <= 1
    time.sleep(answer.wait.seconds)
    answer.settle()
    assert answer.status_code == 200
    assert json.loads(answer.content) == {"items": []}
    answer = on_a_server_that_waits(alice)
    assert answer.wait is None


def test_an_agent_that_is_suspended_while_its_worker_waits_is_told_so(alice: Caller) -> None:
    answer = on_a_server_that_waits(alice, wait_seconds=20)
    alice.post(f"/v1/agents/{agent_of(alice)}/suspend")
    answer.settle()
    assert (answer.wait, answer.status_code) == (None, 403)
    assert json.loads(answer.content)["details"]["reason"] == "agent_suspended"


def test_why_a_step_waits_says_who_has_its_task(alice: Caller) -> None:
    execution = waiting(alice, agent_step("a"))
    reason = only(alice, execution, "a")
    task = Task.objects.get()
    assert reason == {
        "kind": "agent",
        "message": "It goes on once a worker of its agent has claimed its task and completed it.",
        "agentId": agent_of(alice),
        "taskId": str(task.id),
        "taskStatus": "open",
        "until": None,
    }
    [claimed] = claim(alice)
    assert only(alice, execution, "a")["taskStatus"] == "claimed"
    say(alice, claimed, "complete")
    assert only(alice, execution, "a")["taskStatus"] == "reported"


def test_a_plan_shows_what_the_worker_would_be_given(alice: Caller) -> None:
    step = agent_step("a") | {"config": {"task": "Greet ${{ input.who }}", "arguments": {"n": "${{ input.n }}"}}}
    workflow = published(alice, [step])
    body = {"dry_run": True, "input": {"who": "Ada", "n": 2}}
    [planned] = executed(alice, workflow, body, X_Tenant_ID="alice").json()["steps"]
    assert planned["config"] == {"task": "Greet Ada", "arguments": {"n": 2}}
    assert (planned["type"], planned["effect"]) == ("agent", "wait")


def test_a_key_that_may_work_need_not_be_able_to_anything_else(alice: Caller) -> None:
    waiting(alice, agent_step("a"))
    assert alice.tenant is not None
    worker = another_key(alice.tenant, "agents:work")
    agent = agent_of(alice)
    [task] = worker.post(at(worker, "claim", agent=agent), {}).json()["items"]
    path = at(worker, task["task_id"], "complete", agent=agent)
    assert worker.post(path, {"lease": task["lease"]}).status_code == 200
    assert worker.get("/v1/agents").status_code == 403


def test_what_a_worker_was_given_and_gave_stands_on_the_attempt(alice: Caller) -> None:
    execution = waiting(alice, agent_step("a"))
    [task] = claim(alice)
    say(alice, task, "complete", output=[1])
    drained()
    attempt = Attempt.objects.get(execution_id=UUID(execution))
    assert (attempt.input, attempt.output) == ('{"arguments":{"n":1},"task":"see to a"}', "[1]")
    assert attempt.finished_at is not None
    assert attempt.finished_at - attempt.started_at < timedelta(minutes=1)


def own_thread(act: Any, *given: Any, **named: Any) -> Any:
    """For a thread of its own, whose connection is closed in the end."""
    try:
        return act(*given, **named)
    finally:
        connections.close_all()
