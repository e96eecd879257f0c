"""What of a step's config changes for the next run, and how it joins what was changed before."""

from __future__ import annotations

from typing import Any

import pytest

from executions.patching import moved_to_input, with_patch
from workflows.definition import parse_definition
from workflows.patches import ParametersInvalid, apply_parameters

CONFIG: dict[str, Any] = {
    "method": "POST",
    "url": "https://a.example/",
    "headers": {"Authorization": "Bearer 12345"},
    "body": {"who": "${{ input.who }}", "n": 1},
}
SPEC = parse_definition({"name": "w", "steps": [{"name": "call", "type": "http", "config": CONFIG}]})
RECORDED = {
    "method": "POST",
    "url": "https://a.example/",
    "headers": {"Authorization": "***"},
    "body": {"who": "ann", "n": 1},
    "timeout_seconds": 30,
}


def patched(given: dict[str, Any], parameters: dict[str, Any] | None = None, recorded: Any = None) -> dict[str, Any]:
    return with_patch(SPEC, 0, parameters or {}, given, RECORDED if recorded is None else recorded)


def test_an_input_that_is_sent_back_as_it_was_recorded_changes_nothing() -> None:
    assert patched(RECORDED) == {}
    assert patched(RECORDED, {"call": {"query": {}}, "free": 1}) == {"call": {"query": {}}, "free": 1}


def test_a_config_that_is_sent_back_as_it_is_shown_changes_nothing() -> None:
    assert patched({"headers": {"Authorization": "***"}, "body": CONFIG["body"]}, recorded=[]) == {}


def test_what_changes_is_all_that_is_patched() -> None:
    assert patched({**RECORDED, "body": {"who": "bob", "n": 1}}) == {"call": {"body": {"who": "bob", "n": 1}}}
    assert patched({"body": {"who": "ann", "n": True}}) == {"call": {"body": {"who": "ann", "n": True}}}


@pytest.mark.parametrize(
    ("before", "given", "after"),
    [
        ({"body": {"n": 2}}, {"body": {"m": 3}}, {"body": {"n": 2, "m": 3}}),
        ({"body": {"n": 2}}, {"body": {"n": None}}, {"body": {"n": None}}),
        ({"body": {"n": None}}, {"body": {"n": 4}}, {"body": {"n": 4}}),
        ({"body": [1]}, {"body": {"n": 4}}, {"body": {"n": 4}}),
        ({"body": {"n": 2}}, {"body": [1]}, {"body": [1]}),
        ({"query": {"a": "b"}}, {"body": 1}, {"query": {"a": "b"}, "body": 1}),
    ],
)
def test_a_patch_is_merged_into_those_of_the_runs_before(
    before: dict[str, Any], given: dict[str, Any], after: dict[str, Any]
) -> None:
    assert patched(given, {"call": before, "free": 1}) == {"call": after, "free": 1}


def test_what_no_patch_may_touch_is_told_of_the_input() -> None:
    parameters = patched({"url": "https://b.example/", "headers": {"Authorization": "none"}})
    with pytest.raises(ParametersInvalid) as refused:
        apply_parameters(SPEC.raw, parameters)
    told = moved_to_input(refused.value, "call")
    assert [(problem.field, problem.code) for problem in told.fields] == [
        ("/input/url", "not_patchable"),
        ("/input/headers", "not_patchable"),
    ]
    assert moved_to_input(refused.value, "cal").fields == refused.value.fields
