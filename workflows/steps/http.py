"""http: what a request may say. Sending it is the orchestrator's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from contract.json_values import JSON
from workflows.effects import Effect
from workflows.expressions import Scope
from workflows.failures import StepFailed
from workflows.programs import EffectfulProgram
from workflows.reading import Members
from workflows.secret_references import hidden
from workflows.steps.addresses import MASK, check_url, read_effect, read_url
from workflows.templating import Template
from workflows.tools import ToolRegistry

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
CREDENTIAL_HEADERS = frozenset(
    {"api-key", "authorization", "cookie", "proxy-authorization", "set-cookie", "x-api-key", "x-auth-token"}
)
EXPECTED = [[200, 299]]
TIMEOUT_SECONDS = 30.0

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}\Z")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*\Z")
_SET_BY_US = frozenset({"connection", "content-length", "host", "idempotency-key", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class _Parts:
    url: Template
    headers: Template | None
    query: Template | None
    body: Template | None

    def present(self) -> dict[str, Template]:
        named = {"url": self.url, "headers": self.headers, "query": self.query, "body": self.body}
        return {name: part for name, part in named.items() if part is not None}


class HttpRequest(EffectfulProgram):
    """Resolves to {method, url, headers, query, body, expected_status, timeout_seconds}.

    `headers` and `query` map names to strings (in `query` also to lists of strings); `expected_status` is a list of
    [first, last]; `body` is absent when there is none.
    """

    def __init__(
        self, method: str, parts: _Parts, expected: list[list[int]], timeout_seconds: float, effect: Effect
    ) -> None:
        self.effect = effect
        self._fixed = {"method": method, "expected_status": expected, "timeout_seconds": timeout_seconds}
        self._parts = parts.present()

    def resolve(self, scope: Scope) -> dict[str, JSON]:
        return self.checked(self._fixed | {name: part.resolve(scope) for name, part in self._parts.items()})

    def checked(self, config: dict[str, JSON]) -> dict[str, JSON]:
        check_url(config["url"])
        headers = {name: _header(name, value) for name, value in config.get("headers", {}).items()}
        query = {name: _query(name, value) for name, value in config.get("query", {}).items()}
        return {**config, "headers": headers, "query": query}

    def credentials(self, config: dict[str, JSON]) -> list[str]:
        return [value for name, value in config["headers"].items() if name.lower() in CREDENTIAL_HEADERS]

    def recorded(self, resolved: dict[str, JSON]) -> dict[str, JSON]:
        headers = {k: MASK if k.lower() in CREDENTIAL_HEADERS else v for k, v in resolved["headers"].items()}
        shown: dict[str, JSON] = hidden({**resolved, "headers": headers})
        return shown


def compile_config(config: Members, _tools: ToolRegistry) -> HttpRequest | None:
    known = len(config.notes.problems)
    method = _method(config)
    url = read_url(config)
    headers = config.template("headers", kind=dict)
    _check_headers(config, headers)
    query, body = config.template("query", kind=dict), config.template("body")
    expected = _expected(config)
    timeout_seconds = config.number("timeout_seconds", TIMEOUT_SECONDS, least=0.1, most=3_600)
    effect = read_effect(config)
    config.refuse_others()
    if url is None or len(config.notes.problems) > known:
        return None
    return HttpRequest(method, _Parts(url, headers, query, body), expected, timeout_seconds, effect)


def _method(config: Members) -> str:
    method = (config.text("method", required=True) or "GET").upper()
    if method not in METHODS:
        config.report("method", "invalid", f"`method` is one of {', '.join(METHODS)}")
    return method


def _check_headers(config: Members, headers: Template | None) -> None:
    for name in {} if headers is None else headers.raw:
        if not _HEADER_NAME.match(name) or name.lower() in _SET_BY_US:
            config.report("headers", "invalid", f"`{name[:100]}` is no header that may be set")


def _expected(config: Members) -> list[list[int]]:
    """[first, last] of each item, which is a status or such a range; one status may stand alone."""
    given = config.take("expected_status")
    items = [given] if type(given) is int else config.typed("expected_status", list)
    if items is None:
        return EXPECTED
    ranges: list[Any] = [[item, item] if type(item) is int else item for item in items]
    if not ranges or not all(_is_range(item) for item in ranges):
        message = "`expected_status` is a list of statuses from 100 to 599 and of ranges [first, last] of them"
        config.report("expected_status", "invalid", message)
        return EXPECTED
    return ranges


def _is_range(item: JSON) -> bool:
    if not (isinstance(item, list) and len(item) == 2 and all(type(status) is int for status in item)):
        return False
    return bool(100 <= item[0] <= item[1] <= 599)


def _header(name: str, value: JSON) -> str:
    text = _scalar(value)
    if text is None or not _HEADER_VALUE.match(str(hidden(text))):
        raise StepFailed("invalid_request", f"the header {name} is no single line of text")
    return text


def _query(name: str, value: JSON) -> str | list[str]:
    texts = [_scalar(item) for item in value] if isinstance(value, list) else [_scalar(value)]
    found = [text for text in texts if text is not None]
    if len(found) != len(texts):
        raise StepFailed("invalid_request", f"the query parameter {name} is no text, number, boolean or list of them")
    return found if isinstance(value, list) else found[0]


def _scalar(value: JSON) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None
