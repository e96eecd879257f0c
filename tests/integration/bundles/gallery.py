"""Executions of every shape there is, as they are left by what can happen to one: what must stand on record as it did.

Each takes a tenant and an engine, and gives an execution; some are over, some are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.utils import timezone

from executions import commands
from executions.creation import Orchestrated
from executions.models import Application, Execution, Payment
from executions.payloads.dropping import REQUEST, drop_payloads
from executions.receipts.sealing import seal
from executions.retry import Failure
from orchestrator.outcomes import Failed, Succeeded
from tenants.models import Tenant
from tests.integration.engine.tasks import agent_step, claimed, completed, failed
from tests.integration.engine.world import (
    World,
    child,
    failing,
    lost,
    noop,
    published,
    submitted,
    transform,
    wait,
)
from workflows import catalog
from workflows.effects import Effect
from workflows.models import Template
from workflows.tools import ToolContext, registry

OPERATOR = "operator:ada"
PRICE = {"amount": 1250, "currency": "EUR"}
LARGE = "x" * (300 * 1024)
NOW = {"retry": {"max_attempts": 3, "initial_seconds": 0.001, "jitter": False}}

Shape = Callable[[Tenant, World], Execution]


def started(alice: Tenant, world: World, *steps: dict[str, Any], **given: Any) -> Execution:
    execution = submitted(alice, published(alice, list(steps)), given)
    world.drain()
    return execution


def queued(alice: Tenant, world: World) -> Execution:
    return submitted(alice, published(alice, [noop("a"), noop("b", "a")]), {"n": 1})


def plain(alice: Tenant, world: World) -> Execution:
    steps = [noop("a"), transform("b", {"got": "${{ input.n + 1 }}"}, "a"), noop("c", "a"), noop("d", "b", "c")]
    return started(alice, world, *steps, n=1.5)


def with_parameters(alice: Tenant, world: World) -> Execution:
    workflow = published(alice, [noop("a"), transform("b", "${{ parameters.free }}", "a")])
    execution = submitted(alice, workflow, parameters={"a": {"arguments": {"name": "patched"}}, "free": [1, 2]})
    world.drain()
    return execution


def left_out(alice: Tenant, world: World) -> Execution:
    """Steps that are skipped, joined early, handled."""
    steps = [
        noop("a"), noop("never", "a", when="false"), noop("after", "never"),
        failing("bad", "a", on_failure="mend"), {"name": "mend", "type": "transform", "config": {"output": 1}},
        wait("slow", "a", signal="x"), noop("any", "a", "slow", join=1),
    ]  # fmt: skip
    return started(alice, world, *steps)


def retried(alice: Tenant, world: World) -> Execution:
    execution = started(alice, world, failing("a", times=2, **NOW), noop("b", "a"))
    world.drain_after(5)
    world.drain_after(5)
    return execution


def retrying(alice: Tenant, world: World) -> Execution:
    return started(alice, world, failing("a", retry={"max_attempts": 3, "initial_seconds": 900}))


def given_up(alice: Tenant, world: World) -> Execution:
    return started(alice, world, noop("a"), failing("b", "a"), noop("c", "b"))


def timed_wait(alice: Tenant, world: World) -> Execution:
    return started(alice, world, wait("held", seconds=900), noop("after", "held"))


def waited(alice: Tenant, world: World) -> Execution:
    execution = started(alice, world, wait("held", seconds=1), noop("after", "held"))
    world.drain_after(5)
    return execution


def signalled(alice: Tenant, world: World) -> Execution:
    execution = started(alice, world, wait("held", signal="go"), noop("after", "held"))
    commands.signal(execution.id, "go", {"n": 1}, "key:k")
    world.drain()
    return execution


def signalled_early(alice: Tenant, world: World) -> Execution:
    execution = submitted(alice, published(alice, [wait("first", seconds=1), wait("held", "first", signal="go")]))
    world.drain()
    commands.signal(execution.id, "go", None, "key:k")
    world.drain()
    world.drain_after(5)
    return execution


def approved(alice: Tenant, world: World) -> Execution:
    execution = started(alice, world, wait("held", approval={"message": "?"}), noop("after", "held"))
    commands.decide(execution.id, "held", approved=True, comment="yes", actor="key:k", called=None)
    world.drain()
    return execution


def rejected(alice: Tenant, world: World) -> Execution:
    execution = started(alice, world, wait("held", approval={}), noop("after", "held"))
    commands.decide(execution.id, "held", approved=False, comment=None, actor="key:k", called=None)
    world.drain()
    return execution


def mapped(alice: Tenant, world: World) -> Execution:
    step = {"action": "noop", "parameters": {"item": "${{ item }}"}}
    config = {"over": "input.items", "step": step, "max_parallel": 2}
    each = {"name": "each", "type": "map", "config": config}
    return started(alice, world, each, noop("after", "each"), items=[1, "b", None])


def mapping(alice: Tenant, world: World) -> Execution:
    """A map at work: some items have begun, others wait to be opened."""
    config = {"over": "[1, 2, 3, 4]", "step": {"type": "wait", "config": {"signal": "go"}}, "max_parallel": 2}
    execution = started(alice, world, {"name": "each", "type": "map", "config": config})
    commands.signal(execution.id, "go", 1, "key:k")
    world.drain()
    return execution


def map_failed_and_redriven(alice: Tenant, world: World) -> Execution:
    step = {"type": "wait", "config": {"signal": "go", "timeout_seconds": 1}}
    config = {"over": "[1, 2, 3]", "step": step, "max_parallel": 1, "tolerate": 0}
    execution = started(alice, world, {"name": "each", "type": "map", "config": config})
    commands.signal(execution.id, "go", 1, "key:k")
    world.drain()
    world.drain_after(5)
    commands.redrive(execution.id, None, None, OPERATOR)
    world.drain()
    for _ in range(3):
        commands.signal(execution.id, "go", 2, "key:k")
    world.drain()
    return execution


def map_tried_again(alice: Tenant, world: World) -> Execution:
    """The second try of a map has fewer items in hand than the first left rows."""
    config = {"over": "[1, 2, 3]", "step": {"action": "fail", "parameters": {"times": 1}}, "max_parallel": 1}
    step = {"name": "each", "type": "map", "config": config, "retry": {"max_attempts": 3, "initial_seconds": 0.001}}
    execution = started(alice, world, step)
    for _ in range(3):
        world.drain_after(5)
    return execution


def looped(alice: Tenant, world: World) -> Execution:
    config = {"until": "index == 2", "max_iterations": 5, "body": [noop("first"), noop("second", "first")]}
    return started(alice, world, {"name": "again", "type": "loop", "config": config}, noop("after", "again"))


def looping(alice: Tenant, world: World) -> Execution:
    config = {"until": "index == 3", "max_iterations": 5, "body": [wait("held", signal="go"), noop("second", "held")]}
    execution = started(alice, world, {"name": "again", "type": "loop", "config": config})
    commands.signal(execution.id, "go", 1, "key:k")
    world.drain()
    return execution


def loop_failed_and_redriven(alice: Tenant, world: World) -> Execution:
    body = [wait("held", signal="go", timeout_seconds=1), noop("second", "held")]
    config = {"until": "index == 1", "max_iterations": 5, "body": body}
    execution = started(alice, world, {"name": "again", "type": "loop", "config": config})
    commands.signal(execution.id, "go", 1, "key:k")
    world.drain()
    world.drain_after(5)
    commands.redrive(execution.id, None, None, OPERATOR)
    world.drain()
    commands.signal(execution.id, "go", 2, "key:k")
    world.drain()
    return execution


def with_a_child(alice: Tenant, world: World) -> Execution:
    inner = published(alice, [transform("in", "${{ input.n }}")])
    execution = started(alice, world, child("sub", inner, given={"n": 1}), noop("after", "sub"))
    world.drain()
    return execution


def a_child(alice: Tenant, world: World) -> Execution:
    return Execution.objects.get(submission__parent=with_a_child(alice, world))


def waiting_for_a_child(alice: Tenant, world: World) -> Execution:
    return started(alice, world, child("sub", published(alice, [wait("held", signal="go")])))


def skipped(alice: Tenant, world: World) -> Execution:
    execution = started(alice, world, wait("held", signal="go"), noop("after", "held"))
    commands.skip(execution.id, "held", "not needed", OPERATOR)
    world.drain()
    return execution


def completed_by_hand(alice: Tenant, world: World) -> Execution:
    steps = [wait("held", signal="go"), noop("after", "held"), wait("late", "after", signal="x")]
    execution = started(alice, world, *steps)
    commands.complete(execution.id, "held", {"by": "hand"}, "known", OPERATOR)
    commands.complete(execution.id, "late", [1], "known too", OPERATOR)
    world.drain()
    return execution


def cancelled(alice: Tenant, world: World) -> Execution:
    execution = started(alice, world, noop("a"), wait("held", "a", signal="go"), noop("after", "held"))
    commands.cancel(execution.id, "not wanted", "key:k")
    world.drain()
    return execution


def cancelled_in_the_queue(alice: Tenant, world: World) -> Execution:
    execution = queued(alice, world)
    commands.cancel(execution.id, None, "key:k")
    world.drain()
    return execution


def cancelled_unpaid(alice: Tenant, world: World) -> Execution:
    execution = submitted(alice, published(alice, [noop("a")], price=PRICE))
    commands.cancel(execution.id, None, "key:k")
    return execution


def redriven(alice: Tenant, world: World) -> Execution:
    steps = [noop("a"), failing("b", "a", times=1), noop("c", "b")]
    execution = started(alice, world, *steps)
    commands.redrive(execution.id, None, None, OPERATOR)
    world.drain()
    return execution


def redriven_twice(alice: Tenant, world: World) -> Execution:
    """From a step on, with another config; cancelled before anything begins, and once more."""
    execution = started(alice, world, noop("a"), noop("b", "a"), failing("c", "b"))
    commands.redrive(execution.id, "a", {"arguments": {"name": "other"}}, OPERATOR)
    commands.cancel(execution.id, "wait", "key:k")
    world.drain()
    commands.redrive(execution.id, None, None, OPERATOR)
    world.drain()
    return execution


def paused(alice: Tenant, world: World) -> Execution:
    execution = started(alice, world, wait("held", signal="go"), noop("after", "held"))
    commands.pause(execution.id, OPERATOR)
    commands.signal(execution.id, "go", 1, "key:k")
    world.drain()
    return execution


def resumed(alice: Tenant, world: World) -> Execution:
    execution = paused(alice, world)
    commands.resume(execution.id, OPERATOR)
    world.drain()
    return execution


def compensated(alice: Tenant, world: World) -> Execution:
    undo = {"compensate": {"action": "noop", "parameters": {"undo": 1}}}
    return started(alice, world, noop("a", **undo), noop("b", "a", **undo), failing("c", "b"))


def compensated_and_redriven(alice: Tenant, world: World) -> Execution:
    execution = compensated(alice, world)
    commands.redrive(execution.id, None, None, OPERATOR)
    world.drain()
    return execution


def deadline_passed(alice: Tenant, world: World) -> Execution:
    execution = submitted(alice, published(alice, [wait("held", signal="go")]), timeout_seconds=2.5)
    world.drain()
    world.drain_after(5)
    return execution


def lost_and_found(alice: Tenant, world: World) -> Execution:
    """A worker was lost; another carried the step out."""

    def dies(_: Any) -> Succeeded:
        raise KeyboardInterrupt

    execution = submitted(alice, published(alice, [noop("a"), noop("b", "a")]))
    with World(carry_out=dies) as dead:
        try:
            dead.drain()
        except KeyboardInterrupt:
            lost(execution)
    world.drain()
    world.drain_after(5)
    return execution


@contextmanager
def once_tool() -> Iterator[None]:
    @registry.tool("gallery_once", effect=Effect.AT_MOST_ONCE)
    def gallery_once(arguments: dict[str, Any], context: ToolContext) -> Any:
        return arguments

    try:
        yield
    finally:
        del registry._tools["gallery_once"]


def unknown(alice: Tenant, world: World) -> Execution:
    """Nobody knows what became of an effect that must not be repeated."""

    def silent(_: Any) -> Failed:
        return Failed(Failure("timeout", "nobody answered", ambiguous=True))

    step = {"name": "a", "type": "tool_call", "config": {"tool": "gallery_once", "arguments": {}}}
    execution = submitted(alice, published(alice, [step, noop("b", "a")]))
    with World(carry_out=silent) as other:
        other.drain()
    return execution


def resolved(alice: Tenant, world: World) -> Execution:
    execution = unknown(alice, world)
    commands.resolve(execution.id, "a", "succeeded", {"n": 1}, reason="asked there", actor=OPERATOR)
    world.drain()
    return execution


def resolved_as_failed(alice: Tenant, world: World) -> Execution:
    execution = unknown(alice, world)
    commands.resolve(execution.id, "a", "failed", None, reason="asked there", actor=OPERATOR)
    world.drain()
    return execution


def of_an_agent(alice: Tenant, world: World) -> Execution:
    execution = started(alice, world, agent_step("a"), noop("b", "a"))
    [task] = [one for one in claimed(alice, 100) if one.execution_id == execution.id]
    completed(alice, task, {"n": 1})
    world.drain()
    return execution


def failed_by_an_agent(alice: Tenant, world: World) -> Execution:
    execution = started(alice, world, agent_step("a", retry={"max_attempts": 2, "initial_seconds": 900}))
    [task] = [one for one in claimed(alice, 100) if one.execution_id == execution.id]
    failed(alice, task)
    world.drain()
    return execution


def unpaid(alice: Tenant, world: World) -> Execution:
    return submitted(alice, published(alice, [noop("a")], price=PRICE))


def paid(alice: Tenant, world: World) -> Execution:
    execution = unpaid(alice, world)
    commands.confirm_payment(Payment.objects.get(execution=execution), "bank-1", "key:k")
    world.drain()
    return execution


def refunded(alice: Tenant, world: World) -> Execution:
    execution = paid(alice, world)
    commands.refund_payment(Payment.objects.get(execution=execution), 250, "too slow", "key:k")
    return execution


def declined(alice: Tenant, world: World) -> Execution:
    execution = unpaid(alice, world)
    commands.decline_payment(Payment.objects.get(execution=execution))
    return execution


def orchestrated(alice: Tenant, world: World, *steps: dict[str, Any], outcome: str = "output.b.verdict") -> Execution:
    workflow = published(alice, list(steps) or [transform("b", {"verdict": "refer"})])
    row = catalog.workflow_of(alice, workflow)
    template = Template.objects.create(tenant=alice, name="t", workflow=row, input="{}", outcome=outcome)
    application = Application.objects.create(
        tenant=alice, external_ref="ref-1", data='{"name":"Ada"}', created_at=timezone.now()
    )
    execution = submitted(alice, workflow, orchestrated=Orchestrated(template, application))
    world.drain()
    return execution


def without_outcome(alice: Tenant, world: World) -> Execution:
    return orchestrated(alice, world, outcome="output.missing")


def continued(alice: Tenant, world: World) -> Execution:
    execution = orchestrated(alice, world)
    commands.continue_pass(execution.id, "seen by hand", OPERATOR)
    return execution


def continued_while_it_waits(alice: Tenant, world: World) -> Execution:
    execution = orchestrated(alice, world, wait("held", approval={}), noop("after", "held"))
    commands.continue_pass(execution.id, None, OPERATOR)
    world.drain()
    return execution


def large(alice: Tenant, world: World) -> Execution:
    """Payloads that stand in the store."""
    step = {"action": "noop", "parameters": {"item": "${{ item }}"}}
    each = {"name": "each", "type": "map", "config": {"over": "[input.text]", "step": step}}
    steps = [transform("same", "${{ input.text }}"), each, noop("after", "same")]
    return started(alice, world, *steps, text=LARGE)


def dropped(alice: Tenant, world: World) -> Execution:
    """Payloads of which nothing is left but their digests."""
    execution = large(alice, world)
    seal([execution.id])
    drop_payloads(execution.id, REQUEST, OPERATOR)
    return execution


def in_line(alice: Tenant, world: World) -> Execution:
    """It may not run while another with its key does."""
    concurrency = {"key": "input.key", "limit": 1}
    workflow = published(alice, [wait("held", signal="go")], concurrency=concurrency)
    submitted(alice, workflow, {"key": "k"})
    world.drain()
    execution = submitted(alice, workflow, {"key": "k"})
    world.drain()
    return execution


SHAPES: Mapping[str, Shape] = {
    shape.__name__: shape
    for shape in (
        queued, plain, with_parameters, left_out, retried, retrying, given_up, timed_wait, waited, signalled,
        signalled_early, approved, rejected, mapped, mapping, map_failed_and_redriven, map_tried_again, looped,
        looping, loop_failed_and_redriven, with_a_child, a_child, waiting_for_a_child, skipped, completed_by_hand,
        cancelled, cancelled_in_the_queue, cancelled_unpaid, redriven, redriven_twice, paused, resumed, compensated,
        compensated_and_redriven, deadline_passed, lost_and_found, unknown, resolved, resolved_as_failed, of_an_agent,
        failed_by_an_agent, unpaid, paid, refunded, declined, orchestrated, without_outcome, continued,
        continued_while_it_waits, large, dropped, in_line,
    )
}  # fmt: skip
