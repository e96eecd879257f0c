"""The webhook step: a POST signed by the Standard Webhooks specification (standardwebhooks.com)."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

import httpx
from standardwebhooks import Webhook

from contract import json_values
from contract.json_values import JSON
from contract.timestamps import wire
from orchestrator.actions.action import ActionFailed, Attempted
from orchestrator.actions.http import ANY_2XX, built, send

_PREFIX = "whsec_"


class WebhookAction:
    """Carries webhook steps out. Output: {status, delivery_id}; the delivery id stays the same over retries."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def __call__(self, config: dict[str, JSON], attempted: Attempted) -> JSON:
        moment = datetime.now(UTC)
        content = json_values.dump(
            {"type": config["event"] or "step.webhook", "timestamp": wire(moment), "data": config["payload"]}
        )
        delivery_id = _delivery_id(attempted)
        # No Idempotency-Key: webhook-id is this specification's, and the body, which says when it was sent, differs.
        headers = {"Content-Type": "application/json", "webhook-id": delivery_id}
        headers["webhook-timestamp"] = str(int(moment.timestamp()))
        if config["secret"] is not None:
            headers["webhook-signature"] = _sign(config["secret"], delivery_id, moment, content)
        seconds = attempted.seconds
        request = built(self._client, "POST", config["url"], headers=headers, content=content, timeout=seconds)
        response, _ = send(self._client, request, attempted, ANY_2XX, seconds)
        return {"status": response.status_code, "delivery_id": delivery_id}


def _delivery_id(attempted: Attempted) -> str:
    """A digest: a step's name may hold the full stops that separate the parts of what is signed."""
    return f"msg_{hashlib.sha256(attempted.idempotency_key.encode()).hexdigest()[:32]}"


def _sign(secret: str, delivery_id: str, moment: datetime, content: str) -> str:
    """The signature. The library would leave out of the secret whatever is not base64; other receivers would not."""
    text = secret.removeprefix(_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError as error:
        raise _invalid_secret("is not base64") from error
    if not key:
        raise _invalid_secret("is empty")
    return Webhook(key).sign(delivery_id, moment, content)


def _invalid_secret(how: str) -> ActionFailed:
    return ActionFailed("invalid_secret", f"the webhook's secret {how}", retryable=False)
