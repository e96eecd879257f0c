"""The secrets of endpoints: made here, kept encrypted, and what they sign (standardwebhooks.com)."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime

from standardwebhooks import Webhook

from tenants.sealing import Purpose, seal, unseal

PREFIX = "whsec_"
SECRET_BYTES = 32
_NEWEST, _BEFORE, _BEARER = "newest", "before", "bearer"


def new_secret() -> str:
    """`whsec_` and the base64 of 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def sealed(newest: str, bearer: str | None = None) -> str:
    """A first secret as it is stored, and the receiver's own key where it wants one."""
    return seal({_NEWEST: newest} | ({_BEARER: bearer} if bearer else {}), Purpose.WEBHOOK_ENDPOINT)


def sealed_after(stored: str, newest: str) -> str:
    """A new secret as it is stored, beside the one that was the newest until now."""
    kept = _opened(stored)
    return seal({**kept, _NEWEST: newest, _BEFORE: kept[_NEWEST]}, Purpose.WEBHOOK_ENDPOINT)


def bearer_of(stored: str) -> str | None:
    """The key that the receiver wants. Raises cryptography's InvalidToken where SECRET_KEY is another."""
    return _opened(stored).get(_BEARER)


def signing(stored: str, *, overlapping: bool) -> list[str]:
    """The secrets that sign, the newest first. Raises cryptography's InvalidToken where SECRET_KEY is another."""
    kept = _opened(stored)
    return [kept[name] for name in (_NEWEST, *([_BEFORE] if overlapping else [])) if name in kept]


def signatures(keys: Sequence[str], message_id: str, moment: datetime, content: str) -> str:
    """The header webhook-signature: one signature a key, separated by spaces. A receiver takes any that it can check.

    `moment` is in UTC.
    """
    return " ".join(Webhook(key).sign(message_id, moment, content) for key in keys)


def _opened(stored: str) -> dict[str, str]:
    return unseal(stored, Purpose.WEBHOOK_ENDPOINT)
