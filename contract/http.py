"""What every answer and every body has in common: the request id, strict JSON in, JSON out, absolute addresses.

Who is calling, and the order in which a request is checked, is tenants/door.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, cast
from uuid import uuid4

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.response import Response

from contract import json_values
from contract.json_values import JSON
from contract.problems import FieldProblem, MalformedBody, PayloadTooLarge, UnsupportedMediaType

logger = structlog.get_logger(__name__)

MIB = 1024 * 1024
BODY_LIMIT = MIB
DEFINITION_LIMIT = 8 * MIB
PUBLIC_LIMIT = 64 * 1024

WAITS_LATER = "traceway.waits_later"
"""In a request's META: whether its server waits, where an answer has to, without a thread."""

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
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
            if request.method not in _READING and response.status_code < 400:
                # Of the others Django itself says something.
                logger.info("request_answered", method=request.method, path=request.path, status=response.status_code)
        response.headers["X-Request-ID"] = name
        return response


def current_request() -> str | None:
    """The id of the request that is being answered here; None in a process or a thread that answers none."""
    found: str | None = structlog.contextvars.get_contextvars().get("request_id")
    return found


def request_id(request: object) -> str:
    """The id that RequestIdMiddleware gave this request (Django's or DRF's)."""
    return cast("str", getattr(request, "request_id", ""))


def absolute(path: str) -> str:
    """The address of `path` (which starts with /) as the world sees it: never taken from the request's Host."""
    return f"{settings.PUBLIC_URL}{path}"


class Waiting(Protocol):
    """What is waited for before an answer is sent, for so many seconds at most, while no thread is held."""

    @property
    def seconds(self) -> float: ...

    @property
    def settle(self) -> Callable[[], HttpResponse]:
        """Gives the answer as it is then, in a thread; one that waits again where it came to nothing."""

    def watch(self, wake: Callable[[], object]) -> Callable[[], None]:
        """Have `wake` called, in any thread, when it has come; what is returned ends the watch."""


class Answer(Response):
    """A JSON answer. `unstored` names, as JSON Pointers into `body`, what a stored copy has null instead of."""

    wait: Waiting | None = None
    """For a server that says WAITS_LATER: it sends the answer once that is over and settled."""

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

    def settle(self) -> None:
        """Have an answer that is ready to be sent say what its wait came to, which may be another wait."""
        assert self.wait is not None, "it waits for something"
        settled = self.wait.settle()
        self.wait = settled.wait if isinstance(settled, Answer) else None
        if self.wait is not None:
            return
        self.status_code = settled.status_code
        self.content = JsonRenderer().render(settled.data) if isinstance(settled, Answer) else settled.content
        for name in {"Link", *settled.headers} - {"Content-Type"}:
            if name in settled:
                self[name] = settled[name]
            else:
                del self[name]
        self["Content-Length"] = str(len(self.content))


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
        text = _taken(stream, media_type or "", (parser_context or {}).get("limit", BODY_LIMIT))
        if not text:
            return {}
        try:
            return json_values.parse(text)
        except json_values.InvalidJson as error:
            raise MalformedBody(str(error), fields=[FieldProblem(error.pointer, "invalid_json", str(error))]) from error


def read_json(request: HttpRequest, limit: int) -> JSON:
    """The body of `request` by StrictJSONParser, of at most `limit` bytes, however it is transferred."""
    return StrictJSONParser().parse(_stream(request), request.headers.get("Content-Type", ""), {"limit": limit})


def read_bytes(request: HttpRequest, limit: int) -> bytes:
    """The body of `request` as it came, for a signature over it: declared as JSON, of at most `limit` bytes."""
    return _taken(_stream(request), request.headers.get("Content-Type", ""), limit)


def _stream(request: HttpRequest) -> Any:
    # Django takes a body without a Content-Length for an empty one; the server has already decoded the chunks.
    chunked = "HTTP_TRANSFER_ENCODING" in request.META and request.META.get("wsgi.input_terminated")
    return request.META["wsgi.input"] if chunked else request


def _taken(stream: Any, media_type: str, limit: int) -> bytes:
    text: bytes = stream.read(limit + 1)
    if len(text) > limit:
        raise PayloadTooLarge(f"the body is larger than {limit} bytes")
    if text:
        _check_media_type(media_type)
    return text


def _check_media_type(value: str) -> None:
    kind, *parameters = value.split(";")
    named = (parameter.partition("=") for parameter in parameters)
    charsets = [text.strip(' "').lower() for name, _, text in named if name.strip().lower() == "charset"]
    if kind.strip().lower() != "application/json" or not {"utf-8", "utf8"}.issuperset(charsets):
        message = "the body must be application/json in UTF-8"
        problem = FieldProblem("header.Content-Type", UnsupportedMediaType.reason, message)
        raise UnsupportedMediaType(message, fields=[problem])
