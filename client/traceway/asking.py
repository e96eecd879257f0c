"""Requests as programs: sent again until they are answered, safely, for every mutation carries one Idempotency-Key."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx

from traceway import dialects
from traceway.effects import Emit, Flow, Open, Program, Reply, Request, Send, Sleep
from traceway.errors import TracewayError, Unreachable
from traceway.retries import IN_PROGRESS, LOST, NOT_NOW, Retry, told_to_wait

T = TypeVar("T")
PAGE = 100
KEY = "Idempotency-Key"


@dataclass(slots=True)
class Patience:
    """The tries of one request: how many there were, and until when there will be more."""

    retry: Retry
    what: str
    key: str | None = None
    tries: int = 0
    ends: float = field(init=False)

    def __post_init__(self) -> None:
        self.ends = self.retry.clock() + self.retry.seconds

    def again(self, trouble: TracewayError | httpx.TransportError, told: float | None = None) -> Program[None]:
        """Return when it is time for the next try. Raises what stands for `trouble` where the time would be over."""
        self.tries += 1
        pause = self.retry.pause(self.tries, told)
        if self.retry.clock() + pause <= self.ends:
            yield Sleep(pause)
            return
        if isinstance(trouble, TracewayError):
            raise trouble
        said = str(trouble) or type(trouble).__name__
        message = f"{self.what}: no answer after {self.tries} tries in {self.retry.seconds:.0f} s: {said}"
        raise Unreachable(message, self.key) from trouble


def path(template: str, **parts: str) -> str:
    """`template` with its `{names}` filled in, each as one segment."""
    return template.format(**{name: quote(part, safe=":") for name, part in parts.items()})


def get(at: str, query: Mapping[str, Any] | None = None) -> Request:
    """A GET; members of `query` that are None are left out."""
    return Request("GET", at, query={name: value for name, value in (query or {}).items() if value is not None})


def post(
    at: str,
    body: Mapping[str, Any] | None = None,
    *,
    key: str | None = None,
    method: str = "POST",
    wait: float = 0,
    silent: float = 0,
) -> Request:
    """A mutation, done once however often it is sent. Members of `body` that are None are left out.

    `wait`: for how many seconds the answer may wait for the execution's end, `silent`: for anything else.
    """
    given = {name: value for name, value in (body or {}).items() if value is not None}
    headers = {KEY: key or str(uuid4())} | ({"Prefer": f"wait={min(30, max(1, round(wait)))}"} if wait > 0 else {})
    return Request(method, at, headers=headers, body=_json(given), seconds=30.0 + wait + silent)


def keyless(at: str, body: Mapping[str, Any]) -> Request:
    """A POST that changes nothing and so takes no key. `body` goes as it is."""
    return Request("POST", at, body=_json(body))


def ask(retry: Retry, request: Request, read: Callable[[Any], T]) -> Program[T]:
    """What `read` makes of the answer. Raises ApiError, Unreachable, UnexpectedAnswer."""
    reply = yield from answered(retry, request)
    return read(dialects.result(request.path, reply))


def answered(retry: Retry, request: Request, effect: type[Send | Open] = Send) -> Program[Reply]:
    """The answer to `request`, a success. Raises ApiError, Unreachable."""
    patience = Patience(retry, f"{request.method} {request.path}", request.headers.get(KEY))
    while True:
        try:
            reply: Reply = yield effect(request)
        except LOST as error:
            yield from patience.again(error)
            continue
        except httpx.TransportError as error:
            raise Unreachable(f"{patience.what}: {error}", patience.key) from error
        if reply.is_success:
            return reply
        refusal = dialects.refusal(reply)
        if reply.status not in NOT_NOW and refusal.reason != IN_PROGRESS:
            raise refusal
        yield from patience.again(refusal, told_to_wait(reply))


def one_page(retry: Retry, at: str, query: Mapping[str, Any]) -> Program[tuple[list[Any], str | None]]:
    """The items of one page of a list, and the cursor of the next one."""
    reply = yield from answered(retry, get(at, query))
    return dialects.page(at, reply)


def pages(
    retry: Retry, at: str, query: Mapping[str, Any], read: Callable[[Any], T], limit: int | None = None
) -> Flow[T]:
    """What a list holds, page by page; at most `limit` items."""
    left, cursor = limit, None
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        items, cursor = yield from one_page(retry, at, {**query, "limit": size, "cursor": cursor})
        for item in items:
            yield Emit(read(item))
        if cursor is None:
            return
        left = None if left is None else left - len(items)


def as_it_is(value: Any) -> Any:
    """For answers that have no class of their own."""
    return value


def nothing(_: Any) -> None:
    """For answers that hold nothing."""


def _json(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
