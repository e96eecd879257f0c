"""The llm_inference step: one chat completion of an OpenAI-compatible endpoint, understood and held to its schema."""

from __future__ import annotations

import codecs
import math

import httpx

from contract import json_values
from contract.json_values import JSON, InvalidJson
from orchestrator.actions import answers
from orchestrator.actions.action import ActionFailed, Attempted
from orchestrator.actions.http import ANY_2XX, built, send
from workflows.schemas import violations

PATH = "/chat/completions"
SHOWN_CHARACTERS = 500
"""How much of an answer stands in the error that it makes."""


class LlmAction:
    """Carries llm_inference steps out. Output: {content, parsed, usage, cost}, null for what there is none of.

    `default_base_url` is where steps ask that name no endpoint, None for nowhere.
    """

    def __init__(self, client: httpx.Client, default_base_url: str | None) -> None:
        self._client = client
        self._default_base_url = default_base_url

    def __call__(self, config: dict[str, JSON], attempted: Attempted) -> JSON:
        request = self._request(config, attempted)
        _, body = send(self._client, request, attempted, ANY_2XX, attempted.seconds)
        return _output(_parsed(body, attempted), config["schema"], attempted)

    def _request(self, config: dict[str, JSON], attempted: Attempted) -> httpx.Request:
        base = config["base_url"] or self._default_base_url
        if base is None:
            message = "`base_url` is missing: no LLM_BASE_URL is set here, at which a step asks that names no endpoint"
            raise ActionFailed("invalid_request", message, retryable=False)
        headers = {"Idempotency-Key": attempted.idempotency_key}
        if config["api_key"] is not None:
            headers["Authorization"] = f"Bearer {config['api_key']}"
        asked = _asked(config)
        return built(self._client, "POST", _address(base), headers=headers, json=asked, timeout=attempted.seconds)


def _address(base_url: str) -> str:
    """Where completions are asked for; a query of the base stays, for those who put their version there."""
    path, mark, query = base_url.partition("?")
    return f"{path.rstrip('/')}{PATH}{mark}{query}"


def _asked(config: dict[str, JSON]) -> dict[str, JSON]:
    names = ("model", "messages", "temperature", "max_tokens")
    asked = {name: config[name] for name in names if config[name] is not None}
    if config["schema"] is not None:
        form = {"name": "answer", "schema": config["schema"]}
        asked["response_format"] = {"type": "json_schema", "json_schema": form}
    return asked


def _parsed(body: bytes, attempted: Attempted) -> dict[str, JSON]:
    """The completion as JSON; some endpoints do not call it so."""
    try:
        completion = json_values.parse(body.removeprefix(codecs.BOM_UTF8))
    except InvalidJson as error:
        raise _not_understood(f"is not JSON: {error}", answers.text(body[:SHOWN_CHARACTERS]), attempted) from error
    if not isinstance(completion, dict):
        raise _not_understood("is no object", completion, attempted)
    return completion


def _output(completion: dict[str, JSON], schema: JSON, attempted: Attempted) -> JSON:
    content = _content(completion, attempted)
    usage = completion.get("usage")
    return {
        "content": content,
        "parsed": None if schema is None else _answer(content, schema, completion, attempted),
        "usage": _counts(usage) if isinstance(usage, dict) else None,
        "cost": _cost(completion),
    }


def _content(completion: dict[str, JSON], attempted: Attempted) -> str:
    message = _choice(completion).get("message")
    if not isinstance(message, dict):
        raise _not_understood("has no choices[0].message", completion, attempted)
    if isinstance(message.get("content"), str):
        return str(message["content"])
    if isinstance(message.get("refusal"), str):
        said = message["refusal"][:SHOWN_CHARACTERS]
        raise ActionFailed("refused_by_model", f"the model refused: {said}", retryable=attempted.repeatable)
    raise _not_understood("has no text", completion, attempted)


def _choice(completion: dict[str, JSON]) -> dict[str, JSON]:
    choices = completion.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _answer(content: str, schema: JSON, completion: dict[str, JSON], attempted: Attempted) -> JSON:
    """The content as the JSON that was asked for."""
    finish = _choice(completion).get("finish_reason")
    details: dict[str, JSON] = {"content": content[:SHOWN_CHARACTERS]}
    details["finish_reason"] = finish if isinstance(finish, str) else None
    try:
        value = json_values.parse(content)
    except InvalidJson as error:
        message = f"the model's answer cannot be parsed: {error}"
        raise ActionFailed("schema_violated", message, retryable=attempted.repeatable, details=details) from error
    found = [{"field": f.field, "code": f.code, "message": f.message} for f in violations(schema, value)]
    if found:
        message = f"the model's answer does not fit the schema: {found[0]['field']}: {found[0]['message']}"
        details["errors"] = found
        raise ActionFailed("schema_violated", message, retryable=attempted.repeatable, details=details)
    return value


def _counts(usage: dict[str, JSON]) -> JSON:
    """The whole numbers of the usage, in its groups too; whatever else stands there is left out."""
    found = {name: _counts(value) if isinstance(value, dict) else _whole(value) for name, value in usage.items()}
    return {name: value for name, value in found.items() if value not in (None, {})}


def _whole(value: JSON) -> int | None:
    if type(value) is float and value.is_integer():
        return int(value)
    return value if type(value) is int else None


def _cost(completion: dict[str, JSON]) -> float | None:
    """What the endpoint says that it costs, in its own unit: no two count alike."""
    usage = completion.get("usage")
    for holder in (usage if isinstance(usage, dict) else {}, completion):
        cost = holder.get("cost")
        if isinstance(cost, int | float) and not isinstance(cost, bool) and math.isfinite(cost):
            return float(cost)
    return None


def _not_understood(how: str, answer: JSON, attempted: Attempted) -> ActionFailed:
    text = answer if isinstance(answer, str) else json_values.dump(answer)
    message, details = f"the answer is no chat completion: it {how}", {"body": text[:SHOWN_CHARACTERS]}
    return ActionFailed("invalid_output", message, retryable=attempted.repeatable, details=details)
