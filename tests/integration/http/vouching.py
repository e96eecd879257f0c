"""What tests of users arrange with: an issuer that a tenant trusts, and callers with its tokens."""

from __future__ import annotations

from typing import Any

from tenants import issuers
from tenants.jwks import ALGORITHMS
from tenants.models import TrustedIssuer
from tests.integration.http_client import Caller
from tests.issuing import AUDIENCE, ISSUER, key_set, token


def trust(who: Caller, audience: str = AUDIENCE, *scopes: str, keys: Any = None) -> TrustedIssuer:
    """The tests' issuer vouches for users of this caller's tenant, with these scopes (none: every scope)."""
    assert who.tenant is not None
    granted = scopes or ("*",)
    return issuers.trust(who.tenant, ISSUER, audience, keys=keys or key_set(), algorithms=ALGORITHMS, granted=granted)


def user(**others: Any) -> Caller:
    """Speaks for the user `ada`, unless `others` say something else."""
    return Caller(key=token("EdDSA", **others))
