"""What the first event of an execution commits to of its submission beside the payloads: every other column."""

from __future__ import annotations

from contract import json_values
from contract.json_values import JSON
from executions.events import digest
from executions.models import Execution, Submission

PAYLOADS = ("input", "parameters", "application_data", "client_safe_metadata")
"""Columns that may be large or dropped: each has a digest of its own."""

_NAMED = (
    "agent_id",
    "application_id",
    "depth",
    "external_ref",
    "idempotency_key",
    "initiated_by_id",
    "initiated_by_type",
    "outcome_expression",
    "parent_id",
    "parent_step",
    "parent_turn",
    "request_id",
    "root",
    "source_entity_id",
    "source_entity_type",
    "source_system",
    "template_id",
    "tenant_id",
)
_IDS = frozenset({"agent_id", "application_id", "parent_id", "root", "template_id", "tenant_id"})


def described(execution: Execution, submission: Submission) -> dict[str, JSON]:
    """Every column that never changes, by name; ids as text."""
    told = {name: getattr(submission, name) for name in _NAMED}
    told |= {name: None if told[name] is None else str(told[name]) for name in _IDS}
    timeout = submission.timeout_seconds
    return told | {
        "timeout_seconds": None if timeout is None else float(timeout),
        "concurrency_key": execution.concurrency_key,
        "priority": execution.priority,
        "version_id": str(execution.version_id),
        "workflow_id": str(execution.workflow_id),
    }


def submission_digest(execution: Execution, submission: Submission) -> str:
    """The digest of the canonical JSON of `described`."""
    return digest(json_values.stored(described(execution, submission)))
