"""One operation object of the document: what a route takes, what it answers, who may call it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from config.openapi import examples, links, parameters, refusals
from config.openapi.routes import Route
from contract.answers import LOCATION, Success, Wrapping
from contract.dialects import Dialect
from contract.http import MIB
from contract.schema import Schema

REQUEST_ID: Final[dict[str, Any]] = {"$ref": "#/components/headers/X-Request-ID"}
REPLAYED: Final[dict[str, Any]] = {"$ref": "#/components/headers/Idempotent-Replayed"}
SECURITY_SCHEMES: Final[dict[str, Any]] = {
    "apiKey": {"type": "http", "scheme": "bearer", "description": "An API key, `tw_live_...`."},
    "apiKeyHeader": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key."},
    "jwt": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token of an issuer that the tenant trusts.",
    },
}


def operation(route: Route) -> dict[str, Any]:
    """The operation object, Components still standing in it."""
    made: dict[str, Any] = {
        "operationId": route.operation_id,
        "tags": [route.tag],
        "summary": route.summary,
        "description": _description(route),
        "security": _security(route),
        "parameters": parameters.parameters(route),
        "responses": _responses(route),
    }
    if route.is_mutation and route.method != "delete":
        made["requestBody"] = _request_body(route)
    return {name: value for name, value in made.items() if value or name == "security"}


def _description(route: Route) -> str:
    scope = f"Scope: `{route.rules.scope}`." if route.rules.scope else ""
    anyone = "Anyone may call it." if route.is_public else "" if scope else "Any good credential will do."
    return "\n\n".join(part for part in (route.about, scope, anyone) if part)


def _security(route: Route) -> list[dict[str, list[str]]]:
    scopes = [route.rules.scope] if route.rules.scope else []
    return [] if route.is_public else [{scheme: scopes} for scheme in SECURITY_SCHEMES]


def _request_body(route: Route) -> dict[str, Any]:
    schema = route.rules.body_schema()
    content = {"schema": schema, "examples": examples.of_request(route.operation_id)}
    limit = route.rules.limit
    size = f"{limit // MIB} MiB" if limit >= MIB else f"{limit // 1024} KiB"
    return {
        "description": f"At most {size}. An absent body is {{}}; null for an optional member is like leaving it out.",
        "required": isinstance(schema, dict) and bool(schema.get("required")),
        "content": {"application/json": {name: value for name, value in content.items() if value}},
    }


def _responses(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for success in route.rules.answers.successes:
        made = _success(route, success)
        found[made.pop("status")] = made
    for status in refusals.refusals(route):
        name = refusals.name_of(route.dialect, status)
        found.setdefault(str(status), {"$ref": f"#/components/responses/{name}"})
    return found


def _success(route: Route, success: Success) -> dict[str, Any]:
    made_there = success.status == HTTPStatus.CREATED and route.dialect is Dialect.EXECUTIONS
    status = HTTPStatus.OK if made_there else success.status
    headers = {} if made_there and success.headers is LOCATION else success.headers
    answer: dict[str, Any] = {
        "status": str(int(status)),
        "description": success.description,
        "headers": {
            "X-Request-ID": REQUEST_ID,
            **({"Idempotent-Replayed": REPLAYED} if route.takes_key else {}),
            **{name: {"required": headers is LOCATION, "schema": schema} for name, schema in headers.items()},
        },
    }
    if success.body is not None:
        content = {"schema": _wrapped(route.dialect, success), "examples": examples.of_answer(route.operation_id)}
        answer["content"] = {success.media_type: {name: value for name, value in content.items() if value}}
    found = links.of(route.operation_id) if success.status < HTTPStatus.NO_CONTENT else {}
    return answer | ({"links": found} if found else {})


def _wrapped(dialect: Dialect, success: Success) -> Schema:
    assert success.body is not None
    if success.wrapping is Wrapping.PAGE:
        return dialect.page_schema(success.body)
    return success.body if success.wrapping is Wrapping.NONE else dialect.success_schema(success.body)
