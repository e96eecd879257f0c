"""Who is calling: the credential of a request, from `Authorization: Bearer` or `X-API-Key`.

A bearer token is told by its shape: an API key, or a JWT of a trusted issuer (tenants/issuers.py).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import DEFAULT_DB_ALIAS
from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication

from contract.identifiers import parse_id
from contract.prepared import one_row
from contract.problems import FieldProblem, Forbidden, Unauthenticated
from tenants import issuers, scopes
from tenants.models import ApiKey, Tenant
from tenants.rate_limits import Bucket
from tenants.tokens import BadToken

logger = structlog.get_logger(__name__)

API_KEY = "api_key"
USER = "user"
KEY_PREFIX = "tw_live_"
SHOWN_CHARACTERS = 12
ACTOR_LENGTH = 255
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="traceway"'}

_USE_IS_RECORDED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Credential:
    """A good credential: the tenant it names and what it may do there.

    `kind` is `api_key`, or `user` for a JWT; then `id` and `name` are the subject, and `issuer` who vouches for it.
    """

    kind: str
    id: str
    name: str
    tenant: Tenant
    scopes: frozenset[str]
    expires_at: datetime | None
    rate_limit: int | None = None
    issuer: str | None = None

    @property
    def actor(self) -> str:
        """Who did it, on record."""
        return f"{self.kind}:{self.name}"[:ACTOR_LENGTH]

    @property
    def called(self) -> frozenset[str]:
        """The names by which a list can mean this credential: `kind:name`, or the bare name, which says no kind.

        A name that begins like the first is never taken for one of another kind.
        """
        bare = () if self.name.startswith((f"{API_KEY}:", f"{USER}:")) else (self.name,)
        return frozenset({f"{self.kind}:{self.name}", *bare})

    @property
    def buckets(self) -> tuple[Bucket, ...]:
        """What its requests are counted in: its own limit and its tenant's, where they are set."""
        limits = {
            f"{self.kind}:{self.tenant.id}:{self.issuer or ''}:{self.id}": self.rate_limit,
            f"tenant:{self.tenant.id}": self.tenant.rate_limit_per_minute,
        }
        return tuple(Bucket(name, limit) for name, limit in limits.items() if limit is not None)

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
    """The credential of `request`, in one query. Raises Unauthenticated, alike for whatever is wrong.

    Not for use in a transaction: an issuer may be asked for its keys.
    """
    given = set(_given(request))
    if len(given) != 1:
        raise _refused()
    text = given.pop()
    if text.startswith(KEY_PREFIX):
        return _of_key(text)
    if text.count(".") == 2 and text != request.headers.get("X-API-Key", "").strip():
        return _of_token(text)
    raise _refused()


def check_tenant_header(request: HttpRequest, tenant: Tenant) -> None:
    """Raises Forbidden where X-Tenant-ID is given and is not `tenant`, be it foreign or unknown."""
    named = request.headers.get("X-Tenant-ID", "").strip()
    if named and named != tenant.slug and parse_id(named) != tenant.id:
        message = "X-Tenant-ID does not name the tenant of this credential"
        problem = FieldProblem("header.X-Tenant-ID", "wrong_tenant", message)
        raise Forbidden(message, reason=problem.code, fields=[problem])


def _given(request: HttpRequest) -> Iterator[str]:
    if authorization := request.headers.get("Authorization", "").strip():
        scheme, _, token = authorization.partition(" ")
        # Any other scheme is a credential too, and none that opens anything.
        yield token.strip() if scheme.lower() == "bearer" else ""
    if key := request.headers.get("X-API-Key", "").strip():
        yield key


def _of_key(text: str) -> Credential:
    row = one_row(_LIVE_KEY, {"hash": hash_of(text)})
    if row is None:
        raise _refused()
    key_id, name, granted, expires_at, limit, use_is_old, *tenant = row
    if use_is_old:
        _record_use(key_id)
    owner = Tenant.from_db(DEFAULT_DB_ALIAS, _OF_TENANT, tenant)
    return Credential(API_KEY, str(key_id), name, owner, frozenset(granted), expires_at, limit)


def _of_token(text: str) -> Credential:
    try:
        said = issuers.vouched(text)
    except BadToken as error:
        logger.info("token_refused", why=str(error))
        raise _refused() from error
    issuer, subject = said.issuer, said.subject
    return Credential(
        USER, subject, subject, issuer.tenant, said.scopes, said.until, issuer.rate_limit_per_minute, issuer.issuer
    )


def _record_use(key_id: UUID) -> None:
    """Write the last use down, but not for each request: the row of a busy key would be all that is ever written."""
    stale = Q(last_used_at=None) | Q(last_used_at__lt=Now() - _USE_IS_RECORDED_EVERY)
    ApiKey.objects.filter(stale, id=key_id).update(last_used_at=Now())


def _refused() -> Unauthenticated:
    return Unauthenticated("a valid API key or token is required", headers=CHALLENGE)


_OF_TENANT = ("id", "slug", "name", "rate_limit_per_minute", "created_at")
_LIVE_KEY = f"""
SELECT k.id, k.name, k.scopes, k.expires_at, k.rate_limit_per_minute,
  k.last_used_at IS NULL OR statement_timestamp() - k.last_used_at > interval '{_USE_IS_RECORDED_EVERY}',
  {", ".join(f"t.{name}" for name in _OF_TENANT)}
FROM tenants_apikey k JOIN tenants_tenant t ON t.id = k.tenant_id
WHERE k.hash = %(hash)s AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > statement_timestamp())"""
