"""Who is calling: the credential of a request, from `Authorization: Bearer` or `X-API-Key`."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication

from contract.identifiers import parse_id
from contract.problems import Forbidden, Unauthenticated
from tenants import scopes
from tenants.models import ApiKey, Tenant

KEY_PREFIX = "tw_live_"
SHOWN_CHARACTERS = 12
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="traceway"'}

_USE_IS_RECORDED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Credential:
    """A good credential: the tenant it names and what it may do there."""

    kind: str
    id: UUID
    name: str
    tenant: Tenant
    scopes: frozenset[str]
    expires_at: datetime | None

    def require(self, scope: str) -> None:
        """Raises Forbidden, naming the scope, unless this credential has it."""
        if not scopes.allows(self.scopes, scope):
            raise Forbidden(f"the scope {scope} is missing", reason="missing_scope")


class KeyAuthentication(BaseAuthentication):
    """DRF's way to the same: `request.user` and `request.auth` are the Credential."""

    def authenticate(self, request: Any) -> tuple[Credential, Credential]:
        """The credential, twice. Raises Unauthenticated."""
        credential = credential_of(request)
        return credential, credential

    def authenticate_header(self, request: Any) -> str:  # noqa: ARG002
        """The challenge of a 401."""
        return CHALLENGE["WWW-Authenticate"]


def new_key() -> str:
    """A fresh key: 256 random bits."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def hash_of(key: str) -> str:
    """What is stored of a key. It holds 256 random bits, so nothing slower than SHA-256 is needed."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def credential_of(request: HttpRequest) -> Credential:
    """The credential of `request`, in one query. Raises Unauthenticated, alike for whatever is wrong."""
    given = set(_given(request))
    if len(given) != 1:
        raise _refused()
    row = _live_key(hash_of(given.pop()))
    if row is None:
        raise _refused()
    _record_use(row)
    return Credential("api_key", row.id, row.name, row.tenant, frozenset(row.scopes), row.expires_at)


def check_tenant_header(request: HttpRequest, tenant: Tenant) -> None:
    """Raises Forbidden where X-Tenant-ID is given and is not `tenant`, be it foreign or unknown."""
    named = request.headers.get("X-Tenant-ID", "").strip()
    if named and named != tenant.slug and parse_id(named) != tenant.id:
        raise Forbidden("X-Tenant-ID does not name the tenant of this credential", reason="wrong_tenant")


def _given(request: HttpRequest) -> Iterator[str]:
    if authorization := request.headers.get("Authorization", "").strip():
        scheme, _, token = authorization.partition(" ")
        # Any other scheme is a credential too, and none that is known here.
        yield token.strip() if scheme.lower() == "bearer" else authorization
    if key := request.headers.get("X-API-Key", "").strip():
        yield key


def _live_key(digest: str) -> ApiKey | None:
    unexpired = Q(expires_at__isnull=True) | Q(expires_at__gt=Now())
    rows = ApiKey.objects.select_related("tenant").annotate(now=Now())
    return rows.filter(unexpired, hash=digest, revoked_at__isnull=True).first()


def _record_use(row: Any) -> None:
    """Write the last use down, but not for each request: the row of a busy key would be all that is ever written."""
    if row.last_used_at is None or row.now - row.last_used_at > _USE_IS_RECORDED_EVERY:
        ApiKey.objects.filter(id=row.id, last_used_at=row.last_used_at).update(last_used_at=Now())


def _refused() -> Unauthenticated:
    return Unauthenticated("a valid API key is required", headers=CHALLENGE)
