"""Effectful steps from their definition to what stands on record of them, on the real database and real servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO
from uuid import uuid4

import pytest
from standardwebhooks import Webhook

from executions.models import Attempt, Execution
from tenants.models import Tenant
from tests.integration.engine.world import World, noop, published, submitted, transform
from tests.unit.orchestrator.raw_server import Seen, answering, reply, serving
from workflows.tools import registry

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
AT_ONCE = {"max_attempts": 2, "initial_seconds": 0.001, "jitter": False}


def call(url: str, **members: Any) -> dict[str, Any]:
    config = {"method": "GET", "url": url, **members.pop("config", {})}
    return {"name": "call", "type": "http", "config": config, **members}


def own_tool(function: Any) -> str:
    """The name of a tool that is this function."""
    name = f"own-{uuid4()}"
    registry.tool(name)(lambda _arguments, _context: function())
    return name


@pytest.fixture(autouse=True)
def _tools() -> Iterator[None]:
    """Tools of one test's own are gone after it."""
    before = dict(registry._tools)
    yield
    registry._tools.clear()
    registry._tools.update(before)


def errors() -> list[dict[str, Any]]:
    return [json.loads(error) for error in Attempt.objects.order_by("number").values_list("error", flat=True) if error]


def run(world: World, alice: Tenant, *steps: dict[str, Any], **members: Any) -> Execution:
    execution = submitted(alice, published(alice, list(steps)), **members)
    world.drain()
    execution.refresh_from_db()
    return execution


def test_an_answer_s_body_flows_into_the_next_step_and_credentials_are_not_recorded(
    alice: Tenant, world: World
) -> None:
    with serving(answering(reply(b'{"score": 7}', 200, "Content-Type: application/json"))) as server:
        step = call(server.address, config={"headers": {"Authorization": "Bearer hidden"}})
        after = transform("after", "${{ steps.call.output.body.score + 1 }}", "call")
        execution = run(world, alice, step, after)

    assert json.loads(execution.output or "") == {"after": 8}
    assert server.seen[0].headers["authorization"] == "Bearer hidden"
    assert server.seen[0].headers["idempotency-key"] == f"{execution.id}:call:1"
    recorded = Attempt.objects.get(step_index=0)
    assert json.loads(recorded.input or "")["headers"] == {"Authorization": "***"}
    assert "hidden" not in (recorded.output or "")


def test_a_server_that_fails_once_is_asked_again_under_the_same_key(alice: Tenant, world: World) -> None:
    answers = [reply(b"down\x00", 503, "Retry-After: 0"), reply(b"up")]

    def once(_seen: Seen, out: BinaryIO) -> bool:
        out.write(answers.pop(0))
        return True

    with serving(once) as server:
        execution = submitted(alice, published(alice, [call(f"{server.address}/p?key=hidden", retry=AT_ONCE)]))
        while Attempt.objects.filter(status="succeeded").count() == 0:
            world.drain()

    execution.refresh_from_db()
    assert execution.status == "workflow_succeeded"
    assert errors() == [
        {
            "kind": "http_status",
            "message": f"GET {server.address}/p answered 503",
            "details": {"status": 503, "body": "down\ufffd"},
        }
    ]
    assert len({seen.headers["idempotency-key"] for seen in server.seen}) == 1


def test_a_private_address_is_refused_on_record_and_never_tried_again(alice: Tenant, world: World) -> None:
    execution = run(world, alice, call("http://169.254.169.254/latest/meta-data", retry=AT_ONCE))

    assert execution.status == "workflow_failed"
    assert [error["kind"] for error in errors()] == ["egress_refused"]
    assert "169.254.169.254" in errors()[0]["message"]


