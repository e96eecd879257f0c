"""A caller of the HTTP API, as tests speak it: JSON in, JSON out, with a key or without."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from django.test import Client

from tenants import registry
from tenants.models import Tenant
from tests.integration.documented import assert_documented

JSON_TYPE = "application/json"


@dataclass
class Caller:
    """Speaks for `tenant` with `key`; None: with no credential."""

    tenant: Tenant | None = None
    key: str | None = None
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    def get(self, path: str, **headers: str) -> Any:
        return self.send("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("POST", path, body, **headers)

    def put(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("PUT", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self.send("DELETE", path, **headers)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """`headers` are written with underscores: Idempotency_Key="a". A body of bytes is sent as it is."""
        text = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key is not None and "Authorization" not in named and "X-API-Key" not in named:
            named["Authorization"] = f"Bearer {self.key}"
        kind = named.pop("Content-Type", JSON_TYPE)
        answer = self.client.generic(method, path, text, content_type=kind, headers=named)
        assert_documented(answer)
        return answer


def caller(slug: str, *scopes: str) -> Caller:
    """Speaks for a new tenant `slug`, with a key of these scopes (none: every scope)."""
    return another_key(registry.create_tenant(slug, slug.title()), *scopes)


def another_key(tenant: Tenant, *scopes: str) -> Caller:
    """Speaks for `tenant` with a new key of these scopes (none: every scope)."""
    _, key = registry.create_key(tenant, "a test's key", scopes or ("*",))
    return Caller(tenant, key)
