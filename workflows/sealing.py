"""Secrets of a definition at rest: encrypted with a key that is derived from SECRET_KEY."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import cache

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.encoding import force_bytes

from contract import json_values


def seal(secrets: Mapping[str, str]) -> str:
    """The encrypted text of `secrets`; "" for none."""
    return _cipher().encrypt(json_values.canonical(dict(secrets))).decode() if secrets else ""


def unseal(sealed: str) -> dict[str, str]:
    """What seal() was given. Raises cryptography's InvalidToken where SECRET_KEY is not the one of that time."""
    secrets: dict[str, str] = json_values.load(_cipher().decrypt(sealed.encode())) if sealed else {}
    return secrets


@cache
def _cipher() -> MultiFernet:
    """Seals with SECRET_KEY; opens what SECRET_KEY or one of SECRET_KEY_FALLBACKS sealed."""
    return MultiFernet([Fernet(_key(secret)) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _key(secret: str | bytes) -> bytes:
    derived = HKDF(SHA256(), 32, salt=None, info=b"traceway definition secrets").derive(force_bytes(secret))
    return base64.urlsafe_b64encode(derived)
