"""Errors: every exception becomes a Refusal, every Refusal the body of its path's dialect. The one place of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions as drf

from contract import json_values
from contract.away import Unreachable
from contract.dialects import Dialect
from contract.http import request_id
from contract.json_values import JSON
from contract.problems import (
    FieldProblem,
    Forbidden,
    InvalidContent,
    InvalidInput,
    MalformedBody,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    Refusal,
    Unauthenticated,
    Unavailable,
    UnknownReference,
    UnsupportedMediaType,
)

logger = structlog.get_logger(__name__)

WORKFLOW_CODES = {
    400: "INVALID_INPUT",
    401: "UNAUTHORIZED",
    402: "PAYMENT_REQUIRED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "CONFLICT",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    429: "RATE_LIMITED",
    500: "INTERNAL_ERROR",
    503: "SERVICE_UNAVAILABLE",
}


class Failure(Refusal):
    """Something is wrong with this product, not with the request; nothing of it is shown."""

    status = 500
    reason = "internal_error"


def handle(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """DRF's exception handler."""
    return answer(context["request"], refusal_for(error))


def unknown_path(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001
    """Django's 404."""
    return answer(request, NotFound("there is nothing at this path"))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 400, for instance for a Host that is not ours."""
    return answer(request, refusal_for(exception))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001
    """Django's 403."""
    return answer(request, Forbidden("this is not allowed"))


def failure(request: HttpRequest) -> HttpResponse:
    """Django's 500; Django has logged the exception by now."""
    return answer(request, Failure(_FAILED))


def answer(request: Any, refusal: Refusal) -> HttpResponse:
    """The refusal in the dialect of the request's path."""
    dialect, name = Dialect.of(request.path), request_id(request)
    status = _status(refusal, dialect)
    body = _BODIES[dialect](refusal, status, name)
    return HttpResponse(json_values.dump(body), "application/json", status, headers=refusal.headers)


def refusal_for(error: Exception) -> Refusal:
    """The refusal that `error` is, or stands for. An unexpected one is logged and tells the caller nothing."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, OperationalError | InterfaceError):
        logger.error("database_unavailable", exc_info=error)
        return Unavailable("the database does not answer; try again", headers={"Retry-After": "1"})
    if isinstance(error, Unreachable):
        logger.error("payload_store_unavailable", exc_info=error)
        return Unavailable("the payload store does not answer; try again", headers={"Retry-After": "1"})
    if isinstance(error, drf.APIException):
        return _of_framework(error)
    for kinds, refusal in _OF_DJANGO:
        if isinstance(error, kinds):
            return refusal
    logger.error("request_failed", exc_info=error)
    return Failure(_FAILED)


_FAILED = "something went wrong here; the request id says what, to those who run this service"
_OF_DJANGO: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Refusal], ...] = (
    (Http404, NotFound("there is nothing at this path")),
    (PermissionDenied, Forbidden("this is not allowed")),
    (RequestDataTooBig, PayloadTooLarge("the body is too large")),
    # An OSError that Django raises where the client went away in the middle of its body has the same answer.
    ((SuspiciousOperation, BadRequest, OSError), InvalidInput("the request is not valid HTTP for this service")),
)
_OF_DRF: Mapping[int, type[Refusal]] = {
    400: MalformedBody,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    415: UnsupportedMediaType,
    429: RateLimited,
}


def _of_framework(error: drf.APIException) -> Refusal:
    kind = _OF_DRF.get(error.status_code)
    if kind is None:
        logger.error("request_failed", exc_info=error)
        return Failure(_FAILED)
    wait = getattr(error, "wait", None)
    return kind(str(error.detail), headers={"Retry-After": f"{int(wait)}"} if wait is not None else {})


def _status(refusal: Refusal, dialect: Dialect) -> int:
    of_a_member = isinstance(refusal, InvalidInput | InvalidContent | UnknownReference)
    return 422 if of_a_member and dialect is Dialect.DATA_ORCHESTRATION else refusal.status


def _executions(refusal: Refusal, status: int, name: str) -> JSON:
    problems = refusal.fields or (FieldProblem("", refusal.reason, refusal.message),)
    return {"code": status, "message": refusal.message, "details": _listed(problems), "requestId": name}


def _workflow(refusal: Refusal, status: int, name: str) -> JSON:
    return {
        "code": WORKFLOW_CODES.get(status, "INVALID_INPUT"),
        "message": refusal.message,
        "http_status": status,
        "details": {"reason": refusal.reason, "errors": _listed(refusal.fields)},
        "request_id": name,
    }


def _data_orchestration(refusal: Refusal, status: int, name: str) -> JSON:  # noqa: ARG001
    if status == 401:
        return {"message": "Unauthenticated."}
    errors: dict[str, list[str]] = {}
    for problem in refusal.fields:
        errors.setdefault(_dotted(problem.field), []).append(problem.message)
    return {"message": refusal.message, "errors": errors, "code": refusal.reason}


_BODIES = {
    Dialect.EXECUTIONS: _executions,
    Dialect.WORKFLOW: _workflow,
    Dialect.DATA_ORCHESTRATION: _data_orchestration,
}


def _listed(problems: tuple[FieldProblem, ...]) -> JSON:
    return [{"field": p.field, "code": p.code, "message": p.message} for p in problems]


def _dotted(field: str) -> str:
    """`/data/amount` as `data.amount`: that dialect names members so."""
    return field.lstrip("/").replace("/", ".").replace("~1", "/").replace("~0", "~")
