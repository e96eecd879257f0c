"""Traceway's HTTP API as the demo uses it: sent again until answered, safely, under one Idempotency-Key."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import httpx

PATIENCE_SECONDS = 120.0
"""How long one request is sent again while nobody answers it."""
PAUSE_SECONDS = 0.25
PASSING = {429, 502, 503, 504}
"""Statuses that say `not now`."""
CONNECTIONS = 8


class Unanswered(Exception):
    """The API refused a request, or nobody answered it for PATIENCE_SECONDS; str() says which and why."""


class Abandoned(Exception):
    """The demo is over while a request was still waiting to be sent again."""


class Api:
    """One tenant's view of the API at `address`, with the key `key`. Safe to use from several threads."""

    def __init__(self, address: str, key: str) -> None:
        self._client = httpx.Client(
            base_url=address,
            headers={"Authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(30.0),
            limits=httpx.Limits(max_connections=CONNECTIONS + 2, max_keepalive_connections=CONNECTIONS + 2),
            trust_env=False,
        )
        self._over = threading.Event()

    def get(self, path: str, **query: str | int) -> Any:
        """The body of a 200 answer. Raises Unanswered, Abandoned."""
        return self._send("GET", path, params=query).json()

    def post(self, path: str, body: Any, key: str) -> Any:
        """The body of a 2xx answer; done once however often it is sent, for `key` names the request."""
        return self._send("POST", path, json=body, headers={"Idempotency-Key": key}).json()

    def close(self) -> None:
        """Give up whatever is still being sent again; the API cannot be used after this."""
        self._over.set()
        self._client.close()

    def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE_SECONDS
        trouble, pause = "", 0.0
        while not self._over.wait(pause):
            if time.monotonic() > deadline:
                raise Unanswered(f"{method} {path}, for {PATIENCE_SECONDS:.0f} s: {trouble}")
            try:
                response = self._client.request(method, path, **arguments)
            except httpx.TransportError as error:
                trouble, pause = f"{type(error).__name__}: {error}", PAUSE_SECONDS
                continue
            if response.is_success:
                return response
            trouble, pause = f"{response.status_code} {response.text}", _pause(response.headers)
            if not _passing(response):
                raise Unanswered(f"{method} {path}: {trouble}")
        raise Abandoned(f"{method} {path}: {trouble}")


def _passing(response: httpx.Response) -> bool:
    """A twin of this very request may still be at work: its 409 carries Retry-After, a real conflict does not."""
    return response.status_code in PASSING or (response.status_code == 409 and "Retry-After" in response.headers)


def _pause(headers: Mapping[str, str]) -> float:
    after = headers.get("Retry-After", "")
    return float(after) if after.isdecimal() else PAUSE_SECONDS
