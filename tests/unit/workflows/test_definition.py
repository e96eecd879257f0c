"""What a definition may say, both spellings of a step, and that every problem is told at once."""

from __future__ import annotations

import contextlib
import copy
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.workflows.writing import TOOLS, named, parse, problems
from workflows.definition import DefinitionInvalid, digest, parse_definition
from workflows.spec import Effect, ErrorFilter, OnFailure, Price, Refund, RetryPolicy, Visibility
from workflows.steps import STEP_TYPES


def test_steps_given_by_action_follow_each_other_and_get_their_names_from_it() -> None:
    spec = parse({"action": "noop"}, {"action": "noop", "parameters": {"a": 1}}, {"action": "noop", "depends_on": []})
    assert [(step.name, step.type, step.action, step.parents) for step in spec.steps] == [
        ("noop", "tool_call", "noop", ()),
        ("noop-2", "tool_call", "noop", (0,)),
        ("noop-3", "tool_call", "noop", ()),
    ]


def test_a_name_that_is_taken_is_not_given_again() -> None:
    spec = parse({"action": "noop"}, named("noop-2"), {"action": "noop"})
    assert [step.name for step in spec.steps] == ["noop", "noop-2", "noop-3"]
    assert spec.steps[2].parents == (1,)


def test_an_action_that_names_a_step_type_is_that_type() -> None:
    spec = parse({"action": "transform", "parameters": {"output": 1}})
    assert (spec.steps[0].name, spec.steps[0].type, spec.steps[0].effect) == ("transform", "transform", Effect.PURE)


def test_a_named_step_without_depends_on_is_a_root() -> None:
    spec = parse(named("a"), named("b"), named("c", depends_on=["b", "a"]), {"name": "d", "action": "noop"})
    assert [step.is_root for step in spec.steps] == [True, True, False, True]
    assert spec.steps[2].parents == (0, 1)
    assert spec.steps[0].children == (2,)
    assert (spec.waves, spec.sinks) == (((0, 1, 3), (2,)), (2, 3))


def test_a_handler_is_no_root_and_its_dependents_may_read_what_it_handles() -> None:
    spec = parse(
        named("a", on_failure="h"),
        named("b", on_failure="h", depends_on=["a"]),
        named("h", config={"tool": "noop", "arguments": {"s": "${{ steps.b.status }} ${{ steps.a.status }}"}}),
        named("after", depends_on=["h"], when="steps.a.status == 'failed'"),
        named("c", on_failure="continue"),
    )
    a, _, handler, after, c = spec.steps
    assert (a.on_failure, a.handler, c.on_failure) == (OnFailure.HANDLE, 2, OnFailure.CONTINUE)
    assert (handler.handles, handler.parents, handler.is_root, tuple(handler.reads.values())) == (
        (0, 1),
        (),
        False,
        (1, 0),
    )
    assert tuple(after.reads.values()) == (0,)
    assert spec.waves == ((0, 4), (1,), (2,), (3,))


def test_everything_a_definition_may_say_is_read() -> None:
    spec = parse(
        named(
            "a",
            agent_id="maip-agent:x",
            timeout_seconds=5,
            retry={"max_attempts": 3, "backoff": "fixed", "initial_seconds": 0.5, "jitter": False, "on": ["timeout"]},
        ),
        description="d",
        version="2.1.0-rc.1",
        input_schema={"type": "object"},
        output="${{ steps.a.output }}",
        price={"amount": 500, "currency": "EUR", "refund": "per_step"},
        timeout_seconds=60,
        visibility="public_execute",
        concurrency={"key": "${{ input.customer }}", "limit": 3, "scope": "tenant"},
        priority=7,
    )
    assert (spec.name, spec.description, spec.version, spec.timeout_seconds) == ("w", "d", "2.1.0-rc.1", 60.0)
    assert spec.price == Price(500, "EUR", Refund.PER_STEP)
    assert spec.visibility is Visibility.PUBLIC_EXECUTE
    assert spec.concurrency is not None
    assert spec.concurrency.key.evaluate({"input": {"customer": "c1"}}) == "c1"
    assert (spec.concurrency.limit, spec.concurrency.scope, spec.priority) == (3, "tenant", 7)
    assert spec.output is not None
    assert spec.input_schema is not None
    assert spec.steps[0].agent_id == "maip-agent:x"
    assert spec.steps[0].retry == RetryPolicy(3, "fixed", 0.5, 60.0, jitter=False, on=ErrorFilter(("timeout",)))


