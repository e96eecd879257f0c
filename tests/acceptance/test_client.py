"""The Python client against a real stack: everything once, in both manners, whatever happens to the connection."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import pytest

from config.stack.running import Stack
from tests.acceptance.cutting import cutting
from tests.acceptance.test_stack import running
from traceway import (
    AsyncTraceway,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    Retry,
    Traceway,
    Unauthenticated,
    WaitTimeout,
)
from traceway.drivers import Direct
from traceway.models import Workflow
from traceway.resources.executions import Execution
from traceway.working import work

GREET = {"name": "greet", "type": "transform", "config": {"output": "Hello, ${{ input.name }}!"}}
COUNT = {"action": "fib", "parameters": {"n": "${{ size(steps.greet.output) }}"}}
HOLD = {"name": "hold", "type": "wait", "config": {"signal": "go", "approval": {}}}
BREAK = {
    "name": "break",
    "type": "tool_call",
    "config": {"tool": "fail", "arguments": {"message": "broken", "times": 1}},
}


@dataclass(frozen=True)
class Side:
    """One tenant's side of the stack."""

    url: str
    key: str


@pytest.fixture(scope="module")
def side(stack: Stack) -> Side:
    stack.manage("create_tenant", "client")
    return Side(stack.address, stack.manage("create_api_key", "--tenant", "client"))


@pytest.fixture
def client(side: Side) -> Iterator[Traceway]:
    with Traceway(side.url, side.key) as made:
        yield made


def published(client: Traceway, name: str, *steps: dict[str, Any], **members: Any) -> Workflow:
    """A live workflow of its own."""
    definition = {"name": name, "steps": list(steps), **members}
    return client.workflows.publish(client.workflows.create(definition).id)


def executions_of(client: Traceway, workflow: Workflow) -> list[Execution[Direct]]:
    return list(client.executions.list(workflow_id=workflow.id))


def test_an_execution_is_created_waited_for_and_read_back(client: Traceway) -> None:
    workflow = published(client, "read back", GREET, COUNT)
    begun = client.executions.create(workflow.id, {"name": "World"}, external_ref="r-1", source_entity_id="s-1")
    assert begun.client_token
    ended = begun.wait(timeout=30)
    assert (ended.succeeded, ended.response_payload, ended.external_ref) == (
        True,
        {"fib": {"n": 13, "value": 233}},
        "r-1",
    )
    assert [(step.name, step.status, len(step.attempts)) for step in ended.steps()] == [
        ("greet", "succeeded", 1),
        ("fib", "succeeded", 1),
    ]
    events = list(ended.events())
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert [event.raw for event in ended.stream()] == [event.raw for event in events]
    assert [one.id for one in client.executions.list(external_ref="r-1", limit=5)] == [begun.id]
    assert client.orchestrations.get(ended.run_id or "").status == "completed"


def test_an_answer_that_waits_holds_the_end(client: Traceway) -> None:
    workflow = published(client, "answers last", GREET)
    assert client.executions.create(workflow.id, {"name": "x"}, wait=20).succeeded
    assert client.workflows.execute(workflow.id, {"name": "x"}, wait=20).status == "completed"


def test_a_run_takes_input_and_parameters_and_a_plan_starts_nothing(client: Traceway) -> None:
    workflow = published(client, "planned", GREET, COUNT)
    plan = client.workflows.plan(workflow.id, {"name": "x"})
    assert [step["name"] for step in plan.steps] == ["greet", "fib"]
    assert executions_of(client, workflow) == []
    run = client.workflows.execute(workflow.id, {"name": "x"}, parameters={"fib": {"arguments": {"n": 5}}})
    assert run.wait(timeout=30).response_payload == {"fib": {"n": 5, "value": 5}}
    with pytest.raises(Conflict) as changed:
        client.workflows.execute(workflow.id, {"name": "x"}, plan_hash="0" * 64)
    assert changed.value.reason == "plan_changed"


