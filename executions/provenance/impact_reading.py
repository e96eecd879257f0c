"""What a question for a value's consumers reads beside the lineage: who is not sealed, and who was told."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from executions.models import Execution, Receipt, WebhookDelivery
from executions.states import LIVE
from tenants.models import Tenant


def unsealed(tenant: Tenant, most: int) -> list[UUID]:
    """The newest executions of the tenant whose newest run is not sealed: those that have not ended, and of the
    newest `most` those that have."""
    mine = Execution.objects.filter(tenant=tenant)
    # By one status at a time: each is read from its end of one index, however many executions there are.
    parts = [mine.filter(status=one.value).order_by("-id").values_list("id", flat=True)[:most] for one in LIVE]
    found = set(parts[0].union(*parts[1:], all=True))
    runs = dict(mine.order_by("-id").values_list("id", "run_id")[:most])
    sealed = set(Receipt.objects.filter(execution__in=runs).values_list("execution_id", "run_id"))
    found |= {execution for execution, run in runs.items() if (execution, run) not in sealed}
    return sorted(found, reverse=True)[:most]


def deliveries_of(executions: Collection[UUID], most: int) -> list[WebhookDelivery]:
    """What execution webhooks were told of these executions, the oldest first."""
    rows = WebhookDelivery.objects.filter(execution__in=executions).order_by("execution", "id")
    return list(rows.select_related("endpoint")[:most])
