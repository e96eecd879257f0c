"""An issuer of JWTs as tests need one: real keys, tokens that are right, and tokens made by hand that are not."""

from __future__ import annotations

import base64
import json
import time
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa, utils
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER, AUDIENCE = "https://issuer.example", "https://traceway.example"


@cache
def rsa_key(bits: int = 2048, number: int = 0) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key(curve: type[ec.EllipticCurve] = ec.SECP256R1, number: int = 0) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve())


@cache
def ed_key(kind: Any = ed25519.Ed25519PrivateKey) -> Any:
    return kind.generate()


def jwk(key: Any, kid: str, **members: Any) -> dict[str, Any]:
    """The public half of `key`; or the key itself, where that is public already or a private JWK is wanted."""
    public = key.public_key() if hasattr(key, "public_key") else key
    return {**private_jwk(public), "kid": kid, **members}


def private_jwk(key: Any) -> dict[str, Any]:
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        return dict(RSAAlgorithm.to_jwk(key, as_dict=True))
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        return dict(ECAlgorithm.to_jwk(key, as_dict=True))
    return dict(OKPAlgorithm.to_jwk(key, as_dict=True))


KEYS = {"RS256": rsa_key, "ES256": ec_key, "EdDSA": ed_key}
"""By algorithm, the key that signs with it; its kid is the algorithm's name."""


def key_set(*names: str) -> dict[str, Any]:
    return {"keys": [jwk(KEYS[name](), name) for name in names or KEYS]}


def claims(**others: Any) -> dict[str, Any]:
    """Good ones for the next minutes; None takes one away."""
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": int(time.time()) + 300}
    return {name: value for name, value in (good | others).items() if value is not None}


def token(algorithm: str = "RS256", header: dict[str, Any] | None = None, key: Any = None, **others: Any) -> str:
    """A token of good claims but for `others`, its header good but for `header`, signed by `key` or the good one."""
    head = {"typ": "JWT", "alg": algorithm, "kid": algorithm} | (header or {})
    text = {name: value for name, value in head.items() if value is not None}
    return sealed(json.dumps(text), json.dumps(claims(**others)), KEYS[algorithm]() if key is None else key)


def sealed(header: str | bytes, payload: str | bytes, key: Any) -> str:
    """The three segments, with `key`'s signature on the first two, whatever they are."""
    content = f"{segment(header)}.{segment(payload)}"
    return f"{content}.{segment(signature(key, content.encode()))}"


def segment(text: str | bytes) -> str:
    content = text.encode() if isinstance(text, str) else text
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def signature(key: Any, content: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(content, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = utils.decode_dss_signature(key.sign(content, ec.ECDSA(hashes.SHA256())))
        size = (key.curve.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        return key.sign(content)
    raise TypeError(f"{key!r} does not sign")
