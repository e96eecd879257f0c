"""loop: what its body may say and read, and where the steps of a round stand in the spec."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.workflows.writing import named, parse, problems, told, typed, yielding
from workflows.spec import PARTS, Effect, LoopProgram, OnFailure, PureProgram, Spec, StepFailed

FIRST = PARTS + 1 * PARTS
"""The index of the first part of the step with the index 1."""


def loop(name: str, body: Any, *after: str, until: str = "true", most: int = 5, **members: Any) -> dict[str, Any]:
    config = {"body": body, "until": until, "max_iterations": most}
    return typed("loop", config, name, depends_on=list(after), **members)


def looped(*body: Any, **members: Any) -> Spec:
    """A definition of a step `a`, and after it a loop `l` of these steps."""
    return parse(yielding("a", 1), loop("l", list(body), "a", **members))


def fields(config: Any) -> set[tuple[str, str]]:
    found = problems(typed("loop", config))
    return {(field.removeprefix("/steps/0/config"), code) for field, code in found}


def test_a_loop_repeats_its_body_until_a_condition_holds() -> None:
    owner = looped(yielding("c", "${{ index }}"), until="${{ steps.c.output > 2 }}", most=7).steps[1]
    assert isinstance(owner.program, LoopProgram)
    assert (owner.effect, owner.program.max_iterations, owner.parents) == (Effect.WAIT, 7, (0,))
    assert owner.program.until.holds({"steps": {"c": {"output": 3}}})
    assert not owner.program.until.holds({"steps": {"c": {"output": 2}}})


def test_the_steps_of_a_body_are_linked_among_themselves_by_the_indexes_of_the_first_round() -> None:
    spec = looped(
        named("fetch", on_failure="rescue"),
        named("check", depends_on=["fetch"], retry={"max_attempts": 3}),
        named("rescue"),
        named("both", depends_on=["check", "rescue"], join="any", when="index < 3", on_failure="continue"),
    )
    fetch, check, rescue, both = spec.steps[1].body
    assert [step.index for step in spec.steps[1].body] == [FIRST, FIRST + 1, FIRST + 2, FIRST + 3]
    assert {step.owner for step in spec.steps[1].body} == {1}
    assert (fetch.children, fetch.on_failure, fetch.handler) == ((FIRST + 1,), OnFailure.HANDLE, FIRST + 2)
    assert (check.parents, check.depends_on, check.retry.max_attempts) == ((FIRST,), ("fetch",), 3)
    assert (rescue.handles, rescue.parents, rescue.is_root) == ((FIRST,), (), False)
    assert (both.parents, both.join, both.on_failure) == ((FIRST + 1, FIRST + 2), 1, OnFailure.CONTINUE)
    assert (spec.by_name, spec.waves, spec.sinks) == ({"a": 0, "l": 1}, ((0,), (1,)), (1,))


def test_a_step_of_round_r_is_that_of_the_first_round_moved_on() -> None:
    spec = looped(
        named("fetch", on_failure="rescue"),
        yielding("check", "${{ steps.a.output + steps.fetch.output }}", "fetch"),
        named("rescue"),
    )
    round_of = 4 * 3
    fetch = spec.step(spec.part(1, round_of))
    check = spec.step(spec.part(1, round_of + 1))
    rescue = spec.step(spec.part(1, round_of + 2))
    assert (fetch.index, fetch.name, fetch.owner) == (FIRST + 12, "l[4].fetch", 1)
    assert (fetch.children, fetch.handler) == ((FIRST + 13,), FIRST + 14)
    assert (check.index, check.name, check.depends_on) == (FIRST + 13, "l[4].check", ("l[4].fetch",))
    assert (check.parents, check.reads) == ((FIRST + 12,), {"a": 0, "fetch": FIRST + 12})
    assert (rescue.handles, rescue.name) == ((FIRST + 12,), "l[4].rescue")


def test_a_body_reads_item_index_what_is_upstream_in_it_and_what_is_upstream_of_the_loop() -> None:
    body = [
        yielding("one", "${{ steps.a.output + index }}"),
        yielding("two", "${{ index == 0 ? steps.one.output : item.two + steps.one.output }}", "one"),
    ]
    one, two = looped(*body, until="item.two > steps.one.output + steps.a.output").steps[1].body
    assert isinstance(two.program, PureProgram)
    assert two.program.run({"steps": {"one": {"output": 2}}, "index": 0, "item": None}).output == 2
    assert two.program.run({"steps": {"one": {"output": 2}}, "index": 1, "item": {"two": 5}}).output == 7
    assert (one.reads, two.reads) == ({"a": 0}, {"one": FIRST})


def test_until_reads_every_step_of_the_body_and_what_is_upstream_of_the_loop() -> None:
    until = "steps.two.output == steps.a.output || steps.one.status == 'failed' || index > 3 || item.one == 1"
    owner = looped(yielding("one", 1), yielding("two", 2), until=until).steps[1]
    assert owner.reads == {"two": FIRST + 1, "a": 0, "one": FIRST}
    assert list(owner.references_by_field) == ["/config/until"]


def test_what_may_not_be_read_in_a_loop_is_told() -> None:
    body = [
        yielding("one", "${{ steps.two.output }}"),
        yielding("two", "${{ steps.l.output }}", "one", when="steps.late.status == ''"),
        yielding("three", "${{ steps.gone.output }}"),
    ]
    late = yielding("late", "${{ steps.one.output }}", "l", when="index > 0")
    assert problems(
        loop("l", body, until="steps.l.output && steps.late.output"), late, output="${{ steps.two.output }}"
    ) == {
        ("/steps/0/config/body/0/config/output", "not_upstream"),
        ("/steps/0/config/body/1/config/output", "not_upstream"),
        ("/steps/0/config/body/1/when", "not_upstream"),
        ("/steps/0/config/body/2/config/output", "unknown_step"),
        ("/steps/0/config/until", "not_upstream"),
        ("/steps/1/config/output", "unknown_step"),
        ("/steps/1/when", "bad_expression"),
        ("/output", "unknown_step"),
    }


def test_the_condition_of_the_loop_itself_reads_no_step_of_its_body() -> None:
    assert problems(loop("l", [yielding("one", 1)], when="steps.one.output == 1")) == {
        ("/steps/0/when", "unknown_step")
    }


def test_steps_of_a_body_that_are_given_by_action_follow_each_other_under_free_names() -> None:
    spec = parse(
        {"action": "noop"}, loop("l", [{"action": "noop"}, {"action": "noop"}]), loop("k", [{"action": "noop"}])
    )
    assert [step.name for step in spec.all_steps()] == ["noop", "l", "noop-2", "noop-3", "k", "noop-4"]
    assert spec.steps[1].body[1].parents == (FIRST,)


def test_the_name_of_a_step_in_a_body_is_that_of_no_other_step() -> None:
    found = problems(
        named("a"),
        loop("l", [named("a"), named("b"), named("b"), named("m")]),
        loop("m", [named("b"), named("c")]),
    )
    assert found == {
        ("/steps/1/config/body/0/name", "duplicate_name"),
        ("/steps/1/config/body/2/name", "duplicate_name"),
        ("/steps/1/config/body/3/name", "duplicate_name"),
        ("/steps/2/config/body/0/name", "duplicate_name"),
    }


def test_steps_of_a_body_depend_on_nothing_outside_it_and_not_on_each_other_in_a_circle() -> None:
    body = [
        named("x", depends_on=["y"]),
        named("y", depends_on=["x"]),
        named("z", depends_on=["a"], on_failure="a"),
    ]
    found = told(named("a"), loop("l", body, "a"))
    assert {(field, code) for field, code, _ in found} == {
        ("/steps/1/config/body/0", "cycle"),
        ("/steps/1/config/body/2/depends_on/0", "unknown_step"),
        ("/steps/1/config/body/2/on_failure", "unknown_step"),
    }
    assert any("`a` in this body" in message for _, _, message in found)


def test_an_agent_of_the_loop_is_that_of_its_steps_unless_they_name_their_own() -> None:
    one, two = looped(named("x"), named("y", agent_id="maip-agent:y"), agent_id="maip-agent:x").steps[1].body
    assert (one.agent_id, two.agent_id) == ("maip-agent:x", "maip-agent:y")


def test_a_loop_bounds_its_rounds_and_their_steps_together() -> None:
    assert looped(named("x"), most=10_000).steps[1].program
    hundred = [named(f"x{i}") for i in range(100)]
    assert looped(*hundred, most=100).steps[1].program
    assert fields({"body": hundred, "until": "true", "max_iterations": 101}) == {("/max_iterations", "invalid")}
    assert fields({"body": [*hundred, named("y")], "until": "true", "max_iterations": 1}) == {("/body", "invalid")}


def test_the_last_round_s_last_step_is_still_a_part_of_its_loop() -> None:
    spec = looped(named("x"), named("y"), most=5_000)
    last = spec.step(spec.part(1, 9_999))
    assert (last.name, last.owner, last.index) == ("l[4999].y", 1, FIRST + 9_999)


def test_a_condition_that_errors_or_is_no_boolean_is_a_failure() -> None:
    owner = looped(named("x"), until="index")
    program = owner.steps[1].program
    assert isinstance(program, LoopProgram)
    with pytest.raises(StepFailed):
        program.until.holds({"index": 1})


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, {("/body", "missing"), ("/until", "missing"), ("/max_iterations", "missing")}),
        ({"body": [], "until": "true", "max_iterations": 1}, {("/body", "invalid")}),
        (
            {"body": 5, "until": 5, "max_iterations": 0},
            {("/body", "wrong_type"), ("/until", "wrong_type"), ("/max_iterations", "invalid")},
        ),
        (
            {"body": [5], "until": "1 +", "max_iterations": 1, "more": 1},
            {("/body/0", "wrong_type"), ("/until", "bad_expression"), ("/more", "unknown_member")},
        ),
        (
            {
                "body": [{"type": "transform"}, named("1x"), named("b", compensate={"action": "noop"}, more=1)],
                "until": "true",
                "max_iterations": 1,
            },
            {
                ("/body/0/name", "missing"),
                ("/body/0/config/output", "missing"),
                ("/body/1/name", "invalid"),
                ("/body/2/compensate", "invalid"),
                ("/body/2/more", "unknown_member"),
            },
        ),
        (
            {"body": [typed("map", {"over": []}, "m"), {"action": "loop"}], "until": "true", "max_iterations": 1},
            {("/body/0/type", "invalid"), ("/body/1/action", "invalid")},
        ),
    ],
)
def test_a_loop_that_is_wrong_says_where(config: Any, expected: Any) -> None:
    assert fields(config) == expected


def test_the_steps_of_bodies_count_among_those_of_the_definition() -> None:
    hundred = [{"action": "noop"}] * 100
    most = [loop(f"l{i}", hundred, most=1) for i in range(99)]
    assert len(list(parse(*most, named("a")).all_steps())) == 10_000
    over = loop("l99", [yielding("x", 1)], until="steps.x.output == 1")
    assert problems(*most, over) == {("/steps/99/config/body", "invalid")}


def test_a_loop_written_as_an_action_points_into_its_parameters() -> None:
    action = {
        "action": "loop",
        "parameters": {"body": [named("x", config={"tool": "gone"})], "until": "steps.y.output"},
    }
    assert problems(action) == {
        ("/steps/0/parameters/body/0/config/tool", "unknown_tool"),
        ("/steps/0/parameters/until", "unknown_step"),
        ("/steps/0/parameters/max_iterations", "missing"),
    }


def test_parameters_that_only_a_body_or_its_condition_reads_are_read() -> None:
    spec = looped(yielding("x", "${{ parameters.inner }}"), until="parameters.enough")
    assert (spec.reads_parameter("inner"), spec.reads_parameter("enough"), spec.reads_parameter("x")) == (
        True,
        True,
        False,
    )
