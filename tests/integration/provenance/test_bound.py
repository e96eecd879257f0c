"""The lineage is derived after the fact: it has to say what the engine really read, of every kind of step."""

from __future__ import annotations

import random
from typing import Any

import pytest

from executions import commands
from executions.models import Execution
from tests.integration.engine.tasks import agent_step, claimed, completed
from tests.integration.engine.world import (
    World,
    child,
    ended,
    failing,
    published,
    submitted,
    transform,
    wait,
)
from tests.integration.http_client import Caller
from tests.integration.provenance.bound import Bound, assert_agrees, digest, rows_of

NUMBER = {"type": "object", "properties": {"x": {"type": "number"}}}


def step(name: str, type_: str, *depends_on: str, **config: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, "config": config, "depends_on": list(depends_on)}


def call(name: str, *depends_on: str, **arguments: Any) -> dict[str, Any]:
    return step(name, "tool_call", *depends_on, tool="noop", arguments=arguments)


def run(alice: Caller, world: World, steps: list[dict[str, Any]], given: Any = None, **members: Any) -> Execution:
    asked = {name: members.pop(name) for name in ("parameters",) if name in members}
    assert alice.tenant is not None
    execution = submitted(alice.tenant, published(alice.tenant, steps, **members), given, **asked)
    world.drain()
    execution.refresh_from_db()
    return execution


def sources(execution: Execution, step: str, field: str) -> list[tuple[Any, ...]]:
    found = [row for row in rows_of(execution, step) if row["field"] == field]
    return [(row["kind"], row["name"], row["attempt"], row["pointer"]) for row in found]


def test_fields_of_inputs_come_from_the_input_and_from_the_outputs_of_steps(
    alice: Caller, world: World, bound: Bound
) -> None:
    execution = run(
        alice,
        world,
        [
            transform("first", {"a": "${{ input.x }}", "b": ["${{ input.x + 1 }}", "to ${{ input.name }}"]}),
            call(
                "second", "first", deep={"v": "${{ steps.first.output.b[0] }}"}, text="${{ input.name }} ${{ input.x }}"
            ),
        ],
        {"x": 1, "name": "bob"},
        output={"r": "${{ steps.second.output.deep.v }}", "of": ["${{ execution.id }}"]},
    )
    assert sources(execution, "first", "/input.x") == [("input", None, None, "/x")]
    assert sources(execution, "second", "/arguments/deep/v") == [("step", "first", 1, "/b/0")]
    assert sources(execution, "second", "/arguments/text") == [
        ("input", None, None, "/name"),
        ("input", None, None, "/x"),
    ]
    assert sources(execution, "", "/output/r") == [("step", "second", 1, "/deep/v")]
    assert sources(execution, "", "/output/of/0") == [("execution", None, None, "/id")]
    assert_agrees(bound, execution)


def test_what_a_schema_calls_a_number_has_the_digest_of_what_was_sent(
    alice: Caller, world: World, bound: Bound
) -> None:
    execution = run(alice, world, [transform("only", "${{ input.x }}")], {"x": 5}, input_schema=NUMBER)
    (row,) = rows_of(execution, "only")
    assert row["digest"] == digest(5)
    assert row["value"] == digest(5.0)
    assert_agrees(bound, execution)


def test_of_a_step_that_has_no_output_nothing_was_read(alice: Caller, world: World, bound: Bound) -> None:
    execution = run(
        alice,
        world,
        [
            failing("fails", on_failure="continue"),
            {**call("skipped"), "when": "false"},
            transform("after", {"o": "${{ steps.fails.output }}", "s": "${{ steps.fails.status }}"}, "fails"),
            {**transform("any", "${{ steps.skipped.output }}", "skipped", "fails")},
        ],
    )
    assert sources(execution, "after", "/steps.fails.output") == [("step", "fails", None, "")]
    assert sources(execution, "after", "/steps.fails.status") == [("step", "fails", 1, None)]
    assert sources(execution, "any", "/steps.skipped.output") == [("step", "skipped", None, "")]
    assert sources(execution, "", "/output/any") == [("step", "any", 1, "")]
    assert_agrees(bound, execution)


