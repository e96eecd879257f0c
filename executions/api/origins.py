"""Where an execution comes from that a caller with a credential asks for: the same at every door."""

from __future__ import annotations

from executions.creation import Origin
from tenants.door import Door


def origin_at(
    door: Door, system: str, entity_type: str, entity_id: str | None, external_ref: str | None = None
) -> Origin:
    """The origin of what is created at `door`, by its caller, in its request, under its idempotency key."""
    return Origin(
        source_system=system,
        source_entity_type=entity_type,
        source_entity_id=entity_id,
        external_ref=external_ref,
        idempotency_key=door.idempotency_key(),
        initiated_by_type=door.credential.kind,
        initiated_by_id=door.credential.id,
        request_id=door.request_id,
    )
