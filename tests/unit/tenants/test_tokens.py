"""JWTs: what is taken, and the ways in which one may be wrong. Every one of them is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from tenants import jwks, tokens
from tenants.jwks import ALGORITHMS
from tenants.tokens import BadToken
from tests.issuing import AUDIENCE, ISSUER, claims, ec_key, ed_key, jwk, key_set, rsa_key, sealed, segment, token


def taken(text: str, algorithms: Any = ALGORITHMS, now: datetime | None = None, keys: Any = None) -> tokens.Token:
    """The token, checked as an issuer's row would have it. Raises BadToken."""
    read = tokens.read(text)
    key = jwks.find(keys or key_set(), read.kid)
    if key is None:
        raise BadToken("unknown kid")
    tokens.check(read, key, algorithms, now or datetime.now(UTC))
    tokens.subject_of(read)
    tokens.end_of(read)
    tokens.scopes_of(read)
    return read


def now() -> int:
    return int(time.time())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_that_the_issuer_signed_is_taken(algorithm: str) -> None:
    read = taken(token(algorithm))
    assert (read.issuer, sorted(read.audiences), tokens.subject_of(read)) == (ISSUER, [AUDIENCE], "ada")


def test_a_token_for_several_audiences_is_taken() -> None:
    assert taken(token(aud=["other", AUDIENCE])).audiences == {"other", AUDIENCE}


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+jwt", None])
def test_a_token_may_say_that_it_is_one(kind: str | None) -> None:
    assert taken(token(header={"typ": kind}))


def test_a_header_may_name_a_certificate_that_is_not_looked_at() -> None:
    assert taken(token(header={"x5t": "abc", "x5t#S256": "abc"}))


def hs256(secret: bytes, **header: Any) -> str:
    """A token whose signature is an HMAC: with the public key for its secret, the best known confusion."""
    head = {"alg": "HS256", "kid": "RS256", **header}
    content = f"{segment(json.dumps(head))}.{segment(json.dumps(claims()))}"
    return f"{content}.{segment(hmac.new(secret, content.encode(), hashlib.sha256).digest())}"


def public_bytes(encoding: serialization.Encoding) -> bytes:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return rsa_key().public_key().public_bytes(encoding, kind)


def pss(key: RSAPrivateKey) -> str:
    content = f"{segment(json.dumps({'alg': 'PS256', 'kid': 'RS256'}))}.{segment(json.dumps(claims()))}"
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    return f"{content}.{segment(key.sign(content.encode(), scheme, hashes.SHA256()))}"


def unsigned(algorithm: str) -> str:
    head = json.dumps({"alg": algorithm, "kid": "RS256"})
    return f"{segment(head)}.{segment(json.dumps(claims()))}."


def changed_payload() -> str:
    head, _, seal = token().split(".")
    return f"{head}.{segment(json.dumps(claims(sub='eve')))}.{seal}"


def der_signature() -> str:
    """An ECDSA signature in the other encoding."""
    content = f"{segment(json.dumps({'alg': 'ES256', 'kid': 'ES256'}))}.{segment(json.dumps(claims()))}"
    return f"{content}.{segment(ec_key().sign(content.encode(), ec.ECDSA(hashes.SHA256())))}"


def loose_bits() -> str:
    """The same bytes of the signature, spelled with another last character."""
    head, payload, seal = token().split(".")
    raw = base64.urlsafe_b64decode(seal + "==")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = (seal[:-1] + letter for letter in alphabet if letter != seal[-1])
    return f"{head}.{payload}." + next(o for o in others if base64.urlsafe_b64decode(o + "==") == raw)


def good_header(**others: Any) -> str:
    return json.dumps({"alg": "RS256", "kid": "RS256", **others})


