"""The webhook step: a POST signed by the Standard Webhooks specification (standardwebhooks.com)."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
from standardwebhooks import Webhook

from contract import json_values
from contract.json_values import JSON
from contract.timestamps import wire
from orchestrator.actions.action import ActionFailed, Attempted
from orchestrator.actions.http import judge, send

ANY_2XX = [[200, 299]]


class WebhookAction:
    """Carries webhook steps out. Output: {status, delivery_id}; the delivery id stays the same over retries."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def __call__(self, config: dict[str, JSON], attempted: Attempted) -> JSON:
        moment = datetime.now(UTC)
        content = json_values.dump(
            {"type": config["event"] or "step.webhook", "timestamp": wire(moment), "data": config["payload"]}
        )
        delivery_id = f"msg_{attempted.idempotency_key.replace(':', '_')}"
        headers = {"Content-Type": "application/json", "Idempotency-Key": attempted.idempotency_key}
        headers |= {"webhook-id": delivery_id, "webhook-timestamp": str(int(moment.timestamp()))}
        if config["secret"] is not None:
            headers["webhook-signature"] = _sign(config["secret"], delivery_id, moment, content)
        request = self._client.build_request(
            "POST", config["url"], headers=headers, content=content, timeout=attempted.seconds
        )
        response, body = send(self._client, request, attempted)
        judge(response, body, ANY_2XX)
        return {"status": response.status_code, "delivery_id": delivery_id}


def _sign(secret: str, delivery_id: str, moment: datetime, content: str) -> str:
    try:
        return Webhook(secret).sign(delivery_id, moment, content)
    except (ValueError, RuntimeError) as error:
        raise ActionFailed("invalid_secret", "the webhook's secret is not base64", retryable=False) from error
