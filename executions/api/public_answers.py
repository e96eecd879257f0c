"""What /v1/public answers: the executions dialect, redacted."""

from __future__ import annotations

from typing import Final

from contract.schema import ADDRESS, ID, MOMENT, OBJECT, RUN_NAME, TEXT, Component, listed, maybe, record, words
from executions.api.answers import PAYMENT_STATUS, STATUS

PUBLIC_EVENT: Final = Component(
    "PublicEvent",
    record(
        {
            "id": ID,
            "eventType": TEXT,
            "level": words("info", "warning", "error"),
            "title": TEXT,
            "message": TEXT,
            "nodeId": maybe({**TEXT, "description": "The step's name."}),
            "runId": maybe(RUN_NAME),
            "createdAt": MOMENT,
        }
    ),
)
PUBLIC_EXECUTION: Final = Component(
    "PublicExecution",
    record(
        {
            "id": ID,
            "workflowId": ID,
            "status": STATUS,
            "paymentStatus": PAYMENT_STATUS,
            "checkoutSessionId": maybe(TEXT),
            "orderId": maybe(ID),
            "runId": maybe(RUN_NAME),
            "clientSafeMetadata": OBJECT,
            "createdAt": MOMENT,
            "startedAt": maybe(MOMENT),
            "finishedAt": maybe(MOMENT),
            "message": TEXT,
            "events": listed(PUBLIC_EVENT, maxItems=100),
        }
    ),
)
PUBLIC_CREATED: Final = record({"clientToken": TEXT, "execution": PUBLIC_EXECUTION}, {"checkoutUrl": ADDRESS})
