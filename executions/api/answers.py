"""What /v1/executions and /v1/payments answer: the executions dialect."""

from __future__ import annotations

from typing import Final

from contract.schema import (
    ADDRESS,
    ANYTHING,
    COUNT,
    FLAG,
    ID,
    MOMENT,
    OBJECT,
    RUN_NAME,
    TEXT,
    Component,
    Schema,
    either,
    listed,
    maybe,
    record,
    whole,
    words,
)
from executions.states import NOT_REQUIRED, AttemptStatus, PaymentStatus, Status, StepStatus
from workflows.effects import Effect

STATUS: Final = words(*Status)
PAYMENT_STATUS: Final = words(NOT_REQUIRED, *PaymentStatus)
EXECUTION: Final = Component(
    "Execution",
    record(
        {
            "checkoutSessionId": maybe(TEXT),
            "clientSafeMetadata": OBJECT,
            "createdAt": MOMENT,
            "externalRef": maybe(TEXT),
            "finishedAt": maybe(MOMENT),
            "id": ID,
            "idempotencyKey": maybe(TEXT),
            "initiatedById": TEXT,
            "initiatedByType": words("api_key", "user", "public", "schedule", "execution"),
            "orderId": maybe(ID),
            "organizationId": ID,
            "paymentStatus": PAYMENT_STATUS,
            "requestPayload": OBJECT,
            "responsePayload": maybe(OBJECT),
            "runId": maybe(RUN_NAME),
            "sourceEntityId": maybe(TEXT),
            "sourceEntityType": TEXT,
            "sourceSystem": TEXT,
            "startedAt": maybe(MOMENT),
            "status": STATUS,
            "statusReason": maybe(TEXT),
            "updatedAt": MOMENT,
            "workflowId": ID,
        }
    ),
)
EVENT: Final = Component(
    "Event",
    record(
        {
            "id": ID,
            "sequence": whole(1),
            "executionId": ID,
            "organizationId": ID,
            "workflowId": ID,
            "runId": maybe(RUN_NAME),
            "nodeId": maybe({**TEXT, "description": "The step's name."}),
            "requestId": TEXT,
            "eventType": {**TEXT, "examples": ["execution.created", "step.succeeded", "payment.paid"]},
            "level": words("info", "warning", "error"),
            "title": TEXT,
            "message": TEXT,
            "data": OBJECT,
            "createdAt": MOMENT,
        }
    ),
)
CREATED_EXECUTION: Final = Component(
    "CreatedExecution",
    record(
        {"clientToken": {**TEXT, "description": "Shown only here."}, "execution": EXECUTION},
        optional={"checkoutUrl": {**ADDRESS, "description": "There while payment is awaited."}},
    ),
)
READ_EXECUTION: Final = Component(
    "ReadExecution", record({"execution": EXECUTION, "events": listed(EVENT, maxItems=100), "message": TEXT})
)

STEP_ERROR: Final = Component("StepError", record({"kind": TEXT, "message": TEXT, "details": ANYTHING}))
ATTEMPT: Final = Component(
    "Attempt",
    record(
        {
            "number": whole(1),
            "status": words(*AttemptStatus),
            "worker": maybe(TEXT),
            "codeVersion": maybe(TEXT),
            "startedAt": MOMENT,
            "finishedAt": maybe(MOMENT),
            "durationMs": maybe(COUNT),
            "input": ANYTHING,
            "output": ANYTHING,
            "error": maybe(STEP_ERROR),
        }
    ),
)
EXECUTION_STEP: Final = Component(
    "ExecutionStep",
    record(
        {
            "id": ID,
            "name": TEXT,
            "type": TEXT,
            "status": words(*StepStatus),
            "dependsOn": listed(TEXT),
            "startedAt": maybe(MOMENT),
            "finishedAt": maybe(MOMENT),
            "input": ANYTHING,
            "output": ANYTHING,
            "error": maybe(STEP_ERROR),
            "parent": maybe({**TEXT, "description": "The step that this is a part of."}),
            "parts": maybe(record({"total": COUNT, "ended": COUNT, "failed": COUNT})),
            "childExecutionId": maybe(ID),
            "attempts": listed(ATTEMPT),
        }
    ),
)
EXECUTION_STEPS: Final = record({"items": listed(EXECUTION_STEP), "nextCursor": maybe(TEXT)})

_REASON: Final[dict[str, Schema]] = {"kind": TEXT, "message": TEXT}
WHY_WAITING: Final = Component(
    "WhyWaiting",
    record(
        {
            "stepId": ID,
            "name": TEXT,
            "status": words(*StepStatus),
            "message": TEXT,
            "waitingFor": listed(
                {
                    **record(_REASON),
                    "additionalProperties": True,
                    "description": "`kind` says which further members there are.",
                },
                minItems=1,
            ),
        }
    ),
)
PREVIEW: Final = Component(
    "RedrivePreview",
    record(
        {
            "preview": record(
                {
                    "fromStep": maybe(TEXT),
                    "keeps": listed(TEXT),
                    "resets": listed(TEXT),
                    "repeats": listed(
                        record(
                            {
                                "step": TEXT,
                                "type": TEXT,
                                "effect": words(*Effect),
                                "attempts": whole(1),
                                "lastOutcome": words(*AttemptStatus),
                                "sameKey": FLAG,
                            }
                        )
                    ),
                }
            )
        }
    ),
)
REDRIVEN: Final = either(EXECUTION, PREVIEW)

PAYMENT: Final = Component(
    "Payment",
    record(
        {
            "orderId": ID,
            "executionId": ID,
            "provider": TEXT,
            "status": words(*PaymentStatus),
            "amount": {**whole(1), "description": "In minor units of the currency."},
            "currency": TEXT,
            "refundedAmount": COUNT,
            "reference": maybe(TEXT),
            "checkoutUrl": maybe(ADDRESS),
            "createdAt": MOMENT,
            "paidAt": maybe(MOMENT),
            "expiresAt": maybe(MOMENT),
        }
    ),
)
