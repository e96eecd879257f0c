"""What stands in paths, queries and request headers, as parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from config.openapi.routes import Route
from contract.schema import ID, ID_OR_AGENT_NAME, ID_OR_RUN_NAME, Schema, text
from tenants.idempotency import HEADER, LONGEST_KEY
from tenants.public_door import SHORTEST_KEY

_PATHS: Final[dict[str, Schema]] = {
    "agent_id": ID_OR_AGENT_NAME,
    "execution_id": ID_OR_RUN_NAME,
    "log_id": ID_OR_RUN_NAME,
    "orchestration_id": ID_OR_RUN_NAME,
}
"""Ids that may be spelled in another way than as a UUID."""
_PRINTABLE: Final = "!-~\u00a1-\u00ac\u00ae-\u00ff"
SHARED: Final[dict[str, Any]] = {
    HEADER: {
        "name": HEADER,
        "in": "header",
        "description": (
            "The same key with the same body happens once; a repeat is answered with the stored answer. Of one tenant, "
            "method and path; for 30 days."
        ),
        "schema": {
            "type": "string",
            "pattern": f"^[{_PRINTABLE}]([ {_PRINTABLE}]{{0,{LONGEST_KEY - 2}}}[{_PRINTABLE}])?$",
        },
    },
    "X-Request-ID": {
        "name": "X-Request-ID",
        "in": "header",
        "description": "Kept if it is 1 to 64 of letters, digits, `. _ -`; else another is made. Stands on the answer.",
        "schema": {"type": "string"},
    },
    "X-Tenant-ID": {
        "name": "X-Tenant-ID",
        "in": "header",
        "description": (
            "The id or slug of the credential's own tenant; any other is refused. Needed only where a workflow is "
            "executed with `agent_id` or `input`."
        ),
        "schema": {"type": "string"},
    },
}
"""Headers of many routes."""


def parameters(route: Route) -> list[dict[str, Any]]:
    """All parameters of a route; those in SHARED by reference."""
    return [*_of_the_path(route), *_of_the_query(route), *_of_the_headers(route)]


def _of_the_path(route: Route) -> Iterator[dict[str, Any]]:
    for name in route.path_names:
        schema = _PATHS.get(name, ID) if name.endswith("_id") else text(255, 1)
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _of_the_query(route: Route) -> Iterator[dict[str, Any]]:
    for name, reader in route.rules.query.readers.items():
        schema = dict(reader.schema)
        description = schema.pop("description", None)
        yield {"name": name, "in": "query", "schema": schema, **({"description": description} if description else {})}


def _of_the_headers(route: Route) -> Iterator[dict[str, Any]]:
    for name, schema in route.rules.headers.items():
        yield {"name": name, "in": "header", "schema": schema}
    shared = [HEADER] if route.takes_key else []
    if route.is_public and route.takes_key:
        shared = []
        yield {**SHARED[HEADER], "schema": {**SHARED[HEADER]["schema"], "minLength": SHORTEST_KEY}}
    for name in [*shared, "X-Request-ID"] if route.is_public else [*shared, "X-Request-ID", "X-Tenant-ID"]:
        yield {"$ref": f"#/components/parameters/{name}"}
