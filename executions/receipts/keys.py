"""The keys that sign receipts: one at a time for the whole installation, made when the first is wanted.

Retired keys stay, and are published for ever: what they signed stays good.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection, transaction
from django.db.models.functions import Now
from jwt.api_jws import PyJWS

from contract import json_values
from contract.json_values import JSON
from contract.problems import Unavailable
from executions.models import SigningKey
from tenants.sealing import InvalidToken, Purpose, seal, unseal

log = structlog.get_logger(__name__)

TYPE: Final = "traceway-receipt+jwt"
_PRIVATE: Final = "d"
_JWS: Final = PyJWS()


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that signs, opened."""

    kid: str
    private: Ed25519PrivateKey

    def sign(self, payload: JSON) -> str:
        """The compact JWS of the payload's canonical JSON."""
        headers = {"kid": self.kid, "typ": TYPE}
        return _JWS.encode(json_values.canonical(payload), self.private, "EdDSA", headers)


def signer() -> Signer:
    """The key that signs now. Raises Unavailable where it was sealed with a SECRET_KEY that nobody has any more."""
    key = _current()
    try:
        private = unseal(key.sealed, Purpose.SIGNING_KEY)[_PRIVATE]
    except InvalidToken as error:
        log.error("signing_key_unreadable", kid=key.kid)
        message = "the key that signs receipts cannot be read with this SECRET_KEY"
        raise Unavailable(message, reason="signing_key_unreadable") from error
    return Signer(key.kid, Ed25519PrivateKey.from_private_bytes(base64.b64decode(private)))


def rotate() -> SigningKey:
    """Have a new key sign from now on."""
    _current()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('signing_key'))")
        SigningKey.objects.filter(signs=True).update(signs=None, retired_at=Now())
        key = _made()
        key.save()
    log.info("signing_key_rotated", kid=key.kid)
    return key


def published() -> JSON:
    """The JWKS of every key that signs or ever signed, the newest first."""
    _current()
    return jwks(SigningKey.objects.order_by("-id"))


def published_of(kids: set[str]) -> JSON:
    """The JWKS of these keys."""
    return jwks(SigningKey.objects.filter(kid__in=kids).order_by("-id"))


def jwks(keys: Iterable[SigningKey]) -> JSON:
    """The public halves of these keys; one that was altered, so that its name is not its own, is none."""
    genuine = [key for key in keys if key.kid == thumbprint(key.public_key) and _opens(key)]
    return {"keys": [{**_jwk(key.public_key), "alg": "EdDSA", "kid": key.kid, "use": "sig"} for key in genuine]}


def thumbprint(public: str) -> str:
    """What names a key (RFC 7638), by the `x` of its JWK."""
    return _base64url(hashlib.sha256(json_values.canonical(_jwk(public))).digest())


def _current() -> SigningKey:
    found = SigningKey.objects.filter(signs=True).first()
    if found is None:
        # Of two that make the first key at the same moment one is kept.
        SigningKey.objects.bulk_create([_made()], ignore_conflicts=True)
        found = SigningKey.objects.get(signs=True)
    return found


def _opens(key: SigningKey) -> bool:
    """Whether this installation holds the private half: whoever can only write rows cannot seal one."""
    try:
        sealed = unseal(key.sealed, Purpose.SIGNING_KEY)[_PRIVATE]
        private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(sealed))
    except (InvalidToken, KeyError, ValueError):
        log.warning("signing_key_not_ours", kid=key.kid)
        return False
    return _base64url(private.public_key().public_bytes_raw()) == key.public_key


def _made() -> SigningKey:
    private = Ed25519PrivateKey.generate()
    public = _base64url(private.public_key().public_bytes_raw())
    sealed = seal({_PRIVATE: base64.b64encode(private.private_bytes_raw()).decode()}, Purpose.SIGNING_KEY)
    return SigningKey(kid=thumbprint(public), public_key=public, sealed=sealed)


def _jwk(public: str) -> dict[str, JSON]:
    return {"crv": "Ed25519", "kty": "OKP", "x": public}


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
