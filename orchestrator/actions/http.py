"""The http step: one request, its answer bounded in time and size, judged by its status."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from contract.json_values import JSON
from orchestrator.actions import answers
from orchestrator.actions.action import ActionFailed, Attempted
from tenants.egress import MAX_REDIRECTS, REPEATABLE, EgressRefused, redirected
from workflows.steps.addresses import MASK
from workflows.steps.http import CREDENTIAL_HEADERS

ANY_2XX = [[200, 299]]
MAX_RETRY_AFTER = 86_400
_NOTHING_DONE = frozenset({408, 425, 429, 503})
"""Statuses by which a server says that it has not acted on the request but may later."""
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class HttpAction:
    """Carries http steps out. Output: {status, headers, body}; a JSON body is parsed, any other is text.

    `headers` have lower-case names; values of a repeated one are joined by ", ". Those that carry credentials, as
    Set-Cookie does, are masked: an output stands on record.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def __call__(self, config: dict[str, JSON], attempted: Attempted) -> JSON:
        seconds = min(config["timeout_seconds"], attempted.seconds)
        request = self._request(config, attempted, seconds)
        response, body = send(self._client, request, attempted, config["expected_status"], seconds)
        return {
            "status": response.status_code,
            "headers": {name: MASK if name in CREDENTIAL_HEADERS else text for name, text in response.headers.items()},
            "body": answers.value(response, body, attempted),
        }

    def _request(self, config: dict[str, JSON], attempted: Attempted, seconds: float) -> httpx.Request:
        headers = [(b"Idempotency-Key", attempted.idempotency_key.encode())]
        headers += [(name.encode(), value.strip(" \t").encode("latin-1")) for name, value in config["headers"].items()]
        body = config.get("body")
        return built(
            self._client,
            config["method"],
            config["url"],
            query=config["query"],
            headers=headers,
            content=body if isinstance(body, str) else None,
            json=None if body is None or isinstance(body, str) else body,
            timeout=seconds,
        )


def built(client: httpx.Client, method: str, url: str, *, query: JSON = None, **parts: Any) -> httpx.Request:
    """The request, `query` added to its address. Raises ActionFailed(invalid_request)."""
    try:
        address = httpx.URL(url).copy_merge_params(query) if query else url
        return client.build_request(method, address, **parts)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise ActionFailed("invalid_request", f"the request cannot be made: {error}", retryable=False) from error


def send(
    client: httpx.Client, request: httpx.Request, attempted: Attempted, expected: JSON, seconds: float
) -> tuple[httpx.Response, bytes]:
    """The answer and its body, its status one of `expected` ([first, last] ranges). Raises ActionFailed.

    Redirects of GET and HEAD are followed, except one whose own status is expected. Every wait on the connection is
    at most `seconds`, and no part of a body is waited for once they are over.
    """
    until = time.monotonic() + seconds
    request.extensions = {**request.extensions, REPEATABLE: attempted.repeatable}
    following: httpx.Request | None = request
    for _ in range(MAX_REDIRECTS + 1):
        response, body, following = _send_once(client, request, attempted, expected, until)
        if following is None:
            return response, body
        request = following
    raise ActionFailed("too_many_redirects", f"more than {MAX_REDIRECTS} redirects", retryable=False)


def _send_once(
    client: httpx.Client, request: httpx.Request, attempted: Attempted, expected: JSON, until: float
) -> tuple[httpx.Response, bytes, httpx.Request | None]:
    try:
        response = client.send(request, stream=True)
        try:
            following = None if _is_expected(response, expected) else redirected(response)
            if following is not None:
                return response, b"", following
            body = answers.read(response, attempted, until)
        finally:
            response.close()
    except (EgressRefused, httpx.HTTPError, httpx.InvalidURL) as error:
        raise _failure(error, request, attempted) from error
    if not _is_expected(response, expected):
        raise _refusal(response, body, attempted)
    return response, body, None


def _is_expected(response: httpx.Response, expected: JSON) -> bool:
    return any(first <= response.status_code <= last for first, last in expected)


def _failure(error: Exception, request: httpx.Request, attempted: Attempted) -> ActionFailed:
    """What went wrong on the way, in words that hold nothing of the request but its host."""
    host = request.url.host
    sent = not isinstance(error, _NEVER_SENT)
    again = attempted.repeatable or not sent
    match error:
        case EgressRefused():
            return ActionFailed("egress_refused", str(error), retryable=False)
        case httpx.TimeoutException():
            return ActionFailed("timeout", f"no answer in time from {host}", retryable=again, ambiguous=sent)
        case httpx.LocalProtocolError():
            return ActionFailed("invalid_request", "the request cannot be written as HTTP", retryable=False)
        case httpx.UnsupportedProtocol() | httpx.InvalidURL():
            return ActionFailed("invalid_request", f"the request cannot be made: {error}", retryable=False)
        case _:
            message = f"{host}: {type(error).__name__}: {error}"
            return ActionFailed("connection_failed", message, retryable=again, ambiguous=sent)


def _refusal(response: httpx.Response, body: bytes, attempted: Attempted) -> ActionFailed:
    status = response.status_code
    ambiguous = status >= 500 and status not in _NOTHING_DONE
    address = response.request.url.copy_with(query=None, fragment=None, userinfo=b"")
    return ActionFailed(
        "http_status",
        f"{response.request.method} {address} answered {status}",
        retryable=attempted.repeatable or not ambiguous,
        ambiguous=ambiguous,
        on_request=status < 500 and status not in _NOTHING_DONE,
        retry_after=retry_after(response.headers.get("Retry-After")),
        details={"status": status, "body": answers.text(body[:500])},
    )


def retry_after(header: str | None) -> float | None:
    """Seconds, from either form of the header (RFC 9110, section 10.2.3); None where it is neither."""
    if header is None:
        return None
    try:
        if header.strip().isdecimal():
            seconds = float(header)
        else:
            seconds = (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)
