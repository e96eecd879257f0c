"""map: over what, what is done with each item, and where its parts stand in the spec."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.workflows.writing import named, parse, problems, told, typed, yielding
from workflows.spec import PARTS, Effect, EffectfulProgram, MapProgram, PureProgram, StepFailed, StepSpec

ITEM: dict[str, Any] = {"type": "transform", "config": {"output": "${{ item }}"}}
SCOPE: dict[str, Any] = {"input": {"list": [1, 2, 3], "word": "x"}, "steps": {}}


def mapped(config: Any, scope: Any = SCOPE) -> tuple[list[Any], int, int]:
    """The items, how many of them at once, how many may fail."""
    found = parse(typed("map", {"step": ITEM, **config})).steps[0].program
    assert isinstance(found, MapProgram)
    items = found.resolve(scope)
    return items, found.max_parallel, found.tolerated(len(items))


def body(config: Any, *before: Any, **members: Any) -> StepSpec:
    """The item's step of a map `m` that comes after the steps given."""
    spec = parse(*before, typed("map", {"over": [], **config}, "m", **members))
    (found,) = spec.steps[-1].body
    return found


def fields(config: Any, **members: Any) -> set[tuple[str, str]]:
    found = problems(typed("map", config, **members))
    return {(field.removeprefix("/steps/0/config"), code) for field, code in found}


@pytest.mark.parametrize(
    ("over", "items"),
    [
        ("input.list", [1, 2, 3]),
        ("${{ input.list.map(i, i * 2) }}", [2, 4, 6]),
        ([1, "${{ input.word }}"], [1, "x"]),
        ([], []),
    ],
)
def test_a_map_goes_over_an_expression_or_a_list(over: Any, items: list[Any]) -> None:
    assert mapped({"over": over})[0] == items


def test_a_map_says_how_many_at_once_and_how_many_may_fail() -> None:
    assert mapped({"over": "input.list"}) == ([1, 2, 3], 100, 0)
    assert mapped({"over": "input.list", "max_parallel": 2, "tolerate": 1}) == ([1, 2, 3], 2, 1)


@pytest.mark.parametrize(
    ("percentage", "items", "tolerated"), [("50%", 3, 1), ("0%", 9, 0), ("100%", 9, 9), ("34%", 3, 1), ("29%", 100, 29)]
)
def test_a_percentage_of_the_items_is_rounded_down(percentage: str, items: int, tolerated: int) -> None:
    assert mapped({"over": list(range(items)), "tolerate": percentage})[2] == tolerated


def test_what_is_no_list_fails_the_step_and_says_what_it_was() -> None:
    with pytest.raises(StepFailed) as caught:
        mapped({"over": "input.word"})
    assert caught.value.kind == "not_a_list"
    assert "`input.word`" in caught.value.message
    assert '"x"' in caught.value.message


def test_an_expression_that_errors_fails_the_step() -> None:
    with pytest.raises(StepFailed) as caught:
        mapped({"over": "input.gone"})
    assert caught.value.kind == "expression_error"


def test_ten_thousand_items_are_the_most() -> None:
    scope = {"input": {"list": [0] * 10_000}}
    assert len(mapped({"over": "input.list"}, scope)[0]) == 10_000
    scope["input"]["list"].append(0)
    with pytest.raises(StepFailed) as caught:
        mapped({"over": "input.list"}, scope)
    assert caught.value.kind == "too_many_items"
    assert fields({"over": [0] * 10_001, "step": ITEM}) == {("/over", "invalid")}


def test_the_item_s_step_stands_among_the_parts_and_is_named_after_its_map() -> None:
    spec = parse(
        named("a"), typed("map", {"over": [], "step": ITEM}, "m", depends_on=["a"]), named("b", depends_on=["m"])
    )
    owner = spec.steps[1]
    (item,) = owner.body
    assert (owner.effect, owner.parents, owner.children, owner.owner) == (Effect.WAIT, (0,), (2,), None)
    assert (item.index, item.name, item.owner, item.parents, item.children) == (PARTS + PARTS, "m", 1, (), ())
    assert (item.type, item.effect, item.on_failure.value, item.handler) == ("transform", Effect.PURE, "fail", None)
    assert spec.by_name == {"a": 0, "m": 1, "b": 2}
    assert (spec.waves, spec.sinks) == (((0,), (1,), (2,)), (2,))


