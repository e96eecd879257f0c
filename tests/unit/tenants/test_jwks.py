"""Key sets: public keys that tokens can be checked with, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448

from tenants import jwks
from tenants.jwks import UnusableKey
from tests.issuing import ec_key, ed_key, jwk, key_set, private_jwk, rsa_key

GOOD = jwk(rsa_key(), "good")

UNUSABLE: dict[str, Any] = {
    "a text": "key",
    "no kid": private_jwk(rsa_key().public_key()),
    "kid is a number": GOOD | {"kid": 1},
    "an empty kid": GOOD | {"kid": ""},
    "a private RSA key": private_jwk(rsa_key()) | {"kid": "x"},
    "a private EC key": private_jwk(ec_key()) | {"kid": "x"},
    "a private Ed25519 key": private_jwk(ed_key()) | {"kid": "x"},
    "a symmetric key": {"kty": "oct", "k": "c2VjcmV0", "kid": "x"},
    "a symmetric key, too": GOOD | {"k": "c2VjcmV0"},
    "a short RSA key": jwk(rsa_key(1024), "x"),
    "a curve for ES384": jwk(ec_key(ec.SECP384R1), "x"),
    "bitcoin's curve": jwk(ec_key(ec.SECP256K1), "x"),
    "Ed448": jwk(ed_key(ed448.Ed448PrivateKey), "x"),
    "a key for encryption": GOOD | {"use": "enc"},
    "a key to wrap others": GOOD | {"key_ops": ["wrapKey"]},
    "key_ops is a text": GOOD | {"key_ops": "verify"},
    "for another algorithm": GOOD | {"alg": "RS512"},
    "for another kind of padding": GOOD | {"alg": "PS256"},
    "for HMAC": GOOD | {"alg": "HS256"},
    "alg is a list": GOOD | {"alg": ["RS256"]},
    "kty is a list": GOOD | {"kty": ["RSA"]},
    "an unknown kty": GOOD | {"kty": "rsa"},
    "no modulus": {"kty": "RSA", "e": "AQAB", "kid": "x"},
    "modulus is a number": GOOD | {"n": 5},
    "a point that is not on the curve": jwk(ec_key(), "x") | {"x": "AAAA" * 10 + "AAA"},
    "RSA with a curve": GOOD | {"crv": "P-256"},
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_key_that_no_token_can_be_checked_with_is_refused_and_named(kind: str) -> None:
    with pytest.raises(UnusableKey, match="keys/1: "):
        jwks.read({"keys": [GOOD, UNUSABLE[kind]]})


@pytest.mark.parametrize("kind", UNUSABLE)
def test_of_a_published_set_the_other_keys_are_used(kind: str) -> None:
    assert jwks.sifted({"keys": [UNUSABLE[kind], GOOD]}) == {"good": GOOD}


def test_every_kind_of_key_is_read_and_bound_to_its_algorithm() -> None:
    keys = jwks.read(key_set())
    assert {kid: jwks.load(key).algorithm_name for kid, key in keys.items()} == {
        "RS256": "RS256",
        "ES256": "ES256",
        "EdDSA": "EdDSA",
    }


@pytest.mark.parametrize(
    "key",
    [
        GOOD | {"use": "sig", "key_ops": ["verify"], "alg": "RS256", "x5t": "abc"},
        jwk(ed_key(), "x", alg="EdDSA"),
        jwk(ed_key(), "x", alg="Ed25519"),
    ],
)
def test_a_key_may_say_what_it_is_for(key: dict[str, Any]) -> None:
    assert jwks.read({"keys": [key]})


def test_a_kid_that_is_given_twice_names_nothing() -> None:
    twice = {"keys": [jwk(rsa_key(), "x"), jwk(ec_key(), "x"), GOOD]}
    with pytest.raises(UnusableKey, match="'x' is given twice"):
        jwks.read(twice)
    assert jwks.sifted(twice) == {"good": GOOD}


@pytest.mark.parametrize("document", [None, [], "keys", {}, {"keys": {}}, {"keys": None}, {"keys": [GOOD] * 101}])
def test_what_is_no_key_set_is_refused(document: Any) -> None:
    for how in (jwks.read, jwks.sifted):
        with pytest.raises(UnusableKey):
            how(document)


def test_a_set_that_is_written_down_has_a_key() -> None:
    with pytest.raises(UnusableKey, match="no key"):
        jwks.read({"keys": []})
    assert jwks.sifted({"keys": []}) == {}
