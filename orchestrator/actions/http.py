"""The http step: one request, its answer bounded in time and size, judged by its status."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from contract import json_values
from contract.json_values import JSON, InvalidJson
from orchestrator.actions.action import ActionFailed, Attempted
from orchestrator.actions.egress import MAX_REDIRECTS, EgressRefused, redirected


class HttpAction:
    """Carries http steps out. Output: {status, headers, body}; a JSON body is parsed, any other is text."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def __call__(self, config: dict[str, JSON], attempted: Attempted) -> JSON:
        request = self._request(config, attempted)
        response, body = send(self._client, request, attempted)
        output = {"status": response.status_code, "headers": dict(response.headers), "body": _value(response, body)}
        judge(response, body, config["expected_status"])
        return output

    def _request(self, config: dict[str, JSON], attempted: Attempted) -> httpx.Request:
        headers = {"Idempotency-Key": attempted.idempotency_key, **config["headers"]}
        body = config.get("body")
        seconds = min(config["timeout_seconds"], attempted.seconds)
        try:
            return self._client.build_request(
                config["method"],
                config["url"],
                headers=headers,
                params=config["query"] or None,
                content=body if isinstance(body, str) else None,
                json=None if body is None or isinstance(body, str) else body,
                timeout=seconds,
            )
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError, TypeError) as error:
            raise ActionFailed("invalid_request", f"the request cannot be made: {error}", retryable=False) from error


def send(client: httpx.Client, request: httpx.Request, attempted: Attempted) -> tuple[httpx.Response, bytes]:
    """The answer and its body, redirects of GET and HEAD followed. Raises ActionFailed."""
    try:
        for _ in range(MAX_REDIRECTS + 1):
            response = client.send(request, stream=True)
            try:
                body = _read(response, attempted.output_bytes)
            finally:
                response.close()
            following = redirected(response)
            if following is None:
                return response, body
            request = following
    except EgressRefused as error:
        raise ActionFailed("egress_refused", str(error), retryable=False) from error
    except httpx.TimeoutException as error:
        raise ActionFailed("timeout", f"no answer in time from {request.url.host}") from error
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError) as error:
        raise ActionFailed("invalid_request", f"the request cannot be made: {error}", retryable=False) from error
    except httpx.HTTPError as error:
        raise ActionFailed("connection_failed", f"{request.url.host}: {type(error).__name__}: {error}") from error
    raise ActionFailed("too_many_redirects", f"more than {MAX_REDIRECTS} redirects", retryable=False)


def judge(response: httpx.Response, body: bytes, expected: JSON) -> None:
    """Raise ActionFailed unless the status is one of `expected` ([first, last] ranges)."""
    status = response.status_code
    if any(first <= status <= last for first, last in expected):
        return
    excerpt = body[:500].decode("utf-8", "replace")
    raise ActionFailed(
        "http_status",
        f"{response.request.method} {response.request.url.copy_with(query=None, userinfo=b'')} answered {status}",
        retryable=status in {408, 425, 429} or status >= 500,
        retry_after=_retry_after(response.headers.get("Retry-After")),
        details={"status": status, "body": excerpt.replace("\x00", "\ufffd")},
    )


def _read(response: httpx.Response, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    for part in response.iter_bytes():
        size += len(part)
        if size > limit:
            raise ActionFailed("output_too_large", f"the answer has more than {limit:,} bytes", retryable=False)
        parts.append(part)
    return b"".join(parts)


def _value(response: httpx.Response, body: bytes) -> JSON:
    if not body:
        return None
    text = body.decode(response.charset_encoding or "utf-8", "replace").replace("\x00", "\ufffd")
    kind = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        return text
    try:
        return json_values.parse(body)
    except InvalidJson as error:
        raise ActionFailed("invalid_output", f"the answer calls itself JSON but is not: {error}") from error


def _retry_after(header: str | None) -> float | None:
    """Seconds, from either form of the header (RFC 9110, section 10.2.3); None where it is neither."""
    if header is None:
        return None
    if header.strip().isdigit():
        return float(min(int(header), 86_400))
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
