"""Trusted issuers: who may vouch for users, the only place that writes them, and whom a token is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models.functions import Now

from contract.json_values import JSON
from contract.problems import NotFound
from tenants import jwks, published_keys, scopes, tokens
from tenants.models import Tenant, TrustedIssuer
from tenants.tokens import BadToken


@dataclass(frozen=True, slots=True)
class Vouched:
    """What a trusted issuer says: who `subject` is, what it may do there, and until when."""

    issuer: TrustedIssuer
    subject: str
    scopes: frozenset[str]
    until: datetime


def vouched(text: str) -> Vouched:
    """What the token `text` says, in one query. Raises BadToken for whatever is wrong. Not for use in a transaction."""
    token = tokens.read(text)
    row, now = _trusted(token)
    tokens.check(token, _key(row, token.kid), row.algorithms, now)
    claimed = tokens.scopes_of(token)
    granted = frozenset(row.scopes) if claimed is None else scopes.common(claimed, row.scopes)
    return Vouched(row, tokens.subject_of(token), granted, tokens.end_of(token))


def trust(
    tenant: Tenant, issuer: str, audience: str, *, keys: JSON, algorithms: Sequence[str], granted: Sequence[str]
) -> TrustedIssuer:
    """A new trusted issuer; `keys` is its key set, or the address of it. Raises ValidationError, by field."""
    row = TrustedIssuer(
        tenant=tenant,
        issuer=issuer,
        audience=audience,
        algorithms=list(algorithms),
        jwks=None if isinstance(keys, str) else keys,
        jwks_url=keys if isinstance(keys, str) else "",
        scopes=list(granted),
    )
    row.full_clean()
    row.save()
    return row


def distrust(issuer: str, audience: str) -> None:
    """From now on its tokens open nothing. Raises NotFound."""
    deleted, _ = TrustedIssuer.objects.filter(issuer=issuer, audience=audience).delete()
    if not deleted:
        raise NotFound(f"the issuer {issuer!r} is not trusted for {audience!r}")


def _trusted(token: tokens.Token) -> tuple[TrustedIssuer, datetime]:
    """The one row that the token names, and the database's clock."""
    rows: Any = TrustedIssuer.objects.select_related("tenant").annotate(now=Now())
    found = list(rows.filter(issuer=token.issuer, audience__in=token.audiences)[:2])
    if len(found) != 1:
        raise BadToken("its issuer and audience name nobody, or several, who are trusted")
    return found[0], found[0].now


def _key(row: TrustedIssuer, kid: str) -> JSON:
    key = published_keys.KNOWN.key(row.jwks_url, kid) if row.jwks_url else jwks.find(row.jwks, kid)
    if key is None:
        raise BadToken("its kid is not one of the issuer's keys")
    return key
