"""JSON Web Key Sets: which public keys an issuer signs with. Pure; where a set comes from is tenants/key_sets.py."""

from __future__ import annotations

from collections import Counter
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from contract.json_values import JSON

ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
"""Every algorithm that a token may be signed with."""

Keys = dict[str, JSON]
"""Keys of one set by their `kid`."""

MOST_KEYS: Final = 100
LONGEST_KID: Final = 255

_ALGORITHM_OF: Final[dict[tuple[JSON, JSON], str]] = {
    ("RSA", None): "RS256",
    ("EC", "P-256"): "ES256",
    ("OKP", "Ed25519"): "EdDSA",
}
_NAMES_OF: Final = {"RS256": {"RS256"}, "ES256": {"ES256"}, "EdDSA": {"EdDSA", "Ed25519"}}
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_RSA_BITS: Final = range(2048, 8193)


class UnusableKey(ValueError):
    """A key, or a whole set, that no token can be checked with; str() says why."""


def read(document: JSON) -> Keys:
    """The keys of a set that somebody wrote down: every one has to be usable. Raises UnusableKey naming the first."""
    keys: Keys = {}
    for number, jwk in enumerate(_listed(document)):
        try:
            kid = _kid(jwk)
            load(jwk)
            if kid in keys:
                raise UnusableKey(f"the kid {kid!r} is given twice")
        except UnusableKey as error:
            raise UnusableKey(f"keys/{number}: {error}") from error
        keys[kid] = jwk
    if not keys:
        raise UnusableKey("there is no key in the set")
    return keys


def sifted(document: JSON) -> Keys:
    """The usable keys of a set that an issuer publishes, which may hold others. Raises UnusableKey if it is no set."""
    usable = [jwk for jwk in _listed(document) if _is_usable(jwk)]
    times = Counter(jwk["kid"] for jwk in usable)
    return {jwk["kid"]: jwk for jwk in usable if times[jwk["kid"]] == 1}


def find(document: JSON, kid: str) -> JSON | None:
    """The key `kid` of a set that was read before."""
    return next((jwk for jwk in document["keys"] if jwk["kid"] == kid), None)


def load(jwk: JSON) -> PyJWK:
    """The public key, bound to the one algorithm that it is for (`algorithm_name`). Raises UnusableKey."""
    if not isinstance(jwk, dict):
        raise UnusableKey("a key is an object")
    if not _PRIVATE.isdisjoint(jwk):
        raise UnusableKey("only public keys belong here; whoever has seen this one can make tokens")
    algorithm = _algorithm_of(jwk)
    if jwk.get("use", "sig") != "sig" or "verify" not in _operations(jwk):
        raise UnusableKey("it is not for signatures")
    try:
        key = PyJWK(jwk, algorithm)
    except (PyJWTError, ValueError, TypeError, KeyError) as error:
        raise UnusableKey(f"it is no {algorithm} key") from error
    if isinstance(key.key, RSAPublicKey) and key.key.key_size not in _RSA_BITS:
        raise UnusableKey(f"RSA keys have {_RSA_BITS.start} to {_RSA_BITS.stop - 1} bits")
    return key


def _algorithm_of(jwk: dict[str, JSON]) -> str:
    if not all(isinstance(jwk.get(name, ""), str) for name in ("kty", "crv", "alg", "use")):
        raise UnusableKey("its kty, crv, alg and use are texts")
    algorithm = _ALGORITHM_OF.get((jwk.get("kty"), jwk.get("crv")))
    if algorithm is None:
        raise UnusableKey("RSA, EC on P-256 and OKP with Ed25519 are the keys that are taken")
    if jwk.get("alg", algorithm) not in _NAMES_OF[algorithm]:
        raise UnusableKey(f"its alg is not {algorithm}")
    return algorithm


def _listed(document: JSON) -> list[JSON]:
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise UnusableKey('a key set is an object with a list "keys"')
    if len(keys) > MOST_KEYS:
        raise UnusableKey(f"a key set has at most {MOST_KEYS} keys")
    return keys


def _kid(jwk: JSON) -> str:
    kid = jwk.get("kid") if isinstance(jwk, dict) else None
    if not isinstance(kid, str) or not 0 < len(kid) <= LONGEST_KID:
        raise UnusableKey(f"each key needs a kid of 1 to {LONGEST_KID} characters")
    return kid


def _is_usable(jwk: JSON) -> bool:
    try:
        _kid(jwk)
        load(jwk)
    except UnusableKey:
        return False
    return True


def _operations(jwk: dict[str, JSON]) -> list[JSON]:
    operations = jwk.get("key_ops", ["verify"])
    return operations if isinstance(operations, list) else []