def test_the_newest_output_counts_after_retries_and_losses(alice: Caller, world: World, bound: Bound) -> None:
    flaky = {**failing("flaky", times=2), "retry": {"max_attempts": 5, "initial_seconds": 1, "jitter": False}}
    execution = run(alice, world, [flaky, transform("reads", "${{ steps.flaky.output }}", "flaky")])
    world.drain_after(2)
    world.drain_after(5)
    assert ended(execution)[0] == "workflow_succeeded"
    assert sources(execution, "reads", "/steps.flaky.output") == [("step", "flaky", 3, "")]
    assert_agrees(bound, execution)


def test_the_handler_and_the_compensation_read_too(alice: Caller, world: World, bound: Bound) -> None:
    execution = run(
        alice,
        world,
        [
            {
                **call("booked", seat="${{ input.seat }}"),
                "compensate": {"action": "noop", "parameters": {"free": "${{ steps.booked.output.seat }}"}},
            },
            {**failing("breaks", "booked"), "on_failure": "handler"},
            transform("handler", {"was": "${{ steps.breaks.status }}", "seat": "${{ steps.booked.output.seat }}"}),
            failing("ends", "handler"),
        ],
        {"seat": "4a"},
    )
    # Handlers depend on nothing; the last step fails for good, so that what was booked is undone.
    assert ended(execution)[0] == "workflow_failed"
    assert sources(execution, "compensate[booked]", "/arguments/free") == [("step", "booked", 1, "/seat")]
    assert sources(execution, "handler", "/steps.booked.output.seat") == [("step", "booked", 1, "/seat")]
    assert_agrees(bound, execution)


def test_an_item_comes_from_what_its_map_goes_over(alice: Caller, world: World, bound: Bound) -> None:
    each = {"type": "tool_call", "config": {"tool": "noop", "arguments": {"k": "${{ item.k }}", "n": "${{ index }}"}}}
    execution = run(
        alice,
        world,
        [
            step("each", "map", over="input.list", step=each),
            transform("sum", "${{ steps.each.output.items.map(i, i.n) }}", "each"),
        ],
        {"list": [{"k": "a"}, {"k": "b"}]},
    )
    assert sources(execution, "each", "/over") == [("input", None, None, "/list")]
    assert sources(execution, "each[1]", "/arguments/k") == [("item", "each", 1, "/over/1/k")]
    assert sources(execution, "each[1]", "/arguments/n") == [("item", "each", 1, None)]
    assert_agrees(bound, execution)


def test_a_round_reads_its_own_steps_and_those_of_the_round_before(alice: Caller, world: World, bound: Bound) -> None:
    body = [
        transform("inc", {"n": "${{ item == null ? 1 : item.check.n + 1 }}", "before": "${{ item }}"}),
        call("check", "inc", n="${{ steps.inc.output.n }}", up="${{ steps.up.output }}"),
    ]
    execution = run(
        alice,
        world,
        [
            transform("up", {"a": 1}),
            step("again", "loop", "up", body=body, until="steps.check.output.n >= 3", max_iterations=5),
            transform("last", "${{ steps.again.output.check.n }}", "again"),
        ],
    )
    assert sources(execution, "again[2].check", "/arguments/n") == [("step", "again[2].inc", 1, "/n")]
    assert sources(execution, "again[2].inc", "/item.check.n") == [("step", "again[1].check", 1, "/n")]
    assert sources(execution, "again[0].inc", "/item") == [("item", "again", 1, None)]
    assert len(sources(execution, "again[1].inc", "/item")) == 2
    assert_agrees(bound, execution)


