"""An execute's `parameters`: what they change, what they may not, and where a problem points."""

from __future__ import annotations

from typing import Any

import pytest

from contract.json_values import JSON
from workflows.patches import FIXED, ParametersInvalid, apply_parameters
from workflows.spec import EffectfulProgram, LoopProgram, MapProgram, Spec
from workflows.tools import ToolContext, ToolRegistry

TOOLS = ToolRegistry()


@TOOLS.tool("noop", arguments={"properties": {"n": {"type": "integer"}}})
def noop(arguments: dict[str, JSON], _context: ToolContext) -> JSON:
    return arguments


RAW: dict[str, Any] = {
    "name": "w",
    "steps": [
        {"action": "noop", "parameters": {"a": {"b": 1, "c": 2}}},
        {"action": "noop", "parameters": {"x": "${{ parameters.free }}"}},
        {"action": "noop"},
        {
            "name": "call",
            "type": "http",
            "config": {"method": "GET", "url": "https://example.com", "query": {"q": "1"}},
        },
    ],
}


def apply(parameters: dict[str, Any]) -> tuple[Spec, dict[str, JSON]]:
    return apply_parameters(RAW, parameters, TOOLS)


def resolved(spec: Spec, name: str) -> Any:
    program = spec.steps[spec.by_name[name]].program
    assert isinstance(program, EffectfulProgram)
    return program.resolve({"parameters": {"free": 1}})


def problems(parameters: dict[str, Any]) -> set[tuple[str, str]]:
    with pytest.raises(ParametersInvalid) as caught:
        apply(parameters)
    return {(problem.field, problem.code) for problem in caught.value.problems}


def test_a_member_named_like_a_step_is_merged_into_its_config() -> None:
    spec, free = apply({"noop": {"arguments": {"a": {"b": None, "d": [3]}}}, "call": {"query": {"r": "2"}}})
    assert resolved(spec, "noop")["arguments"] == {"a": {"c": 2, "d": [3]}}
    assert resolved(spec, "call")["query"] == {"q": "1", "r": "2"}
    assert free == {}


def test_a_patched_step_keeps_its_name_its_action_and_its_place() -> None:
    spec, _ = apply({"noop-2": {"arguments": {"n": 1}}})
    assert [(step.name, step.action, step.parents) for step in spec.steps] == [
        ("noop", "noop", ()),
        ("noop-2", "noop", (0,)),
        ("noop-3", "noop", (1,)),
        ("call", "http", ()),
    ]


def test_another_member_is_a_free_value_that_an_expression_reads() -> None:
    spec, free = apply({"free": {"deep": 1}})
    assert free == {"free": {"deep": 1}}
    assert spec.steps[1].references[0].text == "parameters.free"
    assert problems({"unread": 1}) == {("/parameters/unread", "unknown_member")}


def test_a_patch_is_a_literal_and_never_an_expression() -> None:
    spec, _ = apply({"noop": {"arguments": {"a": "${{ 1 + 1 }}"}}})
    assert resolved(spec, "noop")["arguments"] == {"a": "${{ 1 + 1 }}"}


@pytest.mark.parametrize("member", sorted(FIXED))
def test_a_member_that_must_stay_is_refused(member: str) -> None:
    assert problems({"call": {member: "x"}}) == {(f"/parameters/call/{member}", "not_patchable")}


def test_a_patched_config_is_checked_again_and_the_problem_points_at_the_parameter() -> None:
    assert problems({"noop": {"arguments": {"n": "x"}}, "call": {"timeout_seconds": "x", "more": 1}}) == {
        ("/parameters/noop/arguments/n", "invalid"),
        ("/parameters/call/timeout_seconds", "wrong_type"),
        ("/parameters/call/more", "unknown_member"),
    }


def test_a_patch_that_is_no_object_is_refused() -> None:
    assert problems({"call": 5}) == {("/parameters/call", "wrong_type")}


def test_the_definition_itself_is_left_as_it_was() -> None:
    apply({"noop": {"arguments": {"a": None}}})
    assert RAW["steps"][0] == {"action": "noop", "parameters": {"a": {"b": 1, "c": 2}}}


PARTED: dict[str, Any] = {
    "name": "w",
    "steps": [
        {"name": "m", "type": "map", "config": {"over": "input.list", "step": {"action": "noop"}}},
        {
            "name": "l",
            "type": "loop",
            "config": {"body": [{"action": "noop"}], "until": "true", "max_iterations": 5},
            "compensate": {"action": "noop"},
        },
        {"name": "p", "type": "http", "config": {"method": "POST", "url": "https://example.com", "body": "x"}},
    ],
}


def test_what_a_map_or_a_loop_repeats_and_its_conditions_cannot_be_changed() -> None:
    patches = {"m": {"step": {}, "over": "input.other"}, "l": {"body": [], "until": "false"}}
    with pytest.raises(ParametersInvalid) as caught:
        apply_parameters(PARTED, patches, TOOLS)
    assert {(problem.field, problem.code) for problem in caught.value.problems} == {
        ("/parameters/m/step", "not_patchable"),
        ("/parameters/m/over", "not_patchable"),
        ("/parameters/l/body", "not_patchable"),
        ("/parameters/l/until", "not_patchable"),
    }


def test_a_map_may_get_other_items_a_loop_another_bound_and_a_request_another_body() -> None:
    patches = {"m": {"over": ["${{ input.x }}"], "max_parallel": 2}, "l": {"max_iterations": 7}, "p": {"body": "y"}}
    spec, _ = apply_parameters(PARTED, patches, TOOLS)
    over, loop = spec.steps[0].program, spec.steps[1].program
    assert isinstance(over, MapProgram)
    assert isinstance(loop, LoopProgram)
    assert (over.resolve({}), over.max_parallel, over.tolerated(1)) == (["${{ input.x }}"], 2, 0)
    assert (loop.max_iterations, resolved(spec, "p")["body"]) == (7, "y")
    assert spec.steps[1].compensation is not None
