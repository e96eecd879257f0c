"""Compact JWS signed with Ed25519, and the JWKS its keys stand in: read strictly, one spelling for each."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from traceway.records.findings import Report
from traceway.records.texts import read

TYPE = "traceway-receipt+jwt"
ALGORITHM = "EdDSA"
COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_KEY_BYTES = 32


class NotSigned(ValueError):
    """The text is no signature of the kind that is wanted; str() goes on where "it ..." begins."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A JWS that can be read: `kid` names the key, `payload` is what is signed. Whether it fits is not known yet."""

    kid: str
    payload: dict[str, Any]
    signing_input: bytes
    signature: bytes

    def fits(self, key: bytes) -> bool:
        """Whether it was signed by the owner of this public key."""
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(self.signature, self.signing_input)
        except (InvalidSignature, ValueError):
            return False
        return True


def read_jws(text: str) -> Signed:
    """A compact JWS. Raises NotSigned."""
    if not COMPACT.fullmatch(text):
        raise NotSigned("is no compact JWS")
    head, payload, signature = text.split(".")
    header, claims = _object(head, "header", json.loads), _object(payload, "payload", read)
    if header != {"alg": ALGORITHM, "kid": header.get("kid"), "typ": TYPE} or not isinstance(header["kid"], str):
        raise NotSigned(f"has a header other than alg {ALGORITHM}, kid and typ {TYPE}")
    return Signed(header["kid"], claims, f"{head}.{payload}".encode(), _bytes(signature, "signature"))


def read_keys(jwks: Any, where: str, report: Report) -> dict[str, bytes]:
    """The public keys of a JWKS by their ids; what is no Ed25519 key is told."""
    listed = jwks.get("keys") if isinstance(jwks, Mapping) else None
    if not isinstance(listed, list):
        report.tell(where, "is no JWKS: it has no list `keys`")
        return {}
    keys: dict[str, bytes] = {}
    for number, key in enumerate(listed, start=1):
        try:
            kid, public = _key(key)
        except NotSigned as error:
            report.tell(f"{where} key {number}", str(error))
            continue
        if kid in keys:
            report.tell(f"{where} key {number}", "has the id of another one", found=kid)
        keys[kid] = public
    return keys


def _key(key: Any) -> tuple[str, bytes]:
    if not isinstance(key, Mapping) or (key.get("kty"), key.get("crv")) != ("OKP", "Ed25519"):
        raise NotSigned("is no Ed25519 key (kty OKP, crv Ed25519)")
    kid, public = key.get("kid"), key.get("x")
    if not isinstance(kid, str) or not isinstance(public, str):
        raise NotSigned("lacks its `kid` or its `x`")
    if key.get("alg", ALGORITHM) != ALGORITHM or key.get("use", "sig") != "sig":
        raise NotSigned(f"is not for signatures with {ALGORITHM}")
    if "d" in key:
        raise NotSigned("is a private key, which nobody else may hold")
    decoded = _bytes(public, "x")
    if len(decoded) != _KEY_BYTES:
        raise NotSigned("is not 32 bytes long")
    return kid, decoded


def _object(part: str, name: str, parse: Callable[[bytes], Any]) -> dict[str, Any]:
    """Of a header the bytes that are signed count, whatever order a library writes it in."""
    try:
        value = parse(_bytes(part, name))
    except (RecursionError, ValueError) as error:
        raise NotSigned(f"has a {name} that cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise NotSigned(f"has a {name} that is no JSON object")
    return value


def _bytes(part: str, name: str) -> bytes:
    """What base64url stands for; the bits that it does not need must be 0, so that a text has one spelling."""
    try:
        decoded = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError) as error:
        raise NotSigned(f"has a {name} that is no base64url") from error
    if base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() != part:
        raise NotSigned(f"has a {name} that is no canonical base64url")
    return decoded