def test_a_childs_input_comes_from_its_parent(alice: Caller, world: World, bound: Bound) -> None:
    assert alice.tenant is not None
    inner = published(
        alice.tenant, [transform("double", "${{ input.n * 2 }}")], output={"v": "${{ steps.double.output }}"}
    )
    steps = [child("sub", inner, given={"n": "${{ input.n }}"}), transform("got", "${{ steps.sub.output.v }}", "sub")]
    execution = run(alice, world, steps, {"n": 4})
    made = execution.children.get().execution_id
    (row,) = (row for row in rows_of(made, "") if row["field"] == "/input")
    assert (row["kind"], row["name"], row["pointer"], row["digest"]) == (
        "execution",
        str(execution.id),
        "/input",
        digest({"n": 4}),
    )
    assert sources(execution, "got", "/steps.sub.output.v") == [("step", "sub", 1, "/v")]
    assert_agrees(bound, execution, made)


def test_a_parameter_that_patches_a_config_is_the_source_of_that_field(
    alice: Caller, world: World, bound: Bound
) -> None:
    parameters = {"called": {"arguments": {"b": 7, "deep": {"c": None, "d": [1]}}}, "rate": 3}
    execution = run(
        alice,
        world,
        [call("called", a="${{ parameters.rate }}", b="${{ input.b }}", deep={"c": 1})],
        {"b": 1},
        parameters=parameters,
    )
    assert sources(execution, "called", "/arguments/a") == [("parameter", None, None, "/rate")]
    assert sources(execution, "called", "/arguments/b") == [("parameter", None, None, "/called/arguments/b")]
    assert sources(execution, "called", "/arguments/deep/d") == [("parameter", None, None, "/called/arguments/deep/d")]
    assert_agrees(bound, execution)


def test_a_redrive_reads_what_it_kept_and_the_parameters_of_its_own_run(
    alice: Caller, world: World, bound: Bound
) -> None:
    steps = [
        transform("kept", "${{ input.x }}"),
        {"name": "breaks", "action": "fail", "parameters": {"message": "${{ steps.kept.output }}", "times": 1}},
        transform("last", "${{ steps.breaks.output.attempts }}", "breaks"),
    ]
    steps[1]["depends_on"] = ["kept"]
    execution = run(alice, world, steps, {"x": "m"})
    assert ended(execution)[0] == "workflow_failed"
    commands.redrive(execution.id, "breaks", {"arguments": {"message": "patched"}}, "operator:eve")
    world.drain()
    assert ended(execution)[0] == "workflow_succeeded"
    first, second = (row for row in rows_of(execution, "breaks") if row["field"] == "/arguments/message")
    assert (first["number"], first["kind"], first["name"], first["attempt"]) == (1, "step", "kept", 1)
    assert (second["number"], second["kind"], second["pointer"]) == (2, "parameter", "/breaks/arguments/message")
    assert sources(execution, "last", "/steps.breaks.output.attempts") == [("step", "breaks", 2, "/attempts")]
    assert_agrees(bound, execution)


def test_from_a_step_that_is_run_again_its_new_output_is_read(alice: Caller, world: World, bound: Bound) -> None:
    steps = [call("first", x="${{ input.x }}"), transform("second", "${{ steps.first.output.x }}", "first")]
    execution = run(alice, world, [*steps, failing("third", "second")], {"x": 1})
    commands.redrive(execution.id, "first", None, "operator:eve")
    world.drain()
    read = [row["attempt"] for row in rows_of(execution, "second")]
    assert read == [1, 2]
    assert_agrees(bound, execution)


