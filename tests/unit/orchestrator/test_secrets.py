"""Secrets of a tenant in steps that call out: the server gets them, and nothing that comes of the step holds them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO
from urllib.parse import quote

import pytest
import structlog

from config.masking import mask_secrets
from contract.json_values import JSON
from orchestrator.actions.action import Action, Attempted
from orchestrator.actions.http import HttpAction
from orchestrator.actions.llm_inference import LlmAction
from orchestrator.actions.webhook import WebhookAction
from orchestrator.outcomes import Claim, Failed, Succeeded
from tenants.egress import client
from tests.unit.orchestrator.attempts import LOOPBACK
from tests.unit.orchestrator.claims import EXECUTION, LIMIT, carrier, failed
from tests.unit.orchestrator.raw_server import Answer, Seen, answering, reply, serving
from workflows.definition import parse_definition
from workflows.programs import EffectfulProgram
from workflows.spec import Runnable

TOKEN = "canary/4b6f-Tok3n+x"
SECRETS = {"TOKEN": TOKEN, "HOOK": "whsec_" + "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}
JSON_TYPE = "Content-Type: application/json"


def claimed(kind: str, scope: dict[str, JSON] | None = None, **config: JSON) -> Claim:
    """A claim as an advance makes it: resolved, the secrets not in it."""
    steps = [{"name": "only", "type": kind, "config": config}]
    spec = parse_definition({"name": "w", "steps": steps})
    program = spec.steps[0].program
    assert isinstance(program, EffectfulProgram)
    return Claim(EXECUTION, Runnable(spec, {}), spec.steps[0], 1, program.resolve(scope or {"input": {"who": "ada"}}))


def carried(claim: Claim, **secrets: str) -> Any:
    with client(LOOPBACK) as outbound:
        actions: dict[str, Action] = {
            "http": HttpAction(outbound),
            "llm_inference": LlmAction(outbound, None),
            "webhook": WebhookAction(outbound),
        }
        return carrier(actions, **(secrets or SECRETS))(claim)


def recorded(claim: Claim) -> str:
    program = claim.step.program
    assert isinstance(program, EffectfulProgram)
    return json.dumps(program.recorded(claim.config))


def echo(seen: Seen, out: BinaryIO) -> bool:
    """Everything that came, as JSON."""
    told = {"target": seen.target, "headers": seen.headers, "body": seen.body.decode()}
    out.write(reply(json.dumps(told).encode(), 200, JSON_TYPE, f"X-Echo: {seen.headers.get('authorization', '')}"))
    return True


def told(outcome: Any) -> str:
    """All that is recorded of an outcome."""
    if isinstance(outcome, Succeeded):
        return outcome.output
    assert isinstance(outcome, Failed)
    return json.dumps([outcome.failure.kind, outcome.failure.message, outcome.details, outcome.output])


def everywhere(address: str) -> dict[str, JSON]:
    """An http config that names the secret wherever it may."""
    return {
        "method": "POST",
        "url": address + "/at/${{ secrets.TOKEN }}/here?key=${{ secrets.TOKEN }}",
        "headers": {"Authorization": "Bearer ${{ secrets.TOKEN }}", "X-Own": "${{secrets.TOKEN}}"},
        "query": {"a": "${{ secrets.TOKEN }}", "b": ["1", "x${{ secrets.TOKEN }}y"]},
        "body": {"deep": [{"token": "${{ secrets.TOKEN }}", "who": "${{ input.who }}"}]},
    }


def test_the_server_gets_the_secret_wherever_it_is_named_and_no_output_has_it() -> None:
    with serving(echo) as server:
        claim = claimed("http", {"input": {"who": "ada"}}, **everywhere(server.address))
        assert TOKEN not in repr(claim.config)
        outcome = carried(claim)
    (seen,) = server.seen
    assert seen.headers["authorization"] == f"Bearer {TOKEN}"
    assert seen.headers["x-own"] == TOKEN
    assert json.loads(seen.body) == {"deep": [{"token": TOKEN, "who": "ada"}]}
    assert seen.target.startswith(f"/at/{TOKEN}/here?")
    assert seen.target.count("Tok3n") == 4
    output = json.loads(told(outcome))
    assert "Tok3n" not in told(outcome)
    assert output["body"]["headers"]["authorization"] == "***"
    assert output["headers"]["x-echo"] == "***"
    assert json.loads(output["body"]["body"]) == {"deep": [{"token": "***", "who": "ada"}]}
    assert recorded(claim).count("***") == 7
    assert "Tok3n" not in recorded(claim)


def test_a_whole_address_may_be_secret() -> None:
    with serving(echo) as server:
        claim = claimed("http", method="GET", url="${{ secrets.URL }}")
        outcome = carried(claim, URL=f"{server.address}/hooks/Tok3n")
    assert server.seen[0].target == "/hooks/Tok3n"
    assert "Tok3n" not in told(outcome) + recorded(claim)
    assert "127.0.0.1" not in told(outcome)


def test_a_secret_of_a_webhook_signs_and_one_in_its_payload_is_sent() -> None:
    with serving(answering(reply(b"", 200))) as server:
        claim = claimed(
            "webhook",
            url=server.address,
            payload={"token": "${{ secrets.TOKEN }}"},
            secret="${{ secrets.HOOK }}",
            event="e.${{ secrets.TOKEN }}",
        )
        assert isinstance(carried(claim), Succeeded)
    (seen,) = server.seen
    assert "webhook-signature" in seen.headers
    assert json.loads(seen.body)["data"] == {"token": TOKEN}
    assert json.loads(seen.body)["type"] == f"e.{TOKEN}"
    assert json.loads(recorded(claim))["secret"] == "***"


def test_a_model_is_asked_with_secrets_and_its_answer_holds_none() -> None:
    content = {"choices": [{"message": {"content": f"your key is {TOKEN}"}}]}
    with serving(answering(reply(json.dumps(content).encode(), 200, JSON_TYPE))) as server:
        claim = claimed(
            "llm_inference",
            base_url=server.address,
            model="m",
            api_key="${{ secrets.TOKEN }}",
            messages=[{"role": "user", "content": "use ${{ secrets.TOKEN }}"}],
        )
        outcome = carried(claim)
    (seen,) = server.seen
    assert seen.headers["authorization"] == f"Bearer {TOKEN}"
    assert json.loads(seen.body)["messages"] == [{"role": "user", "content": f"use {TOKEN}"}]
    assert json.loads(told(outcome))["content"] == "your key is ***"
    assert TOKEN not in recorded(claim)


@pytest.mark.parametrize("answer", [reply(f"no: {TOKEN}".encode(), 401), reply(b"x" * 490 + TOKEN.encode(), 500)])
def test_an_error_that_repeats_the_secret_whole_or_cut_shows_none_of_it(answer: bytes) -> None:
    with serving(answering(answer)) as server:
        outcome = failed(
            carried(
                claimed(
                    "http",
                    **everywhere(server.address),
                )
            )
        )
    assert outcome.failure.kind == "http_status"
    assert not any(part in told(outcome) for part in (TOKEN, "Tok3n", "canary", quote(TOKEN)))
    assert "***" in told(outcome)


def _closing(_seen: Seen, _out: BinaryIO) -> bool:
    return False


def _breaking(_seen: Seen, out: BinaryIO) -> bool:
    out.write(b"HTTP/1.1 200 " + TOKEN.encode() + b"\r\nbroken " + TOKEN.encode())
    return False


@pytest.mark.parametrize("answer", [_closing, _breaking])
def test_a_connection_that_breaks_shows_nothing_of_it(answer: Answer) -> None:
    with serving(answer) as server:
        outcome = failed(carried(claimed("http", **everywhere(server.address))))
    assert "Tok3n" not in told(outcome)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/${{ secrets.TOKEN }}",
        "http://10.0.0.1/${{ secrets.TOKEN }}?k=${{ secrets.TOKEN }}",
        "http://${{ secrets.TOKEN }}.invalid/",
    ],
)
def test_an_address_that_cannot_be_reached_is_not_told_with_its_secret(url: str) -> None:
    for value in (TOKEN, "MixedCase-Tok3n", "sp ace"):
        outcome = failed(carried(claimed("http", method="GET", url=url), TOKEN=value))
        assert value.lower() not in told(outcome).lower()


def test_a_secret_that_there_is_not_fails_the_step_once_and_is_named() -> None:
    with serving(echo) as server:
        outcome = failed(carried(claimed("http", **everywhere(server.address)), OTHER="x"))
    assert (outcome.failure.kind, outcome.failure.retryable) == ("secret_missing", False)
    assert "`TOKEN`" in outcome.failure.message
    assert server.seen == []


@pytest.mark.parametrize(
    ("config", "value", "kind"),
    [
        ({"url": "${{ secrets.S }}"}, "no-address-at-all", "invalid_request"),
        ({"url": "${{ secrets.S }}"}, "http://user:password@host/", "invalid_request"),
        (
            {"url": "http://h.example/", "headers": {"X": "a ${{ secrets.S }}"}},
            "two\r\nX-Other: lines",
            "invalid_request",
        ),
        (
            {"url": "http://h.example/", "body": ["${{ secrets.S }}" for _ in range(9)]},
            "s" * (LIMIT // 8),
            "input_too_large",
        ),
        ({"url": "http://h.example/", "body": "${{ secrets.S }}"}, '"' * (LIMIT - 1_000), "input_too_large"),
    ],
)
def test_what_a_secret_makes_of_a_request_is_checked_where_it_is_put_in(
    config: dict[str, JSON], value: str, kind: str
) -> None:
    outcome = failed(carried(claimed("http", method="POST", **config), S=value))
    assert (outcome.failure.kind, outcome.failure.retryable) == (kind, False)
    assert value not in told(outcome)


def test_a_literal_credential_that_is_repeated_does_not_come_on_record_either() -> None:
    with serving(echo) as server:
        headers = {"Authorization": "Bearer sk-quite-secret", "X-Plain": "plain-text"}
        output = told(carried(claimed("http", method="GET", url=server.address, headers=headers)))
        assert "sk-quite-secret" not in output
        assert "plain-text" in output
        messages: JSON = [{"role": "user", "content": "k"}]
        asked: dict[str, JSON] = {"model": "m", "messages": messages, "api_key": "sk-quite-secret"}
        refused = told(carried(claimed("llm_inference", base_url=server.address, **asked)))
        assert "sk-quite-secret" not in refused
        assert "***" in refused


def test_a_redirect_to_another_host_does_not_carry_the_secret_of_a_header() -> None:
    with serving(echo) as other:
        moved = answering(reply(b"", 302, f"Location: {other.address.replace('127.0.0.1', 'localhost')}/x"))
        with serving(moved) as server:
            headers = {"Authorization": "Bearer ${{ secrets.TOKEN }}", "X-Own": "${{ secrets.TOKEN }}"}
            outcome = carried(claimed("http", method="GET", url=server.address, headers=headers))
    assert isinstance(outcome, Succeeded)
    assert TOKEN in str(server.seen[0].headers)
    assert TOKEN not in str(other.seen[0].headers)


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """The lines that are written meanwhile, as the service writes them."""
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    processors: list[Any] = [structlog.processors.JSONRenderer(), mask_secrets]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *processors],
        )
    )
    logger = logging.getLogger("of this test")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)


def test_no_log_line_shows_it_while_it_is_in_use_whatever_an_action_raises() -> None:
    def careless(config: dict[str, JSON], _attempted: Attempted) -> JSON:
        logging.getLogger("of this test").info("asking %s", config["url"], extra={"headers": config["headers"]})
        raise RuntimeError(f"cannot ask {config['url']}")

    with logged() as lines:
        claim = claimed(
            "http", method="GET", url="http://h.example/${{ secrets.TOKEN }}", headers={"X": "${{secrets.TOKEN}}"}
        )
        outcome = failed(carrier({"http": careless}, **SECRETS)(claim))
    assert lines.getvalue().count("***") == 2
    assert "Tok3n" not in lines.getvalue()
    assert outcome.failure.message == "RuntimeError: cannot ask http://h.example/***"


def test_a_name_is_not_taken_from_what_a_caller_or_another_step_says() -> None:
    with serving(echo) as server:
        claim = claimed(
            "http", {"input": {"x": "${{ secrets.TOKEN }}"}}, method="POST", url=server.address, body="${{ input.x }}"
        )
        carried(claim)
    assert server.seen[0].body == b"${{ secrets.TOKEN }}"
