"""The whole document, made once a process."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from django.conf import settings

from config.openapi import parameters, refusals
from config.openapi.components import Components
from config.openapi.operations import SECURITY_SCHEMES, operation
from config.openapi.routes import Route, routes
from contract.schema import FLAG, JSON_VALUE, TEXT

VERSION: Final = "1.0.0"
_ABOUT: Final = """\
Runs versioned workflows for other people's systems and keeps a record of every step.

Three dialects, one service: the path decides how names are written and how answers and errors are wrapped. Every
mutation takes an `Idempotency-Key`, every answer carries `X-Request-ID`. What belongs to another tenant is answered
like what does not exist."""
_HEADERS: Final[dict[str, Any]] = {
    "X-Request-ID": {"required": True, "description": "The request's id, as in logs and events.", "schema": TEXT},
    "Idempotent-Replayed": {
        "description": "There where the answer is the stored one of an earlier request under the same key.",
        "schema": {**FLAG, "const": True},
    },
}


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document of this service."""
    found, components = list(routes()), Components()
    paths: dict[str, Any] = {}
    for route in found:
        paths.setdefault(route.path, {})[route.method] = components.placed(operation(route))
    shared = components.placed({"parameters": parameters.SHARED, "responses": _responses(found), "headers": _HEADERS})
    components.placed(JSON_VALUE)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Traceway", "version": VERSION, "description": _ABOUT},
        "servers": [{"url": settings.PUBLIC_URL}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in found)],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.schemas.items())),
            **shared,
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def _responses(found: list[Route]) -> dict[str, Any]:
    """Every refusal of every dialect that some route has."""
    pairs = {(route.dialect, status) for route in found for status in refusals.refusals(route)}
    request_id = {"$ref": "#/components/headers/X-Request-ID"}
    return {
        refusals.name_of(dialect, status): refusals.response(dialect, status, request_id)
        for dialect, status in sorted(pairs, key=lambda pair: (pair[0].value, pair[1]))
    }
