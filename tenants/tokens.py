"""JSON Web Tokens: read strictly, then checked against one key. Pure: who is trusted is tenants/issuers.py.

Everything that is wrong with a token is a BadToken; why is for the logs, never for the caller.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from jwt import PyJWS
from jwt.exceptions import PyJWTError

from contract import json_values
from contract.json_values import JSON
from tenants import jwks

SKEW: Final = 60
"""Seconds that the issuer's clock may be off."""
LONGEST: Final = 8192
"""Characters of a token."""
LONGEST_NAME: Final = 255
"""Characters of `iss`, `sub`, `kid` and each `aud`."""

_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]+")
_TYPES: Final = frozenset({"jwt", "at+jwt", "application/jwt", "application/at+jwt"})
_REFUSED_HEADERS: Final = frozenset({"jku", "x5u", "jwk", "x5c", "crit", "b64", "cty", "enc", "zip"})
"""They bring keys along, or make of the token something else than signed claims."""
_SCOPE_CLAIMS: Final = ("scope", "scp", "scopes")
_LAST_SECOND: Final = datetime.max.replace(tzinfo=UTC).timestamp() - 86_400


class BadToken(ValueError):
    """A token that is not taken; str() says why."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says of itself; nothing of it is true before check() was passed."""

    text: str
    algorithm: str
    kid: str
    issuer: str
    audiences: frozenset[str]
    claims: dict[str, JSON]


def read(text: str) -> Token:
    """The token that `text` is. Raises BadToken."""
    parts = text.split(".")
    if len(text) > LONGEST or len(parts) != 3 or not all(map(_SEGMENT.fullmatch, parts)):
        raise BadToken("it is no signed token of three segments")
    header, claims = _object(parts[0], "header"), _object(parts[1], "payload")
    if refused := sorted(_REFUSED_HEADERS.intersection(header)):
        raise BadToken(f"its header has {refused[0]}")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise BadToken("its typ is not that of an access token")
    return Token(
        text,
        algorithm=_text(header, "alg"),
        kid=_text(header, "kid"),
        issuer=_text(claims, "iss"),
        audiences=_audiences(claims.get("aud")),
        claims=claims,
    )


def check(token: Token, key: JSON, algorithms: Collection[str], now: datetime) -> None:
    """Raises BadToken unless `key` signed the token with one of `algorithms` and its times hold `now`."""
    if token.algorithm not in algorithms:
        raise BadToken("its algorithm is not one that this issuer uses")
    _check_signature(token, key)
    _check_times(token.claims, now.timestamp())


def subject_of(token: Token) -> str:
    """Whom the token is about. Raises BadToken."""
    return _text(token.claims, "sub")


def end_of(token: Token) -> datetime:
    """Its `exp`. Raises BadToken."""
    return datetime.fromtimestamp(_moment(token.claims, "exp"), UTC)


def scopes_of(token: Token) -> frozenset[str] | None:
    """The words of its `scope`, else `scp`, else `scopes`: a text or a list. None: it has none of these claims."""
    for name in _SCOPE_CLAIMS:
        if name in token.claims:
            return _words(token.claims[name], name)
    return None


def _check_signature(token: Token, key: JSON) -> None:
    try:
        public = jwks.load(key)
        # The key says by which algorithm it checks; what the token says only has to be the same.
        only = [str(public.algorithm_name)]
        PyJWS(algorithms=only).decode(token.text, public, only)
    except (PyJWTError, jwks.UnusableKey) as error:
        raise BadToken(f"its signature does not hold: {error}") from error


def _check_times(claims: dict[str, JSON], now: float) -> None:
    if _moment(claims, "exp") <= now - SKEW:
        raise BadToken("it has expired")
    for name in ("nbf", "iat"):
        if name in claims and _moment(claims, name) > now + SKEW:
            raise BadToken(f"its {name} lies in the future")


def _object(segment: str, part: str) -> dict[str, JSON]:
    try:
        value = json_values.parse(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except (binascii.Error, json_values.InvalidJson) as error:
        raise BadToken(f"its {part} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadToken(f"its {part} is no object")
    return value


def _text(members: dict[str, JSON], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME:
        raise BadToken(f"its {name} is no text of 1 to {LONGEST_NAME} characters")
    return value


def _audiences(value: JSON) -> frozenset[str]:
    named = [value] if isinstance(value, str) else value
    if not isinstance(named, list) or not named:
        raise BadToken("it has no aud")
    return frozenset(_text({"aud": one}, "aud") for one in named)


def _moment(claims: dict[str, JSON], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LAST_SECOND:
        raise BadToken(f"its {name} is no time in seconds")
    return value


def _words(value: JSON, name: str) -> frozenset[str]:
    words = value.split(" ") if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise BadToken(f"its {name} is neither a text nor a list of texts")
    return frozenset(words) - {""}
