"""Executions, read: always by tenant. Their steps are in steps.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from contract.identifiers import RUN, parse_id
from contract.problems import NotFound
from executions.models import Application, Event, Execution, Payment
from executions.states import NOT_REQUIRED
from tenants.models import Tenant


def executions_of(tenant: Tenant) -> QuerySet[Execution]:
    """Every execution of the tenant, with what was asked for and what it costs."""
    return Execution.objects.filter(tenant=tenant).select_related("submission", "payment")


def execution_of(tenant: Tenant, execution_id: str) -> Execution:
    """The execution that this names: by its own id, or by that of its run, or of one before, in either
    spelling. Raises NotFound."""
    identifier = parse_id(execution_id, RUN)
    rows = executions_of(tenant).order_by()
    for named in (Q(id=identifier) | Q(run_id=identifier), Q(earlier_runs__run_id=identifier)) if identifier else ():
        if (found := next(iter(rows.filter(named)[:1]), None)) is not None:
            return found
    raise NotFound("there is no such execution")


def applications_of(tenant: Tenant) -> QuerySet[Application]:
    return Application.objects.filter(tenant=tenant)


def application_of(tenant: Tenant, application_id: str) -> Application:
    """The application with this id. Raises NotFound."""
    identifier = parse_id(application_id)
    found = applications_of(tenant).filter(id=identifier).first() if identifier else None
    if found is None:
        raise NotFound("there is no such application")
    return found


def payment_of_order(tenant: Tenant, order_id: str) -> Payment:
    """The payment with this order id. Raises NotFound."""
    identifier = parse_id(order_id)
    found = Payment.objects.filter(tenant=tenant, order_id=identifier).first() if identifier else None
    if found is None:
        raise NotFound("there is no such order")
    return found


def payment_of(execution: Execution) -> Payment | None:
    """What the execution costs; None where it costs nothing."""
    try:
        return execution.payment
    except Payment.DoesNotExist:
        return None


def payment_status(execution: Execution) -> str:
    payment = payment_of(execution)
    return NOT_REQUIRED if payment is None else payment.status


def events_of(execution: Execution) -> QuerySet[Event]:
    """Every event, by sequence."""
    return Event.objects.filter(execution=execution).order_by("sequence")


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of an execution: when each was queued and its id, the oldest first."""

    began: tuple[tuple[datetime, UUID], ...]

    def at(self, moment: datetime) -> UUID | None:
        """The run that it was in then; None before the first."""
        return next((run_id for queued_at, run_id in reversed(self.began) if queued_at <= moment), None)


def runs_of(execution: Execution, events: Sequence[Event]) -> Runs:
    """The runs that these events, by sequence, belong to: one query, and none where that is the current run alone."""
    current: list[tuple[datetime, UUID]] = []
    if execution.queued_at is not None and execution.run_id is not None:
        current = [(execution.queued_at, execution.run_id)]
    if not events or (current and events[0].created_at >= current[0][0]):
        return Runs(tuple(current))
    earlier = execution.earlier_runs.order_by("queued_at").values_list("queued_at", "run_id")
    return Runs((*earlier, *current))