def test_steps_that_are_no_workflow_are_run_as_an_orchestration(client: Traceway) -> None:
    orchestrations = client.orchestrations
    done = orchestrations.execute(steps=[GREET], input={"name": "x"}, wait=20)
    assert (done.status, done.output) == ("completed", {"greet": "Hello, x!"})
    held = orchestrations.execute(steps=[HOLD])
    assert held.id in {one.id for one in orchestrations.list(status="running")}
    assert orchestrations.cancel(held.id or "", "not needed").id == held.id
    assert client.executions.wait(held.id or "", timeout=30).status == "workflow_cancelled"


def test_a_workflow_lives_from_its_draft_to_its_archive(client: Traceway) -> None:
    definition = {"name": "lives", "steps": [GREET]}
    workflows = client.workflows
    assert [one.code for one in workflows.validate({**definition, "prize": 1}).errors] == ["unknown_member"]
    made = workflows.create(definition)
    assert (made.status, workflows.publish(made.id).status) == ("draft", "published")
    assert workflows.put(made.id, {**definition, "description": "more"}).version == "1.0.1"
    assert workflows.publish(made.id).version == "1.0.1"
    assert [one.version for one in workflows.versions(made.id)] == ["1.0.1", "1.0.0"]
    assert workflows.rollback(made.id, "1.0.0").version == "1.0.0"
    assert workflows.version(made.id, "1.0.1").steps == [GREET]
    assert workflows.pause(made.id).status == "paused"
    with pytest.raises(Conflict, match="workflow_paused"):
        client.executions.create(made.id, {"name": "x"})
    assert workflows.resume(made.id).status == "published"
    assert workflows.named("lives").id == made.id
    assert workflows.archive(made.id).status == "archived"
    with pytest.raises(NotFound):
        workflows.named("lives")


def test_what_waits_is_explained_signalled_approved_paused_and_cancelled(client: Traceway) -> None:
    workflow = published(client, "held", HOLD)
    executions = client.executions
    signalled, approved, cancelled = (executions.create(workflow.id) for _ in range(3))
    with pytest.raises(WaitTimeout):
        signalled.wait(timeout=1)
    assert {one.kind for one in executions.why_waiting(signalled.id, "hold").waiting_for} == {"signal", "approval"}
    executions.signal(signalled.id, "go", {"n": 1})
    held = (signalled.wait(timeout=30).response_payload or {})["hold"]
    assert (held["by"], held["payload"]) == ("signal", {"n": 1})
    assert executions.pause(approved.id).status_reason == "paused"
    executions.resume(approved.id)
    executions.approve(approved.id, "hold", "seen")
    assert approved.wait(timeout=30).succeeded
    assert cancelled.cancel("not needed").wait(timeout=30).status == "workflow_cancelled"
    with pytest.raises(Conflict, match="already_ended"):
        cancelled.cancel()


def test_what_failed_is_redriven_after_a_look_at_what_that_would_do(client: Traceway) -> None:
    workflow = published(client, "redriven", GREET, BREAK)
    failed = client.executions.create(workflow.id, {"name": "x"}).wait(timeout=30)
    assert failed.status == "workflow_failed"
    assert failed.status_reason
    preview = client.executions.preview_redrive(failed.id)
    assert (preview.keeps, preview.resets) == (["greet"], ["break"])
    assert client.executions.get(failed.id).is_over
    again = client.executions.redrive(failed.id)
    assert again.wait(timeout=30).succeeded
    kinds = [event.event_type for event in client.executions.stream(failed.id)]
    assert (kinds.count("execution.failed"), kinds[-1]) == (1, "execution.succeeded")


