"""What must not be read in the database: sealed with keys derived from SECRET_KEY, one for each purpose.

What is sealed, and for whom, is each room's own to say; Purpose names all of it, so that all can be sealed anew.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from enum import StrEnum
from functools import cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.encoding import force_bytes

from contract import json_values

__all__ = ["InvalidToken", "Purpose", "reseal", "seal", "unseal"]


class Purpose(StrEnum):
    """What is sealed. A key opens nothing of another purpose, but for DEFINITION's: once it was the only one."""

    DEFINITION = "definition secrets"
    TENANT = "tenant secrets"
    WEBHOOK_ENDPOINT = "webhook endpoint secrets"
    PAYMENT_ACCOUNT = "payment account keys"
    SIGNING_KEY = "signing key of receipts"


def seal(secrets: Mapping[str, str], purpose: Purpose) -> str:
    """The encrypted text of `secrets`; "" for none."""
    return _cipher(purpose).encrypt(json_values.canonical(dict(secrets))).decode() if secrets else ""


def unseal(sealed: str, purpose: Purpose) -> dict[str, str]:
    """What seal() was given.

    Raises InvalidToken where neither SECRET_KEY nor one of SECRET_KEY_FALLBACKS is the one of that time.
    """
    secrets: dict[str, str] = json_values.load(_cipher(purpose).decrypt(sealed.encode())) if sealed else {}
    return secrets


def reseal(sealed: str, purpose: Purpose) -> str:
    """The same under the key of now, which is all that opens it from then on. Raises InvalidToken as unseal() does."""
    return seal(unseal(sealed, purpose), purpose)


def _cipher(purpose: Purpose) -> MultiFernet:
    return _cipher_of(purpose, (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


@cache
def _cipher_of(purpose: Purpose, masters: tuple[str | bytes, ...]) -> MultiFernet:
    """Seals with the first key; opens what any of them sealed."""
    purposes = dict.fromkeys((purpose, Purpose.DEFINITION))
    return MultiFernet([Fernet(_key(master, each)) for each in purposes for master in masters])


def _key(master: str | bytes, purpose: Purpose) -> bytes:
    derived = HKDF(SHA256(), 32, salt=None, info=f"traceway {purpose}".encode()).derive(force_bytes(master))
    return base64.urlsafe_b64encode(derived)