def test_a_webhook_is_delivered_signed_and_its_delivery_id_is_the_output(alice: Tenant, world: World) -> None:
    with serving(answering(reply())) as server:
        step = {"name": "tell", "type": "webhook", "config": {"url": server.address, "event": "done",
                "payload": {"of": "${{ input.n }}"}, "secret": SECRET}}  # fmt: skip
        execution = run(world, alice, step, value={"n": 3})

    seen = server.seen[0]
    assert Webhook(SECRET).verify(seen.body, seen.headers)["data"] == {"of": 3}
    assert json.loads(execution.output or "")["tell"] == {"status": 200, "delivery_id": seen.headers["webhook-id"]}
    assert SECRET not in (Attempt.objects.get().input or "")


def raising(error: BaseException) -> Any:
    def function() -> Any:
        raise error

    return function


@pytest.mark.parametrize(
    ("function", "kind", "message"),
    [
        (raising(ValueError("a\x00\ud800b")), "exception", "ValueError: a\ufffd?b"),
        (raising(SystemExit(1)), "exception", "SystemExit: 1"),
        (raising(KeyboardInterrupt()), "exception", "KeyboardInterrupt: "),
        (object, "invalid_output", "the output is not JSON: a value of type object is not JSON"),
        (lambda: float("nan"), "invalid_output", "the output is not JSON: NaN and infinity are not JSON"),
        (lambda: ["\ud800"], "invalid_output", "the output is not JSON at /0: a lone surrogate"),
        (lambda: "\x00", "invalid_output", "the output is not JSON: a NUL character"),
        (lambda: 2**53, "invalid_output", "the output is not JSON: an integer beyond +-(2^53-1)"),
        (lambda: "x" * 2**20, "output_too_large", "the output has 1,048,578 bytes, more than the 1,048,576 allowed"),
    ],
)  # fmt: skip
def test_what_a_tool_does_wrong_stands_on_its_attempt_and_the_worker_goes_on(
    alice: Tenant, world: World, function: Any, kind: str, message: str
) -> None:
    step = {"name": "own", "type": "tool_call", "config": {"tool": own_tool(function)}, "on_failure": "continue"}
    execution = run(world, alice, step, noop("after", "own"))

    assert execution.status == "workflow_succeeded"
    assert errors() == [{"kind": kind, "message": message, "details": None}]
    assert Attempt.objects.get(step_index=0).status == "failed"
    assert Attempt.objects.get(step_index=1).status == "succeeded"


def test_a_step_that_outstays_its_time_fails_and_the_worker_goes_on(alice: Tenant, world: World) -> None:
    slow = {"name": "slow", "type": "tool_call", "config": {"tool": "sleep", "arguments": {"seconds": 60}},
            "timeout_seconds": 0.2, "on_failure": "continue"}  # fmt: skip
    execution = run(world, alice, slow, noop("after", "slow"))

    assert execution.status == "workflow_succeeded"
    assert errors() == [{"kind": "timeout", "message": "the step took longer than its 0.2 seconds", "details": None}]


def test_computed_arguments_that_a_tool_does_not_take_fail_the_step_for_good(alice: Tenant, world: World) -> None:
    step = {"name": "fib", "type": "tool_call", "config": {"tool": "fib", "arguments": {"n": "${{ input.n }}"}},
            "retry": AT_ONCE}  # fmt: skip
    execution = run(world, alice, step, value={"n": 41})

    assert execution.status == "workflow_failed"
    assert [error["kind"] for error in errors()] == ["invalid_arguments"]
    assert errors()[0]["details"][0]["field"] == "/arguments/n"


def test_tools_that_fail_are_tried_again_as_often_as_they_are_told(alice: Tenant, world: World) -> None:
    step = {"name": "flaky", "type": "tool_call", "config": {"tool": "fail", "arguments": {"times": 1}},
            "retry": AT_ONCE}  # fmt: skip
    execution = submitted(alice, published(alice, [step]))
    while Attempt.objects.filter(status="succeeded").count() == 0:
        world.drain()

    execution.refresh_from_db()
    assert json.loads(execution.output or "") == {"flaky": {"attempts": 2}}