def test_a_template_decides_an_application(client: Traceway) -> None:
    workflow = published(client, "decides", GREET, output={"verdict": "pass"})
    bound = {"input": {"name": "${{ application.name }}"}, "outcome": "${{ output.verdict }}"}
    template = client.templates.create({"name": "t", "workflow_id": workflow.id, **bound})
    application = client.applications.create({"name": "x"}, external_ref="a-1")
    begun = client.data_orchestration.execute(template.id, application.id)
    assert client.executions.wait(begun.id, timeout=30).succeeded
    log = client.data_orchestration.log(application.id, begun.id)
    assert (log.status, log.outcome, log.master_status) == (4, "pass", "workflow_succeeded")
    assert [one.id for one in client.data_orchestration.logs(application.id)] == [begun.id]
    client.templates.delete(template.id)
    with pytest.raises(InvalidRequest) as refused:
        client.data_orchestration.execute(template.id, application.id)
    assert [one.field for one in refused.value.problems] == ["/template_id"]


def test_keys_and_agents_are_made_used_and_withdrawn(client: Traceway, side: Side) -> None:
    made = client.api_keys.create("reader", scopes=["workflows:read"])
    assert made.key is not None
    assert made.key not in repr(made)
    with Traceway(side.url, made.key) as reader:
        assert reader.me().credential.scopes == ["workflows:read"]
        with pytest.raises(Forbidden) as refused:
            list(reader.executions.list())
        assert refused.value.reason == "missing_scope"
        following = client.api_keys.rotate(made.id, overlap_seconds=0)
        with Traceway(side.url, following.key) as heir:
            assert heir.me().credential.scopes == ["workflows:read"]
        assert client.api_keys.get(following.id).key is None
        with pytest.raises(Unauthenticated):
            reader.me()
    agent = client.agents.create("packer", actions=["tool_call:noop"])
    assert client.agents.suspend(agent.id).status == "suspended"
    assert client.agents.activate(agent.agent_id or "").status == "active"


def test_a_secret_is_put_renewed_and_deleted_and_never_shown(client: Traceway) -> None:
    first, second = client.secrets.put("TOKEN", "s3cret-one"), client.secrets.put("TOKEN", "s3cret-two")
    assert (second.id, second.version) == (first.id, first.version + 1)
    (found,) = client.secrets.list()
    assert found.name == "TOKEN"
    assert "s3cret" not in str([first.raw, second.raw, found.raw])
    client.secrets.delete("TOKEN")
    assert list(client.secrets.list()) == []
    with pytest.raises(NotFound):
        client.secrets.delete("TOKEN")


def test_a_worker_claims_a_task_keeps_it_and_completes_it(client: Traceway) -> None:
    agent = client.agents.create("worker")
    ask = {"name": "ask", "type": "agent", "agent_id": agent.id, "config": {"task": "add", "arguments": {"a": 1}}}
    workflow = published(client, "asks", ask)
    begun = client.executions.create(workflow.id)
    (task,) = client.agents.claim(agent.id, wait_seconds=20)
    assert (task.task, task.arguments, task.execution_id, task.step) == ("add", {"a": 1}, begun.id, "ask")
    assert task.heartbeat().leased_until
    task.complete({"sum": 2})
    assert begun.wait(timeout=30).response_payload == {"ask": {"sum": 2}}
    with pytest.raises(Conflict):
        task.heartbeat()


def test_a_working_loop_carries_out_what_is_asked_of_its_agent(
    client: Traceway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("traceway.working.CLAIM_SECONDS", 1)
    agent, stop = client.agents.create("loop"), threading.Event()
    steps = [
        {"name": task, "type": "agent", "agent_id": agent.id, "on_failure": "continue", "config": {"task": task}}
        for task in ("add", "break", "unknown")
    ]
    workflow = published(client, "looped", *steps)
    begun = client.executions.create(workflow.id)

    def fails(_: Any) -> Any:
        raise ValueError("no paper left")

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work, client, agent.id, {"add": lambda _: {"sum": 3}, "break": fails}, stop=stop)
        ended = begun.wait(timeout=60)
        stop.set()
        working.result(60)
    found = {step.name: (step.status, (step.error or {}).get("message"), step.output) for step in ended.steps()}
    assert found == {
        "add": ("succeeded", None, {"sum": 3}),
        "break": ("failed", "ValueError: no paper left", None),
        "unknown": ("failed", "this worker knows no task `unknown`", None),
    }


