"""What executing a workflow and /v1/orchestrations answer: the workflow dialect."""

from __future__ import annotations

from typing import Final

from contract.schema import (
    ADDRESS,
    AGENT_NAME,
    COUNT,
    ID,
    MOMENT,
    OBJECT,
    RUN_NAME,
    SHA256,
    TEXT,
    Component,
    Schema,
    by_name,
    either,
    listed,
    maybe,
    record,
    whole,
    words,
)
from executions.api.receipts import RECEIPT_OF_RUN
from executions.states import StepStatus
from workflows.answers import PRICE
from workflows.effects import Effect

_AT_THE_START: Final[dict[str, Schema]] = {
    "name": TEXT,
    "action": TEXT,
    "agent_id": maybe(ID),
    "status": words("pending"),
    "result": {"type": "null"},
}
_STEP_STATUSES: Final = sorted({*StepStatus, "completed"} - {"succeeded", "waiting", "retrying", "outcome_unknown"})
_STANDING: Final[dict[str, Schema]] = {**_AT_THE_START, "status": words(*_STEP_STATUSES), "result": maybe(OBJECT)}
_EXECUTED: Final[dict[str, Schema]] = {
    "execution_id": ID,
    "run_id": maybe(RUN_NAME),
    "workflow_id": ID,
    "workflow_version": TEXT,
    "agent_id": AGENT_NAME,
    "status": words("pending", "running", "completed", "failed"),
    "steps": listed(record(_STANDING)),
    "created_at": MOMENT,
    "started_at": maybe(MOMENT),
    "checkout_url": maybe(ADDRESS),
}
EXECUTED: Final = Component("ExecutedWorkflow", record(_EXECUTED))
_NOT_YET: Final[dict[str, Schema]] = {
    name: {"type": "null"} for name in ("execution_id", "run_id", "created_at", "started_at", "checkout_url")
}
PLAN: Final = Component(
    "Plan",
    record(
        {
            **_EXECUTED,
            **_NOT_YET,
            "status": words("pending"),
            "steps": listed(
                record(
                    {
                        **_AT_THE_START,
                        "type": TEXT,
                        "depends_on": listed(TEXT),
                        "wave": {**COUNT, "description": "Steps of one wave may run side by side."},
                        "config": {**OBJECT, "description": "Resolved as far as it depends on nothing yet to run."},
                        "effect": words(*Effect),
                    }
                )
            ),
            "plan_hash": SHA256,
            "price": maybe(PRICE),
        }
    ),
)
EXECUTED_OR_PLAN: Final = either(EXECUTED, PLAN)

_SUMMARY: Final[dict[str, Schema]] = {
    "id": RUN_NAME,
    "orchestration_id": RUN_NAME,
    "workflow_id": ID,
    "workflow_version": TEXT,
    "agent_id": maybe(AGENT_NAME),
    "parameters": OBJECT,
    "status": words("pending", "running", "completed", "failed", "timeout", "cancelled"),
    "output": maybe(OBJECT),
    "total_cost_cents": maybe(COUNT),
    "receipt_id": maybe(ID),
    "receipts": listed(RECEIPT_OF_RUN),
    "error": maybe(record({"code": TEXT, "message": maybe(TEXT)})),
    "created_at": MOMENT,
    "started_at": maybe(MOMENT),
    "completed_at": maybe(MOMENT),
}
ORCHESTRATION_SUMMARY: Final = Component("OrchestrationSummary", record(_SUMMARY))
ORCHESTRATION: Final = Component(
    "Orchestration",
    record(
        {
            **_SUMMARY,
            "agents": listed(ID),
            "steps": listed(
                record(
                    {
                        **_STANDING,
                        "step_id": ID,
                        "step_number": whole(1),
                        "started_at": maybe(MOMENT),
                        "completed_at": maybe(MOMENT),
                        "duration_ms": maybe(COUNT),
                    }
                ),
                maxItems=1_000,
            ),
            "results": by_name(maybe(OBJECT)),
        }
    ),
)
_INLINE_PLAN: Final = Component("PlanOfSteps", record({**PLAN.schema["properties"], "workflow_id": {"type": "null"}}))
ORCHESTRATION_OR_PLAN: Final = either(ORCHESTRATION, PLAN, _INLINE_PLAN)
