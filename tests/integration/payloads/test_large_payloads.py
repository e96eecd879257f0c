"""Texts over the bound: their content stands in the store, and nobody who reads them can tell."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from executions.commands import redrive, signal
from executions.models import Attempt, Execution
from executions.payloads.reading import contents, text_of
from executions.payloads.references import digest_of
from tenants.models import Tenant
from tests.integration.engine.world import (
    World,
    child,
    ended,
    failing,
    noop,
    published,
    submitted,
    told,
    transform,
    wait,
)
from tests.integration.payloads.stored import LARGE, large, objects, refers

INPUT = "${{ input.text }}"
SUCCEEDED = ("workflow_succeeded", None)


def run(alice: Tenant, world: World, *steps: dict[str, Any], text: str | None = None, **members: Any) -> Execution:
    given = {"text": large() if text is None else text}
    execution = submitted(alice, published(alice, list(steps), **members), given)
    contents()._kept.clear()
    world.drain()
    return execution


def came_to(execution: Execution) -> Any:
    execution.refresh_from_db()
    assert execution.output is not None
    return json.loads(text_of(execution.output, execution.id))


def attempt(execution: Execution, step: str) -> Attempt:
    index = execution.steps.get(name=step).index
    return execution.attempts.filter(step_index=index).order_by("-number")[0]


def test_a_large_input_is_stored_and_read_by_the_steps_that_name_it(alice: Tenant, world: World) -> None:
    execution = run(alice, world, transform("size", "${{ size(input.text) }}"))

    assert refers(execution.submission.input)
    assert came_to(execution) == {"size": LARGE}
    assert objects(execution) == sorted({digest_of(execution.submission.input), *objects(execution)})


def test_an_event_commits_to_the_content_of_what_is_stored(alice: Tenant, world: World) -> None:
    execution = run(alice, world, transform("same", INPUT))

    output = attempt(execution, "same").output
    assert refers(output)
    digest = hashlib.sha256(json.dumps(large()).encode()).hexdigest()
    assert digest_of(output or "") == digest
    assert told(execution, "step.succeeded")[0][1]["output"] == digest
    given = hashlib.sha256(json.dumps({"text": large()}, separators=(",", ":")).encode()).hexdigest()
    assert told(execution, "execution.created")[0][1]["input"] == given


def test_a_large_output_of_a_pure_step_goes_on_to_the_next_ones(alice: Tenant, world: World) -> None:
    execution = run(
        alice,
        world,
        transform("same", INPUT),
        noop("pause", "same"),
        transform("size", "${{ size(steps.same.output) }}", "pause"),
    )

    assert came_to(execution) == {"size": LARGE}


def test_what_is_read_in_a_look_of_its_own_is_fetched_from_the_store(alice: Tenant, world: World) -> None:
    steps = [
        transform("same", INPUT),
        wait("go", "same", signal="go"),
        transform("size", "${{ size(steps.same.output) }}", "go"),
    ]
    execution = run(alice, world, *steps)
    signal(execution.id, "go", None, "key:k")
    contents()._kept.clear()
    world.drain()

    assert came_to(execution) == {"size": LARGE}


def test_a_large_input_and_output_of_an_effectful_step_are_stored(alice: Tenant, world: World) -> None:
    step = {"name": "echo", "type": "tool_call", "config": {"tool": "noop", "arguments": {"text": INPUT}}}
    execution = run(alice, world, step)

    done = attempt(execution, "echo")
    assert refers(done.input)
    assert refers(execution.submission.input)
    assert ended(execution) == SUCCEEDED


def test_the_large_items_of_a_map_are_stored_and_joined(alice: Tenant, world: World) -> None:
    body = {"type": "tool_call", "config": {"tool": "noop", "arguments": {"text": "${{ item }}"}}}
    over = ["${{ input.text + '1' }}", "${{ input.text + '2' }}", "small", "${{ input.text + '3' }}"]
    step = {"name": "each", "type": "map", "config": {"over": over, "step": body, "max_parallel": 1}}
    execution = run(alice, world, step, transform("sizes", "${{ size(steps.each.output.items) }}", "each"))

    assert ended(execution) == SUCCEEDED
    items = [execution.steps.get(name=f"each[{number}]").item or "" for number in range(4)]
    assert [refers(item) for item in items] == [True, True, False, True]
    assert came_to(execution) == {"sizes": 4}
    joined = json.loads(text_of(attempt(execution, "each").output or "", execution.id))["items"]
    parts = [attempt(execution, f"each[{number}]").output or "" for number in range(4)]
    assert joined == [json.loads(text_of(part, execution.id)) for part in parts]


def test_outputs_of_map_parts_that_are_large_are_joined_from_the_store(alice: Tenant, world: World) -> None:
    body = {"type": "transform", "config": {"output": "${{ input.text + string(item) }}"}}
    step = {"name": "each", "type": "map", "config": {"over": [1, 2, 3], "step": body}}
    execution = run(alice, world, noop("first"), {**step, "depends_on": ["first"]})

    assert [len(item) for item in came_to(execution)["each"]["items"]] == [LARGE + 1] * 3


def test_a_large_output_of_a_child_is_a_copy_of_its_parents_own(alice: Tenant, world: World) -> None:
    below = published(alice, [transform("same", INPUT)], output={"text": "${{ steps.same.output }}"})
    execution = run(alice, world, child("sub", below, given={"text": INPUT}))

    assert came_to(execution)["sub"] == {"text": large()}
    sub = Execution.objects.get(submission__parent=execution)
    assert refers(sub.submission.input)
    sub.refresh_from_db()
    assert digest_of(sub.output or "") == digest_of(attempt(execution, "sub").output or "")
    assert digest_of(sub.output or "") in set(objects(sub)) & set(objects(execution))


def test_a_redrive_goes_on_from_outputs_that_are_stored(alice: Tenant, world: World) -> None:
    execution = run(
        alice,
        world,
        transform("same", INPUT),
        failing("once", "same", times=1),
        transform("size", "${{ size(steps.same.output) }}", "once"),
    )
    assert ended(execution)[0] == "workflow_failed"

    redrive(execution.id, None, None, "key:k")
    contents()._kept.clear()
    world.drain()

    assert came_to(execution) == {"size": LARGE}


def test_large_parameters_are_stored_and_patch_the_steps(alice: Tenant, world: World) -> None:
    workflow = published(alice, [transform("size", "${{ size(parameters.text) }}")])
    execution = submitted(alice, workflow, {}, parameters={"text": large("p")})
    contents()._kept.clear()
    world.drain()

    assert refers(execution.submission.parameters)
    assert came_to(execution) == {"size": LARGE}


def test_an_agents_large_task_can_be_waited_for(alice: Tenant, world: World) -> None:
    agent = {"name": "ask", "type": "agent", "config": {"task": "see to it", "arguments": {"text": INPUT}}}
    execution = run(alice, world, agent, wait("go", signal="go"))
    signal(execution.id, "go", None, "key:k")
    world.drain()

    assert refers(attempt(execution, "ask").input)
    assert attempt(execution, "go").status == "succeeded"


def test_a_small_text_stands_where_it_stood(alice: Tenant, world: World) -> None:
    execution = run(alice, world, transform("same", INPUT), text="small")

    assert execution.submission.input == '{"text":"small"}'
    assert objects(execution) == []


@pytest.mark.parametrize("room", [0, 1])
def test_the_bound_counts_bytes(alice: Tenant, world: World, room: int) -> None:
    bound = contents().inline_bytes
    text = "é" * ((bound - len('{"text":""}')) // 2) + "x" * ((bound - len('{"text":""}')) % 2 + room)
    execution = run(alice, world, noop("only"), text=text)

    assert refers(execution.submission.input) == bool(room)
