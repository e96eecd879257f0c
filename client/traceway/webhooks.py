"""Deliveries of Traceway, believed only by their signature (Standard Webhooks)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from traceway.errors import BadSignature


def verify(secret: str, headers: Mapping[str, str], body: bytes | str) -> Any:
    """The JSON of a delivery that is signed with `secret` (`whsec_...`), and of these minutes; else BadSignature.

    `body` are the bytes as they came. A delivery may come more than once: the header webhook-id tells.
    """
    try:
        return Webhook(secret).verify(body, dict(headers))
    except (WebhookVerificationError, ValueError) as error:
        raise BadSignature(f"the delivery is not believed: {error}") from error