ATTACKS: dict[str, Callable[[], str]] = {
    "no signature, alg none": lambda: unsigned("none"),
    "no signature, alg None": lambda: unsigned("None"),
    "no signature, a good alg": lambda: unsigned("RS256"),
    "alg none with a signature": lambda: token(header={"alg": "none"}),
    "hmac with the public key, pem": lambda: hs256(public_bytes(serialization.Encoding.PEM)),
    "hmac with the public key, der": lambda: hs256(public_bytes(serialization.Encoding.DER)),
    "hmac with the jwk": lambda: hs256(json.dumps(jwk(rsa_key(), "RS256")).encode()),
    "hmac that calls itself RS256": lambda: hs256(public_bytes(serialization.Encoding.PEM), alg="RS256"),
    "hmac with nothing": lambda: hs256(b""),
    "pss of the right key": lambda: pss(rsa_key()),
    "RS512": lambda: token(header={"alg": "RS512"}),
    "alg in lower case": lambda: token(header={"alg": "rs256"}),
    "alg with a space": lambda: token(header={"alg": " RS256"}),
    "no alg": lambda: token(header={"alg": None}),
    "alg is a list": lambda: token(header={"alg": ["RS256"]}),
    "another key of the set": lambda: token("ES256", header={"kid": "RS256"}),
    "another algorithm of the set": lambda: token("RS256", header={"alg": "ES256"}),
    "another RSA key": lambda: token(key=rsa_key(2048, 1)),
    "another EC key": lambda: token("ES256", key=ec_key(ec.SECP256R1, 1)),
    "ES256 on another curve": lambda: token("ES256", key=ec_key(ec.SECP384R1)),
    "ES256 on bitcoin's curve": lambda: token("ES256", key=ec_key(ec.SECP256K1)),
    "Ed448": lambda: token("EdDSA", key=ed_key(ed448.Ed448PrivateKey)),
    "ECDSA in DER": der_signature,
    "ECDSA of zeros": lambda: ".".join([*token("ES256").split(".")[:2], segment(bytes(64))]),
    "a changed payload": changed_payload,
    "an unknown kid": lambda: token(header={"kid": "unknown"}),
    "no kid": lambda: token(header={"kid": None}),
    "an empty kid": lambda: token(header={"kid": ""}),
    "kid is a number": lambda: token(header={"kid": 1}),
    "kid is a path": lambda: token(header={"kid": "../../dev/null"}),
    "kid is a statement": lambda: token(header={"kid": "' UNION SELECT 'x"}),
    "kid is too long": lambda: token(header={"kid": "k" * 256}),
    "jku": lambda: token(header={"jku": "https://issuer.example/keys"}),
    "x5u": lambda: token(header={"x5u": "https://issuer.example/chain"}),
    "x5c": lambda: token(header={"x5c": ["MII"]}),
    "jwk": lambda: token(header={"jwk": jwk(rsa_key(2048, 1), "RS256")}, key=rsa_key(2048, 1)),
    "jwk of null": lambda: sealed(good_header(jwk=None), json.dumps(claims()), rsa_key()),
    "crit": lambda: token(header={"crit": ["exp"], "exp": 1}),
    "crit of nothing": lambda: token(header={"crit": []}),
    "an unencoded payload": lambda: token(header={"b64": False, "crit": ["b64"]}),
    "b64 that changes nothing": lambda: token(header={"b64": True}),
    "b64 without crit": lambda: token(header={"b64": False}),
    "a payload of another type": lambda: token(header={"cty": "JWT"}),
    "a nested token": lambda: sealed(good_header(cty="JWT"), token(), rsa_key()),
    "an encrypted token": lambda: ".".join([segment(good_header(enc="A256GCM")), "", *["AAAA"] * 3]),
    "compressed": lambda: token(header={"zip": "DEF"}),
    "another typ": lambda: token(header={"typ": "logout+jwt"}),
    "typ is a number": lambda: token(header={"typ": 1}),
    "two algs": lambda: sealed('{"alg":"none","alg":"RS256","kid":"RS256"}', json.dumps(claims()), rsa_key()),
    "two kids": lambda: sealed('{"alg":"RS256","kid":"x","kid":"RS256"}', json.dumps(claims()), rsa_key()),
    "two subs": lambda: sealed(good_header(), json.dumps(claims())[:-1] + ',"sub":"root"}', rsa_key()),
    "header is a list": lambda: sealed("[]", json.dumps(claims()), rsa_key()),
    "header is not JSON": lambda: sealed("{", json.dumps(claims()), rsa_key()),
    "payload is not JSON": lambda: sealed(good_header(), b"\xff", rsa_key()),
    "payload is a text": lambda: sealed(good_header(), '"ada"', rsa_key()),
    "payload is empty": lambda: sealed(good_header(), "", rsa_key()),
    "payload is deep": lambda: sealed(good_header(), '{"a":' * 100 + "1" + "}" * 100, rsa_key()),
    "padded": lambda: token() + "==",
    "a padded payload": lambda: "{}.{}=.{}".format(*token(sub="adah").split(".")),
    "another spelling of the signature": loose_bits,
    "the other alphabet": lambda: token().replace("-", "+").replace("_", "/"),
    "something after it": lambda: token() + ".AAAA",
    "a space after it": lambda: token() + " ",
    "a line after it": lambda: token() + "\n",
    "a letter that is none": lambda: token()[:-2] + "ü=",
    "two segments": lambda: ".".join(token().split(".")[:2]),
    "too long": lambda: token(more="x" * tokens.LONGEST),
    "expired": lambda: token(exp=now() - 61),
    "no exp": lambda: token(exp=None),
    "exp is a text": lambda: token(exp=str(now() + 300)),
    "exp is true": lambda: token(exp=True),
    "exp is far away": lambda: token(exp=10**15),
    "exp is negative": lambda: token(exp=-1),
    "exp is not a number": lambda: sealed(good_header(), json.dumps(claims())[:-1] + ',"exp":NaN}', rsa_key()),
    "not yet": lambda: token(nbf=now() + 120),
    "nbf is true": lambda: token(nbf=True),
    "nbf is a text": lambda: token(nbf="0"),
    "issued in the future": lambda: token(iat=now() + 120),
    "iat is a text": lambda: token(iat="0"),
    "no sub": lambda: token(sub=None),
    "an empty sub": lambda: token(sub=""),
    "sub is a number": lambda: token(sub=1),
    "sub is too long": lambda: token(sub="s" * 256),
    "sub with a NUL": lambda: token(sub="ada\0"),
    "no iss": lambda: token(iss=None),
    "iss is a list": lambda: token(iss=[ISSUER]),
    "no aud": lambda: token(aud=None),
    "aud is empty": lambda: token(aud=[]),
    "aud is an object": lambda: token(aud={AUDIENCE: True}),
    "aud holds a number": lambda: token(aud=[AUDIENCE, 1]),
    "scope is a number": lambda: token(scope=1),
    "scope holds a number": lambda: token(scope=["*", 1]),
    "an API key": lambda: "tw_live_a.b.c",
    "nothing": lambda: "",
    "dots": lambda: "..",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_token_that_is_wrong_is_refused(attack: str) -> None:
    text = ATTACKS[attack]()
    with pytest.raises(BadToken):
        taken(text)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_algorithm_that_the_row_does_not_have_is_refused(algorithm: str) -> None:
    others = [other for other in ALGORITHMS if other != algorithm]
    with pytest.raises(BadToken, match="not one that this issuer uses"):
        taken(token(algorithm), others)


@pytest.mark.parametrize("curve", [ec.SECP384R1, ec.SECP256K1])
def test_a_key_on_another_curve_checks_nothing_though_its_signature_holds(curve: type[ec.EllipticCurve]) -> None:
    key = ec_key(curve)
    with pytest.raises(BadToken):
        taken(token("ES256", key=key), keys={"keys": [jwk(key, "ES256")]})


def test_a_short_key_checks_nothing_though_its_signature_holds() -> None:
    with pytest.raises(BadToken, match="2048"):
        taken(token(key=rsa_key(1024)), keys={"keys": [jwk(rsa_key(1024), "RS256")]})


@pytest.mark.parametrize(("claim", "good", "bad"), [("exp", -59, -61), ("nbf", 59, 62), ("iat", 59, 62)])
def test_clocks_may_be_off_by_a_minute(claim: str, good: int, bad: int) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    second = int(at.timestamp())
    others: dict[str, Any] = {"exp": second + 300}
    assert taken(token(**others | {claim: second + good}), now=at)
    with pytest.raises(BadToken):
        taken(token(**others | {claim: second + bad}), now=at)


def test_a_token_ends_when_its_exp_says() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    read = taken(token(exp=at.timestamp() + 0.5), now=at)
    assert tokens.end_of(read) == at + timedelta(seconds=0.5)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, None),
        ({"scope": ""}, set()),
        ({"scope": "a:read  b:write"}, {"a:read", "b:write"}),
        ({"scope": ["a:read", "b:write"]}, {"a:read", "b:write"}),
        ({"scp": "a:read"}, {"a:read"}),
        ({"scp": ["a:read"]}, {"a:read"}),
        ({"scopes": ["a:read"]}, {"a:read"}),
        ({"scope": "a:read", "scp": ["b:read"], "scopes": ["c:read"]}, {"a:read"}),
    ],
)
def test_scopes_are_read_as_issuers_write_them(given: dict[str, Any], words: set[str] | None) -> None:
    assert tokens.scopes_of(taken(token(**given))) == words
