"""/openapi.json, and /docs: the page that shows it, without any address but our own."""

from __future__ import annotations

import hashlib
from functools import cache
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.http import parse_etags

from config.openapi.document import document
from config.readable import readable
from contract import json_values
from contract.answers import JSON_TYPE, Answers, Success, Wrapping
from contract.schema import OBJECT, TEXT

_ETAG = {"ETag": TEXT}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' {server}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@cache
def _written() -> tuple[bytes, str]:
    """The document's bytes and its ETag."""
    text = json_values.dump(document()).encode()
    return text, f'"{hashlib.sha256(text).hexdigest()}"'


@readable(
    Answers(
        (
            Success(200, OBJECT, "The document.", Wrapping.NONE, _ETAG),
            Success(304, None, "It is the one that If-None-Match names.", Wrapping.NONE, _ETAG),
        )
    )
)
def openapi(request: HttpRequest) -> HttpResponse:
    """This document"""
    text, etag = _written()
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if etag in parse_etags(request.headers.get("If-None-Match", "")):
        return HttpResponse(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    return HttpResponse(text, JSON_TYPE, headers=headers)


@readable(Answers((Success(200, TEXT, "The page.", Wrapping.NONE, media_type="text/html"),)))
def docs(request: HttpRequest) -> HttpResponse:
    """This document as a page for people"""
    policy = _POLICY.format(server=settings.PUBLIC_URL)
    return TemplateResponse(request, "config/docs.html", headers={"Content-Security-Policy": policy}).render()