def test_what_is_left_out_null_or_empty_has_its_default() -> None:
    spec = parse(named("a", agent_id="", when=None, retry=None), description="", price=None, triggers=None)
    step = spec.steps[0]
    assert (step.agent_id, step.when, step.retry, step.timeout_seconds) == (None, None, RetryPolicy(), 300.0)
    assert step.on_failure is OnFailure.FAIL
    assert (spec.version, spec.visibility, spec.price, spec.timeout_seconds) == ("1.0.0", "private", None, None)
    assert (spec.concurrency, spec.priority, step.join, step.cancels_rest) == (None, 0, None, False)
    assert (step.body, step.compensation, step.owner) == ((), None, None)


def test_a_concurrency_key_is_an_expression_over_input_and_parameters() -> None:
    spec = parse(named("a"), concurrency={"key": "input.a + parameters.b"})
    assert spec.concurrency is not None
    assert (spec.concurrency.key.text, spec.concurrency.limit, spec.concurrency.scope) == (
        "input.a + parameters.b",
        1,
        "workflow",
    )
    assert spec.reads_parameter("b")
    assert problems(named("a"), concurrency={"key": "steps.a.status", "limit": 0, "scope": "x", "more": 1}) == {
        ("/concurrency/key", "bad_expression"),
        ("/concurrency/limit", "invalid"),
        ("/concurrency/scope", "invalid"),
        ("/concurrency/more", "unknown_member"),
    }
    assert problems(named("a"), concurrency={"key": "customer ${{ input.a }}"}, priority=10) == {
        ("/concurrency/key", "bad_expression"),
        ("/priority", "invalid"),
    }
    assert problems(named("a"), concurrency={}, priority="high") == {
        ("/concurrency/key", "missing"),
        ("/priority", "wrong_type"),
    }


def test_a_pure_step_is_never_retried() -> None:
    spec = parse({"name": "t", "type": "transform", "config": {"output": 1}, "retry": {"max_attempts": 5}})
    assert spec.steps[0].retry == RetryPolicy()


def test_references_are_by_the_field_as_it_was_written() -> None:
    spec = parse(
        {"action": "noop", "parameters": {"x": "${{ input.a }}"}},
        named(
            "b",
            when="input.c",
            config={"tool": "noop", "arguments": {"y": ["${{ steps.noop.output }}"]}},
            depends_on=["noop"],
        ),
    )
    assert {field: [r.text for r in found] for field, found in spec.steps[0].references_by_field.items()} == {
        "/parameters/x": ["input.a"]
    }
    assert {field: [r.text for r in found] for field, found in spec.steps[1].references_by_field.items()} == {
        "/when": ["input.c"],
        "/config/arguments/y/0": ["steps.noop.output"],
    }
    assert tuple(spec.steps[1].reads.values()) == (0,)
    assert spec.steps[1].reads_input


