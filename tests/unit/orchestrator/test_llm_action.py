"""The llm_inference step against a real server: what it asks, what it makes of answers, how it fails."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.actions.action import ActionFailed
from orchestrator.actions.llm_inference import LlmAction
from tenants.egress import client
from tests.unit.orchestrator.attempts import LOOPBACK, attempted, failing
from tests.unit.orchestrator.raw_server import Seen, answering, reply, serving

JSON_TYPE = "Content-Type: application/json"
KEY = "sk-quite-secret"
MESSAGES = [{"role": "user", "content": "How much is 2 + 2?"}]
SCHEMA = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]}


def completion(content: Any = "4", **members: Any) -> bytes:
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({"id": "c1", "choices": [choice], **members}).encode()


def config(base_url: str | None, **members: Any) -> dict[str, Any]:
    given = {"model": "m1", "messages": MESSAGES, "temperature": None, "max_tokens": None}
    return {"base_url": base_url, **given, "api_key": KEY, "schema": None, **members}


def asked(answer: bytes, **members: Any) -> tuple[Any, Seen]:
    """The output for this body of an answer, and the request that was made."""
    with serving(answering(reply(answer, 200, JSON_TYPE))) as server, client(LOOPBACK) as outbound:
        output = LlmAction(outbound, None)(config(f"{server.address}/v1", **members), attempted())
    [seen] = server.seen
    return output, seen


def failed(answer: bytes, status: int = 200, *headers: str, **members: Any) -> ActionFailed:
    answers = answering(reply(answer, status, JSON_TYPE, *headers))
    with serving(answers) as server, client(LOOPBACK) as outbound, failing() as raised:
        LlmAction(outbound, None)(config(server.address, **members), attempted())
    return raised[0]


def test_a_completion_is_asked_for_with_the_key_and_an_idempotency_key() -> None:
    output, seen = asked(completion(), temperature=0, max_tokens=7)

    assert (seen.method, seen.target) == ("POST", "/v1/chat/completions")
    assert json.loads(seen.body) == {"model": "m1", "messages": MESSAGES, "temperature": 0, "max_tokens": 7}
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert seen.headers["idempotency-key"] == "e1:call:1"
    assert output == {"content": "4", "parsed": None, "usage": None, "cost": None}


def test_without_a_key_none_is_sent() -> None:
    _, seen = asked(completion(), api_key=None)
    assert "authorization" not in seen.headers


@pytest.mark.parametrize(
    ("base", "target"),
    [("", "/chat/completions"), ("/v1/", "/v1/chat/completions"), ("/d?v=2", "/d/chat/completions?v=2")],
)
def test_the_path_is_added_to_the_base_whatever_it_ends_with(base: str, target: str) -> None:
    with serving(answering(reply(completion()))) as server, client(LOOPBACK) as outbound:
        LlmAction(outbound, None)(config(server.address + base), attempted())
    assert server.seen[0].target == target


def test_a_step_that_names_no_endpoint_asks_where_the_installation_says() -> None:
    with serving(answering(reply(completion("here")))) as server, client(LOOPBACK) as outbound:
        output = LlmAction(outbound, server.address)(config(None), attempted())
    assert output["content"] == "here"


def test_a_step_that_names_no_endpoint_where_none_is_set_says_what_to_do() -> None:
    with client(LOOPBACK) as outbound, failing() as raised:
        LlmAction(outbound, None)(config(None), attempted())
    assert (raised[0].kind, raised[0].retryable) == ("invalid_request", False)
    assert "base_url" in raised[0].message
    assert "LLM_BASE_URL" in raised[0].message


def test_the_usage_is_passed_on_as_whole_numbers_and_the_cost_where_it_is_told() -> None:
    usage = {
        "prompt_tokens": 12,
        "completion_tokens": 3.0,
        "total_tokens": 15,
        "seconds": 0.25,
        "prompt_tokens_details": {"cached_tokens": 4, "text": "x"},
        "empty": {},
        "nothing": None,
        "cost": 0.0125,
    }
    output, _ = asked(completion(usage=usage))
    counted = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
    assert output["usage"] == {**counted, "prompt_tokens_details": {"cached_tokens": 4}}
    assert output["cost"] == 0.0125
    assert asked(completion(cost=2))[0]["cost"] == 2.0
    assert asked(completion(cost="much"))[0]["cost"] is None


def test_a_schema_is_sent_and_the_answer_is_parsed_and_held_to_it() -> None:
    output, seen = asked(completion('{"sum": 4}'), schema=SCHEMA)
    assert json.loads(seen.body)["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": SCHEMA},
    }
    assert (output["content"], output["parsed"]) == ('{"sum": 4}', {"sum": 4})


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ('{"sum": "four"}', "/sum"),
        ("{}", "/sum"),
        ("four", "not JSON"),
        ('{"sum": NaN}', "NaN"),
        ("[" * 99 + "]" * 99, "64"),
    ],
)
def test_an_answer_that_violates_the_schema_fails_readably_and_may_be_tried_again(content: str, word: str) -> None:
    error = failed(completion(content), schema=SCHEMA)
    assert (error.kind, error.retryable, error.on_request) == ("schema_violated", True, False)
    assert word in error.message
    assert error.details["content"] == content[:500]
    assert error.details["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (b"<html>", "not JSON"),
        (b"[]", "no object"),
        (b"{}", "choices"),
        (b'{"choices": []}', "choices"),
        (b'{"choices": [1]}', "choices"),
        (b'{"choices": [{"message": "4"}]}', "choices"),
        (completion(None), "no text"),
        (completion(["4"]), "no text"),
        (b'{"error": {"message": "overloaded"}}', "choices"),
        (b'{"choices": 1, "choices": 2}', "twice"),
    ],
)
def test_an_answer_that_is_no_completion_fails_readably(answer: bytes, word: str) -> None:
    error = failed(answer)
    assert (error.kind, error.retryable) == ("invalid_output", True)
    assert word in error.message
    assert error.details["body"]


def test_a_refusal_of_the_model_is_told() -> None:
    message = {"role": "assistant", "content": None, "refusal": "I would rather not."}
    error = failed(json.dumps({"choices": [{"message": message}]}).encode())
    assert (error.kind, error.message) == ("refused_by_model", "the model refused: I would rather not.")


@pytest.mark.parametrize(("status", "again"), [(400, False), (401, False), (429, True), (500, True), (503, True)])
def test_a_status_says_whether_trying_again_may_help(status: int, again: bool) -> None:
    error = failed(b'{"error": "no"}', status, "Retry-After: 7")
    assert (error.kind, error.retryable and not error.on_request) == ("http_status", again)
    assert (error.details["status"], error.retry_after) == (status, 7.0)


def test_a_time_out_may_be_tried_again() -> None:
    def silent(_seen: Seen, _out: Any) -> bool:
        return server.ended.wait(5)

    with serving(silent) as server, client(LOOPBACK) as outbound, failing() as raised:
        LlmAction(outbound, None)(config(server.address), attempted(seconds=0.2))
    assert (raised[0].kind, raised[0].retryable) == ("timeout", True)


def test_an_answer_beyond_the_bound_is_not_held() -> None:
    error = failed(completion("x" * 200_000))
    assert (error.kind, error.retryable) == ("output_too_large", False)


def test_an_address_that_is_not_public_is_not_asked() -> None:
    with serving(answering(reply(completion()))) as server, client([]) as outbound, failing() as raised:
        LlmAction(outbound, None)(config(server.address), attempted())
    assert raised[0].kind == "egress_refused"
    assert server.seen == []


def test_a_redirect_is_not_followed_with_the_key() -> None:
    error = failed(b"", 307, "Location: http://127.0.0.1:9/elsewhere")
    assert (error.kind, error.details["status"]) == ("http_status", 307)
