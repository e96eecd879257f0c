"""wait and workflow: what they may say, what is awaited from a moment on, what a child is given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.workflows.writing import parse, problems, typed
from workflows.spec import Awaited, Effect, StepFailed, WaitProgram
from workflows.steps.workflow import ChildRun

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SCOPE: dict[str, Any] = {"input": {"n": 90, "at": "2026-05-01T14:01:00+02:00", "word": "soon", "o": {"a": 1}}}


def program(config: Any, **members: Any) -> WaitProgram:
    found = parse(typed("wait", config, **members)).steps[0].program
    assert isinstance(found, WaitProgram)
    return found


def awaited(config: Any, **members: Any) -> Awaited:
    return program(config, **members).resolve(SCOPE, NOW)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def fields(kind: str, config: Any, **members: Any) -> set[tuple[str, str]]:
    found = problems(typed(kind, config, **members))
    return {(field.removeprefix("/steps/0/config"), code) for field, code in found}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"seconds": 1.5}, Awaited(fires_at=after(1.5))),
        ({"seconds": 0}, Awaited(fires_at=NOW)),
        ({"seconds": "${{ input.n * 2 }}"}, Awaited(fires_at=after(180))),
        ({"until": "2026-05-01T12:00:30Z"}, Awaited(fires_at=after(30))),
        ({"until": "${{ input.at }}"}, Awaited(fires_at=after(60))),
        ({"until": "${{ timestamp(input.at) + duration('1s') }}"}, Awaited(fires_at=after(61))),
        ({"until": "2020-01-01T00:00:00Z"}, Awaited(fires_at=datetime(2020, 1, 1, tzinfo=UTC))),
        ({"signal": "paid"}, Awaited(signal="paid")),
        ({"approval": {}}, Awaited(approval=True)),
        ({"approval": True}, Awaited(approval=True)),
        (
            {"approval": {"approvers": ["ann", "bob"], "message": "go?"}},
            Awaited(approval=True, approvers=("ann", "bob"), message="go?"),
        ),
    ],
)
def test_a_wait_is_for_moments_a_signal_or_an_approval(config: Any, expected: Awaited) -> None:
    assert awaited(config) == expected


def test_of_seconds_and_until_the_earlier_fires() -> None:
    assert awaited({"seconds": 45, "until": "2026-05-01T12:00:30Z"}).fires_at == after(30)
    assert awaited({"seconds": 15, "until": "2026-05-01T12:00:30Z"}).fires_at == after(15)


def test_several_waits_race_and_have_one_time_out() -> None:
    config = {"seconds": 60, "signal": "paid", "approval": True, "timeout_seconds": "${{ input.n }}"}
    assert awaited(config) == Awaited(fires_at=after(60), times_out_at=after(90), signal="paid", approval=True)


def test_of_the_time_outs_of_step_and_config_the_smaller_counts() -> None:
    config = {"signal": "x", "timeout_seconds": 90}
    assert awaited(config, timeout_seconds=30).times_out_at == after(30)
    assert awaited(config, timeout_seconds=100_000).times_out_at == after(90)
    assert awaited({"signal": "x"}, timeout_seconds=30).times_out_at == after(30)


def test_a_wait_has_no_time_out_unless_one_is_written() -> None:
    spec = parse(typed("wait", {"signal": "x"}))
    assert awaited({"signal": "x"}).times_out_at is None
    assert (spec.steps[0].effect, spec.steps[0].timeout_seconds) == (Effect.WAIT, 366 * 86_400.0)
    assert fields("wait", {"signal": "x"}, timeout_seconds=366 * 86_400 + 1) == {
        ("/steps/0/timeout_seconds", "invalid")
    }


def test_the_schema_of_a_signal_is_that_of_its_payload() -> None:
    waiting = program({"signal": "paid", "schema": {"type": "object"}})
    assert waiting.schema is not None
    assert (waiting.signal, len(waiting.schema.violations(5)), waiting.schema.violations({})) == ("paid", 1, [])
    assert program({"signal": "paid"}).schema is None


@pytest.mark.parametrize(
    "config",
    [
        {"seconds": "${{ input.word }}"},
        {"seconds": "${{ -1 }}"},
        {"seconds": "${{ 366 * 86400 + 1 }}"},
        {"seconds": "${{ true }}"},
        {"until": "${{ input.word }}"},
        {"until": "${{ input.n }}"},
        {"signal": "x", "timeout_seconds": "${{ input.word }}"},
    ],
)
def test_what_is_no_duration_or_moment_fails_the_step(config: Any) -> None:
    with pytest.raises(StepFailed) as caught:
        awaited(config)
    assert caught.value.kind == "invalid_wait"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, {("", "missing")}),
        ({"timeout_seconds": 5}, {("", "missing")}),
        ({"seconds": "5"}, {("/seconds", "invalid")}),
        ({"seconds": -1}, {("/seconds", "invalid")}),
        ({"seconds": True}, {("/seconds", "invalid")}),
        ({"seconds": ["${{ input.n }}"]}, {("/seconds", "invalid")}),
        ({"seconds": "${{ 1 + }}"}, {("/seconds", "bad_expression")}),
        ({"until": "tomorrow"}, {("/until", "invalid")}),
        ({"until": 5}, {("/until", "wrong_type")}),
        ({"signal": "${{ input.word }}"}, {("/signal", "invalid")}),
        ({"signal": "1st", "schema": {"type": "x"}}, {("/signal", "invalid"), ("/schema/type", "bad_schema")}),
        ({"seconds": 1, "schema": {}}, {("/schema", "invalid")}),
        ({"seconds": 1, "timeout_seconds": -1}, {("/timeout_seconds", "invalid")}),
        ({"approval": False}, {("/approval", "wrong_type")}),
        (
            {"approval": {"approvers": [], "by": 1}},
            {("/approval/approvers", "invalid"), ("/approval/by", "unknown_member")},
        ),
        ({"approval": {"approvers": ["${{ input.word }}"]}}, {("/approval/approvers", "invalid")}),
        ({"approval": {"approvers": [5]}}, {("/approval/approvers", "invalid")}),
        ({"approval": {"message": "${{ input.word }}"}}, {("/approval/message", "invalid")}),
        ({"seconds": 1, "event": "x"}, {("/event", "unknown_member")}),
    ],
)
def test_a_wait_that_is_wrong_says_where(config: Any, expected: Any) -> None:
    assert fields("wait", config) == expected


def test_a_wait_may_be_written_as_an_action() -> None:
    spec = parse({"action": "wait", "parameters": {"seconds": "${{ input.n }}"}})
    assert (spec.steps[0].type, list(spec.steps[0].references_by_field)) == ("wait", ["/parameters/seconds"])
    assert problems({"action": "wait", "parameters": {"seconds": -1}}) == {("/steps/0/parameters/seconds", "invalid")}


def child(config: Any) -> dict[str, Any]:
    found = parse(typed("workflow", config)).steps[0].program
    assert isinstance(found, ChildRun)
    assert found.effect is Effect.WAIT
    return found.resolve(SCOPE)


def test_a_workflow_resolves_to_whom_it_starts_with_what() -> None:
    assert child({"workflow_id": "score"}) == {"workflow_id": "score", "version": None, "input": {}}
    config = {"workflow_id": "score", "version": "1.2.3", "input": {"n": "${{ input.n }}"}}
    assert child(config) == {"workflow_id": "score", "version": "1.2.3", "input": {"n": 90}}
    assert child({"workflow_id": "score", "input": "${{ input.o }}"})["input"] == {"a": 1}


def test_a_child_s_input_that_is_no_object_fails_the_step() -> None:
    with pytest.raises(StepFailed) as caught:
        child({"workflow_id": "score", "input": "${{ input.n }}"})
    assert caught.value.kind == "invalid_input"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, {("/workflow_id", "missing")}),
        ({"workflow_id": "${{ input.word }}"}, {("/workflow_id", "invalid")}),
        ({"workflow_id": "w", "version": "1", "input": 5}, {("/version", "invalid"), ("/input", "wrong_type")}),
        ({"workflow_id": "w", "input": ["${{ input.o }}"]}, {("/input", "wrong_type")}),
        ({"workflow_id": "w", "input": "x", "more": 1}, {("/input", "wrong_type"), ("/more", "unknown_member")}),
    ],
)
def test_a_workflow_that_is_wrong_says_where(config: Any, expected: Any) -> None:
    assert fields("workflow", config) == expected
