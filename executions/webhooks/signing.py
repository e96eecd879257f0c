"""The secrets of endpoints: made here, kept encrypted, and what they sign (standardwebhooks.com)."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime

from standardwebhooks import Webhook

from workflows.sealing import seal, unseal

PREFIX = "whsec_"
SECRET_BYTES = 32
_NEWEST, _BEFORE = "newest", "before"


def new_secret() -> str:
    """`whsec_` and the base64 of 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def sealed(newest: str) -> str:
    """A first secret as it is stored."""
    return seal({_NEWEST: newest})


def sealed_after(stored: str, newest: str) -> str:
    """A new secret as it is stored, beside the one that was the newest until now."""
    return seal({_NEWEST: newest, _BEFORE: unseal(stored)[_NEWEST]})


def signing(stored: str, *, overlapping: bool) -> list[str]:
    """The secrets that sign, the newest first. Raises cryptography's InvalidToken where SECRET_KEY is another."""
    kept = unseal(stored)
    return [kept[name] for name in (_NEWEST, *([_BEFORE] if overlapping else [])) if name in kept]


def signatures(keys: Sequence[str], message_id: str, moment: datetime, content: str) -> str:
    """The header webhook-signature: one signature a key, separated by spaces. A receiver takes any that it can check.

    `moment` is in UTC.
    """
    return " ".join(Webhook(key).sign(message_id, moment, content) for key in keys)
