"""Secrets in a definition: found, taken out, put back."""

from __future__ import annotations

import copy
from typing import Any

from workflows.masking import mask, unmask

DEFINITION: dict[str, Any] = {
    "steps": [
        {"name": "a", "type": "webhook", "config": {"secret": "s1", "payload": {"secret": "open"}}},
        {"action": "http", "parameters": {"headers": {"AUTHORIZATION": "s2", "Accept": "open"}}},
        {"name": "m", "type": "map", "config": {"step": {"type": "llm_inference", "config": {"api_key": "s3"}}}},
        {"name": "l", "type": "loop", "config": {"body": [{"type": "webhook", "config": {"secret": "s4"}}]}},
        {"name": "t", "type": "transform", "config": {"secret": "open", "output": {"api_key": "open"}}},
        {"name": "e", "type": "webhook", "config": {"secret": "${{ secrets.HOOK }}"}},
    ]
}


def test_only_literal_secrets_of_steps_that_call_out_are_taken_out() -> None:
    before = copy.deepcopy(DEFINITION)
    masked = mask(DEFINITION)
    assert before == DEFINITION
    assert masked.secrets == {
        "/steps/0/config/secret": "s1",
        "/steps/1/parameters/headers/AUTHORIZATION": "s2",
        "/steps/2/config/step/config/api_key": "s3",
        "/steps/3/config/body/0/config/secret": "s4",
    }
    assert str(masked.definition).count("'***'") == 4
    assert str(masked.definition).count("'open'") == 4
    assert "${{ secrets.HOOK }}" in str(masked.definition)


def test_what_was_taken_out_can_be_put_back() -> None:
    masked = mask(DEFINITION)
    assert unmask(masked.definition, masked.secrets) == DEFINITION


def test_a_mask_stands_for_the_secret_of_the_step_of_that_name_wherever_it_moved() -> None:
    masked = mask(DEFINITION)
    moved = {"steps": masked.definition["steps"][::-1]}
    again = mask(moved, DEFINITION)
    assert again.problems == ()
    assert unmask(again.definition, again.secrets) == {"steps": DEFINITION["steps"][::-1]}


def test_a_mask_that_stands_for_nothing_is_told_and_one_of_another_step_is_not_taken() -> None:
    renamed = copy.deepcopy(mask(DEFINITION).definition)
    renamed["steps"][0]["name"] = "other"
    assert [problem.field for problem in mask(renamed, DEFINITION).problems] == ["/steps/0/config/secret"]
    assert len(mask(mask(DEFINITION).definition).problems) == 4


def test_two_steps_of_one_action_keep_their_own() -> None:
    steps = [{"action": "webhook", "parameters": {"secret": secret}} for secret in ("one", "two")]
    masked = mask({"steps": steps})
    again = mask(masked.definition, {"steps": steps})
    assert list(again.secrets.values()) == ["one", "two"]


def test_what_is_no_definition_holds_no_secret() -> None:
    shapes: list[Any] = [
        None,
        [],
        {},
        {"steps": 1},
        {"steps": [1, {"config": []}, {"type": "map", "config": {"step": 1}}]},
    ]
    for anything in shapes:
        assert mask(anything).secrets == {}


INSIDE: dict[str, Any] = {
    "steps": [
        {"action": "map", "parameters": {"step": {"action": "http", "parameters": {"headers": {"cookie": "s1"}}}}},
        {
            "name": "l",
            "action": "loop",
            "parameters": {"body": [{"action": "webhook", "parameters": {"secret": "s2"}}]},
        },
        {"name": "p", "action": "noop", "compensate": {"type": "webhook", "config": {"secret": "s3"}}},
        {"action": "noop", "compensate": {"action": "http", "parameters": {"headers": {"X-Api-Key": "s4"}}}},
        {"name": "h", "type": "http", "config": {"url": "open", "headers": {}}, "compensate": {"action": "noop"}},
    ]
}


def test_secrets_inside_steps_are_taken_out_and_put_back_in_either_spelling() -> None:
    masked = mask(INSIDE)
    assert masked.secrets == {
        "/steps/0/parameters/step/parameters/headers/cookie": "s1",
        "/steps/1/parameters/body/0/parameters/secret": "s2",
        "/steps/2/compensate/config/secret": "s3",
        "/steps/3/compensate/parameters/headers/X-Api-Key": "s4",
    }
    assert not any(secret in str(masked.definition) for secret in masked.secrets.values())
    assert unmask(masked.definition, masked.secrets) == INSIDE


def test_the_secret_of_a_compensation_stays_with_the_step_that_it_undoes() -> None:
    masked = mask(INSIDE)
    again = mask({"steps": masked.definition["steps"][::-1]}, INSIDE)
    assert again.problems == ()
    assert unmask(again.definition, again.secrets) == {"steps": INSIDE["steps"][::-1]}
    own: dict[str, Any] = {
        "steps": [{"name": "h", "type": "http", "config": {"headers": {"Cookie": "1"}}, "compensate": {"type": "http"}}]
    }
    copied = copy.deepcopy(own)
    copied["steps"][0]["compensate"]["config"] = mask(own).definition["steps"][0]["config"]
    assert [problem.field for problem in mask(copied, own).problems] == ["/steps/0/compensate/config/headers/Cookie"]
    moved = {"steps": [{"name": "other", "action": "noop", "compensate": masked.definition["steps"][2]["compensate"]}]}
    assert [problem.field for problem in mask(moved, INSIDE).problems] == ["/steps/0/compensate/config/secret"]
