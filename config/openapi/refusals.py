"""Which statuses a route may be refused with, and the body of each in its dialect."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from config.errors import WORKFLOW_CODES
from config.openapi.routes import Route
from contract.answers import PROBLEM
from contract.dialects import Dialect
from contract.schema import TEXT, Component, Schema, by_name, listed, record

_SAID: Final = {
    400: "A member, a parameter, the JSON or the content is not as wanted.",
    401: "No credential, or one that is unknown, expired or revoked.",
    402: "Nothing goes on before it is paid.",
    403: "The credential may not do this, or is of another tenant.",
    404: "There is no such thing for this tenant.",
    409: "Not possible in this state, or under this idempotency key; nothing was changed.",
    413: "The body is too large.",
    415: "The body is not application/json in UTF-8.",
    422: "A member, a parameter or the content is not as wanted.",
    429: "Too many requests.",
    500: "Something is wrong with this service.",
    503: "Something that this service needs does not answer; nothing was changed.",
}
_HEADERS: Final[dict[int, dict[str, Any]]] = {
    401: {"WWW-Authenticate": {"required": True, "schema": TEXT}},
    409: {"Retry-After": {"description": "While a twin of the request is carried out.", "schema": TEXT}},
    429: {
        name: {"required": True, "schema": TEXT}
        for name in ("Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    },
    503: {"Retry-After": {"schema": TEXT}},
}
_UNAUTHENTICATED: Final = {"message": "Unauthenticated."}


def refusals(route: Route) -> list[int]:
    """Every status that the route may be refused with, but for 405, which is no answer of any route."""
    of_a_member = 422 if route.dialect is Dialect.DATA_ORCHESTRATION else 400
    found = {of_a_member, 500} | (set() if route.is_plain else {429, 503})
    found |= set() if route.is_public else {401, 403}
    found |= {404} if route.path_names else set()
    found |= {400, 413, 415} if route.is_mutation else set()
    found |= {409} if route.takes_key else set()
    return sorted(found | set(route.rules.answers.refusals))


def name_of(dialect: Dialect, status: int) -> str:
    """What a refusal is called in `components`."""
    return f"{dialect.value}.{status}"


def response(dialect: Dialect, status: int, request_id: dict[str, Any]) -> dict[str, Any]:
    """The response object of a refusal."""
    schema, example = _BODIES[dialect](status)
    return {
        "description": _SAID.get(status, HTTPStatus(status).phrase),
        "headers": {"X-Request-ID": request_id, **_HEADERS.get(status, {})},
        "content": {"application/json": {"schema": schema, "example": example}},
    }


def _executions(status: int) -> tuple[Schema, Any]:
    problem = {"field": "/member", "code": "required", "message": "This field is required."}
    body = {"code": status, "message": "...", "details": [problem], "requestId": "abc-123"}
    members: dict[str, Schema] = {"code": {"const": status}, "message": TEXT, "details": listed(PROBLEM)}
    return Component(f"ExecutionsError{status}", record({**members, "requestId": TEXT})), body


def _workflow(status: int) -> tuple[Schema, Any]:
    code = WORKFLOW_CODES.get(status, "INVALID_INPUT")
    details = record({"reason": TEXT, "errors": listed(PROBLEM)})
    members: dict[str, Schema] = {"code": {"const": code}, "message": TEXT, "http_status": {"const": status}}
    body = {
        "code": code,
        "message": "...",
        "http_status": status,
        "details": {"reason": code.lower(), "errors": []},
        "request_id": "abc-123",
    }
    return Component(f"WorkflowError{status}", record({**members, "details": details, "request_id": TEXT})), body


def _data_orchestration(status: int) -> tuple[Schema, Any]:
    if status == 401:
        return {"const": _UNAUTHENTICATED}, _UNAUTHENTICATED
    members: dict[str, Schema] = {"message": TEXT, "errors": by_name(listed(TEXT, minItems=1)), "code": TEXT}
    example = {"message": "...", "errors": {"member": ["..."]}, "code": "invalid_input"}
    return Component("DataOrchestrationError", record(members)), example


_BODIES: Final = {
    Dialect.EXECUTIONS: _executions,
    Dialect.WORKFLOW: _workflow,
    Dialect.DATA_ORCHESTRATION: _data_orchestration,
}