def test_part_n_of_a_map_is_the_item_s_step_under_its_own_index_and_name() -> None:
    step = {"action": "noop", "parameters": {"x": "${{ steps.a.output }}"}, "retry": {"max_attempts": 4}}
    spec = parse(named("a"), typed("map", {"over": [], "step": step}, "m", depends_on=["a"]))
    part = spec.step(spec.part(1, 9_999))
    assert (part.index, part.name, part.owner, part.reads) == (PARTS + PARTS + 9_999, "m[9999]", 1, {"a": 0})
    assert (part.retry.max_attempts, part.program) == (4, spec.steps[1].body[0].program)
    assert spec.step(spec.part(1, 0)).name == "m[0]"


def test_the_item_s_step_reads_item_and_index_in_its_config_and_its_condition() -> None:
    step = {"type": "transform", "config": {"output": "${{ item.n * index }}"}, "when": "item.n > 1 && index < 9"}
    found = body({"step": step})
    assert isinstance(found.program, PureProgram)
    assert found.program.run({"item": {"n": 3}, "index": 2}).output == 6
    assert found.program.run({"item": {"n": 3}, "index": 2}).read == {"item.n": 3, "index": 2}
    assert found.condition_holds({"item": {"n": 3}, "index": 2})
    assert not found.condition_holds({"item": {"n": 1}, "index": 2})
    assert list(found.references_by_field) == ["/when", "/config/output"]


def test_item_and_index_are_known_nowhere_else() -> None:
    found = told(yielding("t", "${{ item }}"), typed("map", {"over": "index", "step": ITEM}, "m", when="item"))
    assert {(field, code) for field, code, _ in found} == {
        ("/steps/0/config/output", "bad_expression"),
        ("/steps/1/config/over", "bad_expression"),
        ("/steps/1/when", "bad_expression"),
    }
    assert all("is only known in a map or a loop" in message for _, _, message in found)


def test_the_item_s_step_reads_what_is_upstream_of_the_map_and_not_the_map() -> None:
    def reading(name: str) -> dict[str, Any]:
        return {"step": {"type": "transform", "config": {"output": f"${{{{ steps.{name}.output }}}}"}}}

    assert body(reading("a"), named("a"), depends_on=["a"]).reads == {"a": 0}
    for name, code in (("a", "not_upstream"), ("m", "not_upstream"), ("zz", "unknown_step")):
        found = problems(named("a"), typed("map", {"over": [], **reading(name)}, "m"))
        assert found == {("/steps/1/config/step/config/output", code)}


def test_the_item_s_step_has_its_own_retries_time_out_and_agent_or_else_the_map_s_agent() -> None:
    own = {"action": "noop", "timeout_seconds": 5, "agent_id": "maip-agent:y"}
    found = body({"step": own}, agent_id="maip-agent:x", timeout_seconds=900)
    assert (found.timeout_seconds, found.agent_id) == (5.0, "maip-agent:y")
    inherited = body({"step": {"action": "noop"}}, agent_id="maip-agent:x", timeout_seconds=900)
    assert (inherited.timeout_seconds, inherited.agent_id, inherited.retry.max_attempts) == (300.0, "maip-agent:x", 1)


@pytest.mark.parametrize(
    "step",
    [
        {"type": "decision", "config": {"rules": [{"when": "item", "outcome": "x"}], "default": {"outcome": "y"}}},
        {"type": "guardrail_check", "config": {"checks": [{"assert": "item"}]}},
        {"type": "http", "config": {"method": "GET", "url": "https://example.com/${{ item }}"}},
        {"type": "webhook", "config": {"url": "https://example.com", "payload": "${{ index }}"}},
        {"type": "wait", "config": {"seconds": "${{ item }}"}},
        {"type": "workflow", "config": {"workflow_id": "w", "input": "${{ item }}"}},
        {"action": "charge", "parameters": {"cents": "${{ item }}"}},
    ],
)
def test_every_leaf_type_may_be_done_for_each_item(step: Any) -> None:
    assert body({"step": step}).type == step.get("type", "tool_call")


@pytest.mark.parametrize("kind", ["map", "loop"])
def test_a_map_or_a_loop_in_a_map_is_a_workflow_of_its_own(kind: str) -> None:
    ((field, code, message),) = told(typed("map", {"over": [], "step": {"type": kind, "config": {}}}))
    assert (field, code) == ("/steps/0/config/step/type", "invalid")
    assert "`workflow` step" in message
    assert fields({"over": [], "step": {"action": kind}}) == {("/step/action", "invalid")}


