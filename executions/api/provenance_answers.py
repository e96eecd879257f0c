"""What the questions about provenance answer: the executions dialect, and PROV-JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from contract.answers import Answers, Success, Wrapping
from contract.schema import (
    ANYTHING,
    COUNT,
    FLAG,
    ID,
    MOMENT,
    OBJECT,
    RUN_NAME,
    SHA256,
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
from executions.api.answers import STATUS, STEP_ERROR
from executions.provenance.chains_places import At
from executions.provenance.impact import By
from executions.provenance.sources import KINDS
from executions.states import AttemptStatus, StepStatus

PATH: Final = {**TEXT, "description": "Where it stands; of another execution, behind `/executions/<id>`."}
PAYLOAD: Final = Component("PayloadDigest", record({"digest": SHA256, "bytes": COUNT}))
AGENT: Final = Component("ProvenanceAgent", record({"id": ID, "name": TEXT}))
SOURCE: Final = Component(
    "ValueSource",
    record(
        {
            "kind": words(*KINDS, "definition"),
            "name": maybe({**TEXT, "description": "The step or the secret; of another execution, its id."}),
            "attempt": maybe(whole(1)),
            "pointer": maybe({**TEXT, "description": "JSON Pointer into what it came from."}),
            "expression": maybe(TEXT),
            "digest": maybe(SHA256),
            "path": PATH,
        }
    ),
)
FIELD: Final = Component(
    "InputField",
    record(
        {
            "field": {**TEXT, "description": "JSON Pointer into the recorded input, or the output."},
            "digest": maybe(SHA256),
            "sources": listed(SOURCE),
        }
    ),
)
PROVENANCE_ATTEMPT: Final = Component(
    "ProvenanceAttempt",
    record(
        {
            "number": whole(1),
            "status": words(*AttemptStatus),
            "action": maybe(TEXT),
            "actionVersion": maybe(TEXT),
            "agent": maybe(AGENT),
            "by": maybe({**TEXT, "description": "Who ended it, where that was no worker of this installation."}),
            "worker": maybe({**TEXT, "description": "Host and process."}),
            "process": maybe({**ID, "description": "The boot of that process."}),
            "codeVersion": maybe(TEXT),
            "startedAt": MOMENT,
            "finishedAt": maybe(MOMENT),
            "durationMs": maybe(COUNT),
            "input": maybe(PAYLOAD),
            "output": maybe(PAYLOAD),
            "error": maybe(STEP_ERROR),
            "usage": maybe(OBJECT),
            "cost": maybe({"type": "number"}),
            "childExecutionId": maybe(ID),
            "inputs": listed(FIELD),
        }
    ),
)
PROVENANCE_STEP: Final = Component(
    "ProvenanceStep",
    record(
        {
            "id": ID,
            "name": TEXT,
            "type": TEXT,
            "status": words(*StepStatus),
            "patch": maybe({**OBJECT, "description": "What the parameters of the newest run changed in its config."}),
            "attempts": listed(PROVENANCE_ATTEMPT),
        }
    ),
)
_OF_EXECUTION: Final[dict[str, Schema]] = {
    "id": ID,
    "runId": maybe(RUN_NAME),
    "status": STATUS,
    "workflowId": ID,
    "workflow": TEXT,
    "version": TEXT,
    "definition": SHA256,
    "initiatedByType": TEXT,
    "initiatedById": TEXT,
    "agent": maybe(AGENT),
    "parentExecutionId": maybe(ID),
    "input": PAYLOAD,
    "parameters": PAYLOAD,
    "application": maybe(PAYLOAD),
    "output": maybe(PAYLOAD),
    "outcome": maybe(TEXT),
    "inputs": listed(FIELD),
    "outputs": listed(FIELD),
    "events": record({"sequence": COUNT, "head": SHA256}),
}
PROVENANCE: Final = Component(
    "Provenance",
    record(
        {
            "execution": Component("ProvenanceExecution", record(_OF_EXECUTION)),
            "items": listed(PROVENANCE_STEP),
            "nextCursor": maybe(TEXT),
        }
    ),
)
NODE: Final = Component(
    "ProvenanceNode",
    record(
        {
            "path": PATH,
            "executionId": ID,
            "kind": words(*At),
            "step": maybe(TEXT),
            "attempt": maybe(whole(1)),
            "pointer": TEXT,
            "expression": maybe({**TEXT, "description": "What is written there."}),
            "value": {**ANYTHING, "description": "Null where it is longer than 4 KiB, or gone."},
            "digest": maybe(SHA256),
            "bytes": maybe(COUNT),
            "worker": maybe(TEXT),
            "startedAt": maybe(MOMENT),
            "from": listed(PATH),
        }
    ),
)
CHAIN: Final = Component(
    "ProvenanceChain",
    record(
        {
            "path": PATH,
            "value": ANYTHING,
            "digest": maybe(SHA256),
            "bytes": maybe(COUNT),
            "chain": listed(NODE),
            "complete": {**FLAG, "description": "False where the chain is longer than is told."},
        }
    ),
)
PROV_JSON: Final = Component(
    "ProvJson",
    {"type": "object", "description": "W3C PROV-JSON, without an envelope.", "required": ["prefix"]},
)
OPEN_LINEAGE: Final = Component(
    "OpenLineageEvents",
    {
        "type": "array",
        "description": "OpenLineage run events (2-0-2), in their order, without an envelope.",
        "items": {"type": "object", "required": ["eventTime", "producer", "schemaURL", "run", "job"]},
    },
)
CONSUMER: Final = Component(
    "Consumer",
    record(
        {
            "kind": words(*By),
            "executionId": ID,
            "step": maybe(TEXT),
            "attempt": maybe(whole(1)),
            "field": maybe({**TEXT, "description": "Null where the whole went in otherwise."}),
            "distance": {**whole(1), "description": "1 where it was read first-hand."},
            "via": maybe(PATH),
            "delivery": maybe(
                record(
                    {
                        "id": ID,
                        "endpointId": ID,
                        "endpoint": TEXT,
                        "eventType": TEXT,
                        "sequence": whole(1),
                        "status": TEXT,
                    }
                )
            ),
        }
    ),
)
IMPACT: Final = Component(
    "Impact",
    record(
        {
            "items": listed(CONSUMER),
            "nextCursor": maybe(TEXT),
            "complete": {**FLAG, "description": "False where there may be more than was looked at."},
        }
    ),
)


def enveloped_or(value: Schema, others: Sequence[Schema], description: str) -> Answers:
    """200 with `value` in the dialect's envelope, or with one of the `others` in none."""
    envelope = record({"code": whole(200, 200), "message": TEXT, "data": value, "requestId": TEXT})
    return Answers((Success(200, either(envelope, *others), description, Wrapping.NONE),))