def test_a_request_whose_answer_is_lost_makes_one_execution(client: Traceway, side: Side) -> None:
    workflow = published(client, "lost answers", GREET)
    with cutting(side.url) as cutter, Traceway(cutter.address, side.key) as far:
        cutter.cuts = [0, 1, 40, 0]
        made = far.executions.create(workflow.id, {"name": "x"})
        assert cutter.made == 5
    assert [one.id for one in executions_of(client, workflow)] == [made.id]


def test_a_stream_over_bad_connections_tells_every_event_once(client: Traceway, side: Side) -> None:
    each = {"name": "each", "type": "map", "config": {"over": "[1, 2, 3, 4, 5, 6, 7, 8]", "step": {"action": "noop"}}}
    workflow = published(client, "cut streams", each, HOLD)
    begun = client.executions.create(workflow.id)
    with cutting(side.url) as cutter, Traceway(cutter.address, side.key) as far:
        cutter.cuts = [700, 1500, 10, 3000, 0, 4000]
        events = far.executions.stream(begun.id)
        seen = [next(events).sequence for _ in range(5)]
        client.executions.signal(begun.id, "go")
        seen += [event.sequence for event in events]
        assert cutter.cuts == []
    assert seen == [event.sequence for event in client.executions.events(begun.id)]


def test_a_server_that_is_killed_under_requests_makes_each_execution_once(
    client: Traceway, side: Side, stack: Stack
) -> None:
    workflow = published(client, "under fire", GREET)
    with Traceway(side.url, side.key, retry=Retry(seconds=120)) as far, ThreadPoolExecutor(6) as pool:
        made = [pool.submit(far.executions.create, workflow.id, {"name": str(number)}) for number in range(120)]
        for _ in range(3):
            for process in running(stack, "gunicorn").values():
                process.kill()
            wait([one for one in made if not one.done()][:1], 120)
        ids = {one.result(120).id for one in made}
    assert len(ids) == 120
    assert ids == {one.id for one in executions_of(client, workflow)}


def test_the_asynchronous_client_does_the_same(client: Traceway, side: Side) -> None:
    workflow = published(client, "awaited", GREET)

    async def run(name: str, far: AsyncTraceway) -> Any:
        begun = await far.executions.create(workflow.id, {"name": name})
        heard = [event.event_type async for event in begun.stream()]
        assert heard[-1] == "execution.succeeded"
        return (await begun.wait(timeout=30)).response_payload

    async def all_of_them() -> list[Any]:
        async with AsyncTraceway(side.url, side.key) as far:
            results = await asyncio.gather(*(run(str(number), far) for number in range(10)))
            assert len([one async for one in far.executions.list(workflow_id=workflow.id)]) == 10
            return results

    assert asyncio.run(all_of_them()) == [{"greet": f"Hello, {number}!"} for number in range(10)]


def test_the_tenants_stream_tells_of_all_its_executions(client: Traceway) -> None:
    workflow = published(client, "heard of", HOLD)
    with ThreadPoolExecutor(1) as pool:
        events = client.executions.stream_all()
        first = pool.submit(next, events)
        while not first.done():
            client.executions.create(workflow.id)
        heard = first.result(30)
    assert heard.execution_id in {one.id for one in executions_of(client, workflow)}


def test_what_costs_something_is_paid_for_and_then_runs(client: Traceway) -> None:
    workflow = published(client, "priced", GREET, price={"amount": 4950, "currency": "EUR"})
    begun = client.executions.create(workflow.id, {"name": "x"})
    assert (begun.status, begun.run_id) == ("awaiting_payment", None)
    assert begun.checkout_url
    assert begun.order_id
    order = client.payments.get(begun.order_id)
    assert (order.amount, order.currency, order.execution_id) == (4950, "EUR", begun.id)
    client.payments.confirm(begun.order_id, "bank-1")
    assert begun.wait(timeout=30).payment_status == "paid"
    assert client.payments.refund(begun.order_id, "not wanted any more", amount=50).order_id == begun.order_id
    assert client.executions.stats(granularity="daily")