def test_every_problem_is_told_at_once_with_its_place() -> None:
    found = problems(
        named("a", depends_on=["b"]),
        {"name": "b", "type": "nope", "depends_on": ["a", "q"]},
        named("b"),
        {
            "name": "d",
            "type": "decision",
            "config": {"rules": [{"when": "1 +", "outcome": "x"}], "default": {"outcome": 1}},
        },
        {"action": "charge", "parameters": {"cents": "5"}, "depends_on": []},
        {
            "name": "h",
            "type": "http",
            "config": {"method": "FETCH", "url": "ftp://x", "body": "${{ steps.zz.output }}"},
        },
        {"type": "tool_call", "action": "noop"},
        named("1x", config={"tool": "zap"}, retry={"max_attempts": 0, "more": 1}, when="steps.a.status == ''"),
        named("s", on_failure="s", config={"tool": "noop", "arguments": {"x": "${{ secrets.K }}"}}),
        named("f", on_failure="hh", config={"tool": "noop", "extra": 1}),
        named("f2", on_failure="hd"),
        named("hd", depends_on=["f"]),
        {"action": "agent"},
        5,
        {},
        version="1.0",
        price={"amount": 0, "currency": "XXX", "tax": 1},
        triggers={"cron": "* * * * *"},
        input_schema={"$ref": "http://example.com"},
        output="${{ steps.gone.output }}",
        timeout_seconds="5",
        visibility="open",
        nope=1,
    )
    assert found == {
        ("/steps/0", "cycle"),
        ("/steps/1/type", "unknown_type"),
        ("/steps/1/depends_on/1", "unknown_step"),
        ("/steps/2/name", "duplicate_name"),
        ("/steps/3/config/rules/0/when", "bad_expression"),
        ("/steps/3/config/default/outcome", "wrong_type"),
        ("/steps/4/parameters/cents", "invalid"),
        ("/steps/5/config/method", "invalid"),
        ("/steps/5/config/url", "invalid"),
        ("/steps/5/config/body", "unknown_step"),
        ("/steps/6", "invalid"),
        ("/steps/7/name", "invalid"),
        ("/steps/7/config/tool", "unknown_tool"),
        ("/steps/7/retry/max_attempts", "invalid"),
        ("/steps/7/retry/more", "unknown_member"),
        ("/steps/7/when", "not_upstream"),
        ("/steps/8/on_failure", "invalid"),
        ("/steps/8/config/arguments/x", "bad_expression"),
        ("/steps/9/on_failure", "unknown_step"),
        ("/steps/9/config/extra", "unknown_member"),
        ("/steps/11/depends_on", "invalid"),
        ("/steps/12/parameters/task", "missing"),
        ("/steps/13", "wrong_type"),
        ("/steps/14", "invalid"),
        ("/steps/14/name", "missing"),
        ("/version", "invalid"),
        ("/price/amount", "invalid"),
        ("/price/currency", "invalid"),
        ("/price/tax", "unknown_member"),
        ("/triggers", "not_available"),
        ("/input_schema/$ref", "bad_schema"),
        ("/output", "unknown_step"),
        ("/timeout_seconds", "wrong_type"),
        ("/visibility", "invalid"),
        ("/nope", "unknown_member"),
    }


def test_a_step_may_only_read_what_is_upstream_of_it() -> None:
    def reads(name: str) -> dict[str, Any]:
        return {"when": f"steps.{name}.status == 'succeeded'"}

    assert problems(named("a", **reads("b")), named("b", **reads("b")), named("c", depends_on=["a"], **reads("b"))) == {
        ("/steps/0/when", "not_upstream"),
        ("/steps/1/when", "not_upstream"),
        ("/steps/2/when", "not_upstream"),
    }
    parse(named("a"), named("b", depends_on=["a"]), named("c", depends_on=["b"], **reads("a")))


def test_a_cycle_is_told_with_its_path() -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        parse(named("a", depends_on=["c"]), named("b", depends_on=["a"]), named("c", depends_on=["b"]))
    assert "a -> b -> c -> a" in caught.value.problems[0].message


def test_a_cycle_hides_no_other_problem() -> None:
    reads = {"when": "steps.a.status == 'succeeded'"}
    assert problems(named("a", depends_on=["b"]), named("b", depends_on=["a"], **reads), named("c", **reads)) == {
        ("/steps/0", "cycle"),
        ("/steps/2/when", "not_upstream"),
    }