def test_a_map_may_name_a_workflow_which_gets_the_item() -> None:
    found = body({"workflow_id": "score", "version": "1.0.0"})
    assert (found.type, found.action, found.effect, found.index) == ("workflow", "workflow", Effect.WAIT, PARTS)
    assert isinstance(found.program, EffectfulProgram)
    resolved = found.program.resolve({"item": {"a": 1}, "index": 3})
    assert resolved == {"workflow_id": "score", "version": "1.0.0", "input": {"a": 1}}
    for item in (5, None, [1], "x"):
        assert found.program.resolve({"item": item, "index": 3})["input"] == {"item": item, "index": 3}


def test_a_map_may_say_what_the_workflow_gets() -> None:
    found = body({"workflow_id": "score", "input": {"n": "${{ item }}", "i": "${{ index }}"}})
    assert isinstance(found.program, EffectfulProgram)
    assert found.program.resolve({"item": 7, "index": 1})["input"] == {"n": 7, "i": 1}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, {("/over", "missing"), ("/step", "missing")}),
        ({"over": 5, "step": ITEM}, {("/over", "wrong_type")}),
        ({"over": "1 +", "step": ITEM}, {("/over", "bad_expression")}),
        ({"over": "all ${{ input.list }}", "step": ITEM}, {("/over", "bad_expression")}),
        ({"over": ["${{ item }}"], "step": ITEM}, {("/over/0", "bad_expression")}),
        ({"over": [], "step": 5}, {("/step", "wrong_type")}),
        ({"over": [], "step": {}}, {("/step", "invalid")}),
        ({"over": [], "step": {"type": "nope"}}, {("/step/type", "unknown_type")}),
        ({"over": [], "step": ITEM, "workflow_id": "w"}, {("/workflow_id", "invalid")}),
        ({"over": [], "step": ITEM, "version": "1.0.0", "input": {}}, {("/version", "invalid"), ("/input", "invalid")}),
        (
            {"over": [], "workflow_id": "w", "version": "1", "input": 5},
            {("/version", "invalid"), ("/input", "wrong_type")},
        ),
        (
            {"over": [], "step": ITEM, "max_parallel": 0, "tolerate": -1},
            {("/max_parallel", "invalid"), ("/tolerate", "invalid")},
        ),
        (
            {"over": [], "step": ITEM, "max_parallel": 1001, "tolerate": "101%"},
            {("/max_parallel", "invalid"), ("/tolerate", "invalid")},
        ),
        (
            {"over": [], "step": ITEM, "tolerate": "some", "more": 1},
            {("/tolerate", "invalid"), ("/more", "unknown_member")},
        ),
        (
            {"over": [], "step": {"type": "http", "config": {"method": "GET", "url": "ftp://x"}, "retry": {"more": 1}}},
            {("/step/config/url", "invalid"), ("/step/retry/more", "unknown_member")},
        ),
        (
            {"over": [], "step": {"action": "charge", "parameters": {"cents": "x"}}},
            {("/step/parameters/cents", "invalid")},
        ),
        (
            {
                "over": [],
                "step": {
                    **ITEM,
                    "name": "x",
                    "depends_on": [],
                    "on_failure": "fail",
                    "join": "any",
                    "compensate": {},
                    "else": 1,
                },
            },
            {
                ("/step/name", "invalid"),
                ("/step/depends_on", "invalid"),
                ("/step/on_failure", "invalid"),
                ("/step/join", "invalid"),
                ("/step/compensate", "invalid"),
                ("/step/else", "unknown_member"),
            },
        ),
    ],
)
def test_a_map_that_is_wrong_says_where(config: Any, expected: Any) -> None:
    assert fields(config) == expected


def test_a_map_written_as_an_action_points_into_its_parameters() -> None:
    assert problems({"action": "map", "parameters": {"over": [], "step": {"action": "gone"}}}) == {
        ("/steps/0/parameters/step/action", "unknown_tool")
    }


def test_parameters_that_only_the_item_s_step_reads_are_read() -> None:
    step = {"type": "transform", "config": {"output": "${{ parameters.inner }}"}}
    spec = parse(typed("map", {"over": "parameters.list", "step": step}))
    assert (spec.reads_parameter("inner"), spec.reads_parameter("list"), spec.reads_parameter("x")) == (
        True,
        True,
        False,
    )
