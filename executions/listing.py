"""Lists of executions: where the keys of each are found, so that a page costs the same however many are stored.

Whatever is filtered by stands in an index that ends with the id; `python -m tests.plans` shows the plans.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from contract.identifiers import first_id_at, last_id_at
from contract.pages import Keys
from executions.models import DEADLINE_PASSED, OTHERWISE_FAILED, Application, Execution, Submission
from executions.states import Status
from tenants.models import Tenant

EVERY: tuple[Q, ...] = (Q(),)
TIMED_OUT: tuple[Q, ...] = (DEADLINE_PASSED,)
FAILED_OTHERWISE: tuple[Q, ...] = (OTHERWISE_FAILED,)


@dataclass(frozen=True, slots=True)
class Sought:
    """Which executions a list has. `standing`: conditions on where they stand that exclude each other, any will do.

    `asked`: columns of the submission and what they hold. `after` and `before`: created later and earlier than this.
    """

    standing: tuple[Q, ...] = EVERY
    workflow: UUID | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    after: datetime | None = None
    before: datetime | None = None


def in_status(*statuses: Status) -> tuple[Q, ...]:
    """The condition that an execution stands in one of these."""
    return tuple(Q(status=status.value) for status in statuses)


def keys_of(tenant: Tenant, sought: Sought) -> list[Keys]:
    """Where the ids of these executions are found."""
    if sought.asked and sought.workflow is None and sought.standing == EVERY:
        bounds = _created(sought, "execution_id")
        return [Keys(Submission.objects.filter(bounds, tenant=tenant, **sought.asked), "execution_id")]
    rows, standing = Execution.objects.filter(_created(sought, "id"), tenant=tenant), sought.standing
    if sought.workflow is not None:
        rows = rows.filter(workflow=sought.workflow)
        # A workflow's executions stand in its index by status: every one is one of each.
        standing = in_status(*Status) if standing == EVERY else standing
    if not sought.asked:
        return [Keys(rows.filter(one)) for one in standing]
    asked = {f"submission__{name}": value for name, value in sought.asked.items()}
    rows = rows.filter(_created(sought, _SAME), submission__tenant=tenant, **asked)
    return [Keys(rows.filter(one), same=_SAME) for one in standing]


_SAME = "submission__execution_id"
"""The execution's id in the submission: said of both, a bound is used in the index of either."""


def keys_of_application(application: Application) -> list[Keys]:
    """Where the ids of the executions for this application are found."""
    return [Keys(Submission.objects.filter(application=application), "execution_id")]


def _created(sought: Sought, key: str) -> Q:
    """When it was created, by its id: that holds the moment, to the microsecond, by the database's clock."""
    created = Q()
    if sought.after is not None:
        created &= Q(**{f"{key}__gt": last_id_at(sought.after)})
    if sought.before is not None:
        created &= Q(**{f"{key}__lt": first_id_at(sought.before)})
    return created