def test_a_cycle_through_a_handler_is_one() -> None:
    assert problems(named("a", depends_on=["h"], on_failure="h"), named("h")) == {("/steps/0", "cycle")}


@pytest.mark.parametrize(
    "raw", [None, 5, "x", [], {}, {"name": "w"}, {"name": "w", "steps": []}, {"name": "w", "steps": 5}]
)
def test_what_is_no_definition_at_all_is_refused(raw: Any) -> None:
    with pytest.raises(DefinitionInvalid):
        parse_definition(raw, TOOLS)


def test_more_than_ten_thousand_steps_are_refused() -> None:
    assert problems(*[{"action": "noop"}] * 10_001) == {("/steps", "invalid")}


def test_the_digest_depends_on_the_content_and_not_on_the_order_of_members() -> None:
    assert digest({"a": 1, "b": [1]}) == digest({"b": [1], "a": 1})
    assert digest({"a": 1, "b": [1]}) != digest({"a": 1, "b": [2]})
    assert len(digest({})) == 64


def _chain() -> list[Any]:
    read = [{"tool": "noop", "arguments": {"a": f"${{{{ steps.s{i}.output.a }}}}"}} for i in range(9_999)]
    return [named("s0"), *(named(f"s{i + 1}", depends_on=[f"s{i}"], config=config) for i, config in enumerate(read))]


def _layers() -> list[Any]:
    before = [[f"s{layer - 1}_{i}" for i in range(100)] if layer else [] for layer in range(100)]
    return [named(f"s{layer}_{i}", depends_on=before[layer]) for layer in range(100) for i in range(100)]


def _fan() -> list[Any]:
    middle = [named(f"m{i}", depends_on=["a"], when="steps.a.output.x == 1") for i in range(1_000)]
    return [named("a"), *middle, named("z", depends_on=[step["name"] for step in middle])]


@pytest.mark.parametrize("steps", [_chain, _layers, _fan])
def test_ten_thousand_steps_are_checked_in_seconds(steps: Any) -> None:
    raw = steps()
    before = time.process_time()
    spec = parse(*raw)
    assert time.process_time() - before < 15
    assert len(spec.steps) == len(raw)


MEMBERS = """name steps type config depends_on action parameters when retry on_failure output price amount currency
refund rules default outcome checks assert schema value url method headers query body tool arguments payload
seconds until signal approval approvers message over step workflow_id version input max_parallel tolerate max_iterations
join n rest compensate on concurrency key limit scope priority"""
VALUES = """noop transform decision http webhook guardrail_check wait map loop workflow agent any cancel 5xx a b fail
continue ${{input.x}} ${{steps.a.output}} ${{"""
_words = st.sampled_from(f"{MEMBERS} {VALUES}".split())
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | _words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_words | st.text(max_size=5), inner, max_size=6),
    max_leaves=20,
)
_step_like = st.fixed_dictionaries(
    {},
    optional={
        "name": _words | _json,
        "type": st.sampled_from(sorted(STEP_TYPES)) | _json,
        "action": _words | _json,
        "config": st.dictionaries(_words, _json, max_size=5) | _json,
        "parameters": _json,
        "depends_on": st.lists(_words, max_size=2) | _json,
        "on_failure": _words | _json,
        "when": _words | _json,
        "retry": st.dictionaries(st.just("on"), _json, max_size=1) | _json,
        "join": _json,
        "compensate": st.dictionaries(_words, _json, max_size=3) | _json,
    },
)


@given(raw=_json | st.fixed_dictionaries({"name": st.just("w"), "steps": st.lists(_step_like, max_size=4)}))
def test_any_json_is_a_definition_or_refused_and_is_left_as_it_was(raw: Any) -> None:
    before = copy.deepcopy(raw)
    with contextlib.suppress(DefinitionInvalid):
        parse_definition(raw, TOOLS)
    assert raw == before