def test_waits_and_tasks_of_agents_have_their_sources(alice: Caller, world: World, bound: Bound) -> None:
    task = agent_step("asked")
    task["config"] = {"task": "see to ${{ input.who }}", "arguments": {"n": "${{ input.n }}"}}
    steps = [
        wait("pause", seconds="${{ input.n }}"),
        {**task, "depends_on": ["pause"]},
        transform("got", {"a": "${{ steps.asked.output.ok }}", "by": "${{ steps.pause.output.by }}"}, "asked", "pause"),
    ]
    execution = run(alice, world, steps, {"n": 1, "who": "bob"})
    world.drain_after(3)
    assert alice.tenant is not None
    (one,) = claimed(alice.tenant)
    completed(alice.tenant, one, {"ok": True})
    world.drain()
    assert ended(execution)[0] == "workflow_succeeded"
    assert sources(execution, "pause", "/fires_at") == [("input", None, None, "/n")]
    assert sources(execution, "asked", "/task") == [("input", None, None, "/who")]
    assert sources(execution, "got", "/steps.asked.output.ok") == [("step", "asked", 1, "/ok")]
    assert_agrees(bound, execution)


def test_a_secret_is_a_source_without_a_digest(alice: Caller, world: World, bound: Bound) -> None:
    alice.put("/v1/secrets/TOKEN", {"value": "canary-7"})
    config = {
        "method": "GET",
        "url": "http://127.0.0.1:9/${{ input.x }}",
        "headers": {"X-Auth": "Bearer ${{ secrets.TOKEN }}"},
    }
    execution = run(alice, world, [{"name": "out", "type": "http", "config": config}], {"x": 1})
    (row,) = (row for row in rows_of(execution, "out") if row["kind"] == "secret")
    assert (row["field"], row["name"], row["digest"], row["value"]) == (
        "/headers/X-Auth",
        "TOKEN",
        None,
        digest("Bearer ***"),
    )
    assert_agrees(bound, execution)


def test_a_decision_names_what_the_rules_that_were_tried_have_read(alice: Caller, world: World, bound: Bound) -> None:
    rules = [
        {"when": "input.x > 5", "outcome": "high"},
        {"when": "input.y > 5", "outcome": "${{ input.name }}"},
        {"when": "input.z > 5", "outcome": "z"},
    ]
    execution = run(
        alice,
        world,
        [step("decide", "decision", rules=rules, default={"outcome": "none"})],
        {"x": 1, "y": 9, "z": 9, "name": "n"},
    )
    assert [row["pointer"] for row in rows_of(execution, "decide")] == ["/name", "/x", "/y"]
    assert_agrees(bound, execution)


def test_an_output_that_an_operator_gave_is_read_as_that_attempts(alice: Caller, world: World, bound: Bound) -> None:
    execution = run(alice, world, [wait("held", signal="go"), transform("after", "${{ steps.held.output.v }}", "held")])
    commands.complete(execution.id, "held", {"v": 3}, "it is known", "operator:eve")
    world.drain()
    assert sources(execution, "after", "/steps.held.output.v") == [("step", "held", 2, "/v")]
    assert_agrees(bound, execution)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_a_workflow_looks_like_the_lineage_says_what_was_bound(
    alice: Caller, world: World, bound: Bound, seed: int
) -> None:
    chance = random.Random(seed)
    steps: list[dict[str, Any]] = []
    for number in range(14):
        above = chance.sample(steps, min(len(steps), chance.randint(0, 3)))
        names = [one["name"] for one in above]
        read = [f"${{{{ steps.s{name[1:]}.{chance.choice(['output', 'status'])} }}}}" for name in names]
        value = {"r": read, "x": "${{ input.x }}", "t": f"n {read[0] if read else 1}"}
        pure = chance.random() < 0.5
        one = transform(f"s{number}", value, *names) if pure else call(f"s{number}", *names, v=value)
        if chance.random() < 0.2:
            one["when"] = chance.choice(["false", "input.x > 5", "true"])
        if chance.random() < 0.15:
            one = {**failing(f"s{number}", *names), "on_failure": "continue"}
        if names and chance.random() < 0.2:
            one["join"] = "any"
        steps.append(one)
    execution = run(alice, world, steps, {"x": 3})
    assert ended(execution)[0] == "workflow_succeeded"
    assert_agrees(bound, execution)
