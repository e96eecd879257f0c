"""How long payloads are kept: /v1/retention for the tenant, /v1/workflows/{id}/retention for one of its workflows."""

from __future__ import annotations

from typing import Final

from contract.answers import gone, shown
from contract.http import Answer
from contract.json_values import JSON
from contract.schema import FLAG, Component, maybe, record, whole
from contract.shapes import Shape, Whole
from executions.payloads.dropping import REQUEST, drop_payloads
from executions.payloads.retention import forget_retention, retention_of, set_retention
from executions.reading import execution_of
from tenants.door import Door, takes
from workflows import catalog
from workflows.models import Workflow

LONGEST_DAYS: Final = 36_500
DAYS: Final = maybe(whole(0, LONGEST_DAYS))
RETENTION: Final = Component("Retention", record({"payloadDays": DAYS}))
WORKFLOW_RETENTION: Final = Component("WorkflowRetention", record({"payload_days": DAYS, "inherited": FLAG}))


class PutRetention(Shape):
    """The body of PUT /v1/retention."""

    payloadDays = Whole(low=0, high=LONGEST_DAYS, allow_null=True)


class PutWorkflowRetention(Shape):
    """The body of PUT /v1/workflows/{id}/retention."""

    payload_days = Whole(low=0, high=LONGEST_DAYS, allow_null=True)


class RetentionDoor(Door):
    """What holds for every workflow of the tenant that says nothing of its own."""

    @takes("retention:read", answers=shown(RETENTION))
    def show(self) -> Answer:
        """Days after the end; null: they are kept."""
        found = retention_of(self.tenant)
        return self.ok({"payloadDays": found.payload_days if found else None})

    @takes("retention:write", body=PutRetention.read, answers=shown(RETENTION))
    def write(self) -> Answer:
        """From now on, and of what has ended."""
        return self.ok({"payloadDays": set_retention(self.tenant, None, self.input["payloadDays"]).payload_days})


class WorkflowRetentionDoor(Door):
    """What holds for one workflow."""

    @takes("retention:read", answers=shown(WORKFLOW_RETENTION))
    def show(self, workflow_id: str) -> Answer:
        """Its own days or, `inherited`, the tenant's."""
        return self.ok(self._shown(catalog.workflow_of(self.tenant, workflow_id)))

    @takes("retention:write", body=PutWorkflowRetention.read, answers=shown(WORKFLOW_RETENTION))
    def write(self, workflow_id: str) -> Answer:
        """Its own days, whatever the tenant's are; null: they are kept."""
        workflow = catalog.workflow_of(self.tenant, workflow_id)
        set_retention(self.tenant, workflow, self.input["payload_days"])
        return self.ok(self._shown(workflow))

    @takes("retention:write", answers=gone())
    def destroy(self, workflow_id: str) -> Answer:
        """From now on the tenant's hold."""
        forget_retention(self.tenant, catalog.workflow_of(self.tenant, workflow_id))
        return self.gone()

    def _shown(self, workflow: Workflow) -> JSON:
        own = retention_of(self.tenant, workflow)
        found = own or retention_of(self.tenant)
        return {"payload_days": found.payload_days if found else None, "inherited": own is None}


class PayloadDoor(Door):
    """The payloads of one execution."""

    @takes("executions:write", answers=gone(refuses=(409,)))
    def destroy(self, execution_id: str) -> Answer:
        """Drop them, once it has ended; their digests and the events stay."""
        drop_payloads(execution_of(self.tenant, execution_id).id, REQUEST, self.credential.actor)
        return self.gone()
