"""What /v1/execution-webhooks answers."""

from __future__ import annotations

from typing import Final

from contract.schema import ADDRESS, COUNT, ID, MOMENT, TEXT, Component, listed, maybe, record, whole, words
from executions.webhooks.deliveries import ATTEMPTS_SHOWN
from executions.webhooks.schedule import MOST_RETRIES
from executions.webhooks.words import (
    DISABLED,
    ENABLED,
    SUBSCRIBABLE,
    DeliveryStatus,
    DisabledReason,
    Format,
    SendStatus,
)

ENDPOINT: Final = Component(
    "WebhookEndpoint",
    record(
        {
            "id": ID,
            "organizationId": ID,
            "name": TEXT,
            "url": ADDRESS,
            "description": maybe(TEXT),
            "format": words(*Format),
            "subscribedEventTypes": listed(words(*sorted(SUBSCRIBABLE)), minItems=1),
            "maxRetries": whole(0, MOST_RETRIES),
            "status": words(ENABLED, DISABLED),
            "disabledReason": maybe(words(*DisabledReason)),
            "disabledAt": maybe(MOMENT),
            "failingSince": maybe({**MOMENT, "description": "Since when nothing that it was sent was taken."}),
            "secretOverlapUntil": maybe({**MOMENT, "description": "Until when the secret before signs as well."}),
            "createdAt": MOMENT,
            "updatedAt": MOMENT,
        }
    ),
)
ENDPOINT_WITH_SECRET: Final = Component(
    "WebhookEndpointWithSecret",
    record(
        {
            "endpoint": ENDPOINT,
            "signingSecret": maybe({**TEXT, "description": "Shown this once; null in a replayed answer."}),
        }
    ),
)
WEBHOOK_ATTEMPT: Final = Component(
    "WebhookAttempt",
    record(
        {
            "number": whole(1),
            "status": words(*SendStatus),
            "responseStatus": maybe(whole(0, 999)),
            "responseExcerpt": maybe(TEXT),
            "error": maybe(record({"kind": TEXT, "message": TEXT})),
            "startedAt": MOMENT,
            "finishedAt": maybe(MOMENT),
            "durationMs": maybe(COUNT),
        }
    ),
)
DELIVERY: Final = Component(
    "WebhookDelivery",
    record(
        {
            "id": ID,
            "endpointId": ID,
            "executionId": ID,
            "eventId": {**ID, "description": "The header webhook-id is the same."},
            "eventType": TEXT,
            "status": words(*DeliveryStatus),
            "replayOf": maybe({**ID, "description": "The delivery that this one repeats."}),
            "attemptCount": COUNT,
            "nextAttemptAt": maybe(MOMENT),
            "createdAt": MOMENT,
            "finishedAt": maybe(MOMENT),
            "attempts": listed(WEBHOOK_ATTEMPT, maxItems=ATTEMPTS_SHOWN),
        }
    ),
)
