"""What every answer and every body has in common: the request id, strict JSON in, JSON out, absolute addresses.

Who is calling, and the order in which a request is checked, is tenants/door.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast
from uuid import uuid4

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.response import Response

from contract import json_values
from contract.json_values import JSON
from contract.problems import FieldProblem, MalformedBody, PayloadTooLarge, UnsupportedMediaType

MIB = 1024 * 1024
BODY_LIMIT = MIB
DEFINITION_LIMIT = 8 * MIB
PUBLIC_LIMIT = 64 * 1024

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestIdMiddleware:
    """Gives each request an id (the caller's own, if it is well formed), binds it to the logs, and answers with it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-ID", "")
        name = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        request.request_id = name  # type: ignore[attr-defined]
        with structlog.contextvars.bound_contextvars(request_id=name):
            response = self.get_response(request)
        response.headers["X-Request-ID"] = name
        return response


def request_id(request: object) -> str:
    """The id that RequestIdMiddleware gave this request (Django's or DRF's)."""
    return cast("str", getattr(request, "request_id", ""))


def absolute(path: str) -> str:
    """The address of `path` (which starts with /) as the world sees it: never taken from the request's Host."""
    return f"{settings.PUBLIC_URL}{path}"


class Answer(Response):
    """A JSON answer. `unstored` names, as JSON Pointers into `body`, what a stored copy has null instead of."""

    def __init__(
        self,
        body: JSON = None,
        status: int = 200,
        *,
        headers: Mapping[str, str] | None = None,
        unstored: Sequence[str] = (),
    ) -> None:
        super().__init__(body, status=status, headers=dict(headers or {}))
        self.unstored = tuple(unstored)


class JsonRenderer(BaseRenderer):
    """JSON exactly as json_values writes it; nothing at all for a body of None."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, media_type: str | None = None, context: Mapping[str, Any] | None = None) -> bytes:  # noqa: ARG002
        """The bytes of the answer."""
        return b"" if data is None else json_values.dump(data).encode()


class JsonRegardless(BaseContentNegotiation):
    """Answers JSON, whatever Accept says."""

    def select_parser(self, request: Any, parsers: Iterable[Any]) -> Any:  # noqa: ARG002
        """The one parser."""
        return next(iter(parsers))

    def select_renderer(self, request: Any, renderers: Iterable[Any], format_suffix: str | None = None) -> Any:  # noqa: ARG002
        """The one renderer and its media type."""
        return next(iter(renderers)), JsonRenderer.media_type


class StrictJSONParser(BaseParser):
    """A body as JSON: 413, then 415, then 400. An absent body is {}."""

    media_type = "*/*"

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> JSON:
        """The value; `parser_context["limit"]` is the most bytes it may have. Raises a Refusal."""
        limit = (parser_context or {}).get("limit", BODY_LIMIT)
        text = stream.read(limit + 1)
        if len(text) > limit:
            raise PayloadTooLarge(f"the body is larger than {limit} bytes")
        if not text:
            return {}
        _check_media_type(media_type or "")
        try:
            return json_values.parse(text)
        except json_values.InvalidJson as error:
            raise MalformedBody(str(error), fields=[FieldProblem(error.pointer, "invalid_json", str(error))]) from error


def read_json(request: HttpRequest, limit: int) -> JSON:
    """The body of `request` by StrictJSONParser, of at most `limit` bytes, however it is transferred."""
    # Django takes a body without a Content-Length for an empty one; the server has already decoded the chunks.
    chunked = "HTTP_TRANSFER_ENCODING" in request.META and request.META.get("wsgi.input_terminated")
    stream = request.META["wsgi.input"] if chunked else request
    return StrictJSONParser().parse(stream, request.headers.get("Content-Type", ""), {"limit": limit})


def _check_media_type(value: str) -> None:
    kind, _, rest = value.partition(";")
    name, _, charset = rest.strip().partition("=")
    utf8 = name.strip().lower() != "charset" or charset.strip(' "').lower() in {"utf-8", "utf8"}
    if kind.strip().lower() != "application/json" or not utf8:
        raise UnsupportedMediaType("the body must be application/json in UTF-8")
