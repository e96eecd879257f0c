"""The answers that are kept for idempotency keys, of an execution whose payloads are dropped: they hold copies."""

from __future__ import annotations

from typing import Final

from django.db.models import Q

from contract import json_values
from contract.identifiers import run_name
from contract.json_values import JSON
from executions.models import Execution
from executions.payloads.references import refer
from tenants.models import IdempotentRequest

_PAYLOADS: Final = frozenset(
    {
        "arguments", "clientSafeMetadata", "error", "input", "output", "parameters", "requestPayload",
        "responsePayload", "result", "results",
    }
)  # fmt: skip
"""The members of answers that hold what went in or came out."""


def drop_answers(execution: Execution) -> None:
    """Have the kept answers that name the execution say of its payloads that they were dropped.

    Looks through the tenant's answers since the execution was created, of which there are those of 30 days at most.
    """
    runs = [execution.run_id, *execution.earlier_runs.values_list("run_id", flat=True)]
    named = Q(text__contains=str(execution.id)) | Q(path__contains=str(execution.id))
    for run_id in runs:
        named |= Q(text__contains=run_name(run_id)) if run_id else Q()
    kept = IdempotentRequest.objects.filter(named, tenant_id=execution.tenant_id, created_at__gte=execution.created_at)
    for row in kept.exclude(text=""):
        row.text = json_values.dump(_without_payloads(json_values.load(row.text)))
        row.save(update_fields=["text"])


def _without_payloads(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {name: _dropped(name, member) for name, member in value.items()}
    return [_without_payloads(item) for item in value] if isinstance(value, list) else value


def _dropped(name: str, member: JSON) -> JSON:
    if name not in _PAYLOADS or member is None:
        return _without_payloads(member)
    return {"dropped": refer(json_values.stored(member)).shown()}
