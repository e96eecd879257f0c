"""How the API's three dialects wrap what they answer: results, pages and refusals. The path says which one speaks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from traceway.effects import Reply
from traceway.errors import ApiError, Problem, UnexpectedAnswer, class_of

_BARE = re.compile(r"/v1/(workflows|orchestrations|agents)(/|$)")
_DATA = re.compile(r"/api/v2(/|$)")


def result(path: str, reply: Reply) -> Any:
    """What a success holds, without its envelope; None where it has no body. Raises UnexpectedAnswer."""
    if not reply.body:
        return None
    body = _json(reply)
    if _BARE.match(path):
        return body
    if not isinstance(body, dict) or "data" not in body:
        raise UnexpectedAnswer(f"{path} answered {reply.status} without `data`")
    return body["data"]


def page(path: str, reply: Reply) -> tuple[list[Any], str | None]:
    """The items of a page and the cursor of the next one. Raises UnexpectedAnswer."""
    body = _json(reply)
    try:
        if _DATA.match(path):
            return list(body["data"]), (body.get("meta") or {}).get("next_cursor")
        listing = body if _BARE.match(path) else body["data"]
        return list(listing["items"]), listing.get("next_cursor") or listing.get("nextCursor")
    except (KeyError, TypeError, AttributeError) as error:
        raise UnexpectedAnswer(f"{path} answered {reply.status} with no list") from error


def refusal(reply: Reply) -> ApiError:
    """The error that an answer other than a success stands for, in whichever dialect it is."""
    try:
        body = json.loads(reply.body)
    except ValueError:
        body = None
    told: Mapping[str, Any] = body if isinstance(body, dict) else {}
    details = told.get("details")
    if isinstance(details, dict):
        reason, problems = details.get("reason"), _problems(details.get("errors"))
    elif isinstance(details, list):
        problems = _problems(details)
        reason = next((problem.code for problem in problems if not problem.field), None)
    else:
        reason, problems = told.get("code"), _named(told.get("errors"))
    reason = reason if isinstance(reason, str) else _plain_reason(reply.status)
    return class_of(reply.status, reason)(
        str(told.get("message") or f"HTTP {reply.status}"),
        status=reply.status,
        reason=reason,
        problems=[problem for problem in problems if problem.field],
        request_id=reply.headers.get("X-Request-ID"),
    )


def _problems(listed: Any) -> list[Problem]:
    found = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    return [Problem(*(str(item.get(name, "")) for name in ("field", "code", "message"))) for item in found]


def _named(errors: Any) -> list[Problem]:
    """`{"field": ["what is wrong"]}`, as data orchestration tells it; its fields become pointers."""
    given = errors if isinstance(errors, dict) else {}
    return [
        Problem("/" + str(name).replace(".", "/"), "invalid", str(message))
        for name, messages in given.items()
        for message in (messages if isinstance(messages, list) else [messages])
    ]


def _plain_reason(status: int) -> str | None:
    return {400: "invalid_input", 422: "invalid_input", 401: "unauthenticated"}.get(status)


def _json(reply: Reply) -> Any:
    try:
        return json.loads(reply.body)
    except ValueError as error:
        said = reply.headers.get("Content-Type", "something")
        raise UnexpectedAnswer(f"expected JSON, got {said} with status {reply.status}") from error
