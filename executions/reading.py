"""Executions, read: always by tenant. Their steps are in steps.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, models
from django.db.models import QuerySet

from contract.identifiers import RUN, parse_id
from contract.prepared import all_rows, one_row
from contract.problems import NotFound
from executions.models import Application, Event, Execution, Payment, Submission
from executions.states import NOT_REQUIRED
from tenants.models import Tenant


def executions_of(tenant: Tenant) -> QuerySet[Execution]:
    """Every execution of the tenant, with what was asked for and what it costs."""
    return Execution.objects.filter(tenant=tenant).select_related("submission", "payment")


def execution_of(tenant: Tenant, execution_id: str) -> Execution:
    """The execution that this names: by its own id, or by that of its run, or of one before, in either
    spelling. Raises NotFound."""
    identifier = parse_id(execution_id, RUN)
    if identifier and (found := _named(tenant, identifier) or _once_named(tenant, identifier)):
        return found
    raise NotFound("there is no such execution")


def _named(tenant: Tenant, identifier: UUID) -> Execution | None:
    """By its own id or its run's: whoever waits for an end asks for this again and again."""
    row = one_row(_NAMED, {"tenant": tenant.id, "id": identifier})
    if row is None:
        return None
    of_submission, of_payment = len(_OF_EXECUTION), len(_OF_EXECUTION) + len(_OF_SUBMISSION)
    execution = Execution.from_db(DEFAULT_DB_ALIAS, _OF_EXECUTION, row[:of_submission])
    submission = Submission.from_db(DEFAULT_DB_ALIAS, _OF_SUBMISSION, row[of_submission:of_payment])
    payment = Payment.from_db(DEFAULT_DB_ALIAS, _OF_PAYMENT, row[of_payment:]) if row[of_payment] else None
    # Each has the other at hand, as `select_related` leaves them.
    submission.execution = execution
    if payment is None:
        Execution._meta.get_field("payment").set_cached_value(execution, None)
    else:
        payment.execution = execution
    return execution


def _once_named(tenant: Tenant, identifier: UUID) -> Execution | None:
    """By the id of a run before."""
    return next(iter(executions_of(tenant).order_by().filter(earlier_runs__run_id=identifier)[:1]), None)


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


def newest_events(execution: Execution, count: int) -> list[Event]:
    """At most so many, by sequence."""
    rows = all_rows(_NEWEST_EVENTS, {"execution": execution.id, "count": count})
    return [Event.from_db(DEFAULT_DB_ALIAS, _OF_EVENT, row) for row in reversed(rows)]


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


def _columns(model: type[models.Model]) -> tuple[str, ...]:
    """All but what stands otherwise in Python than psycopg reads it: that is read when it is asked for."""
    return tuple(field.attname for field in model._meta.concrete_fields if not hasattr(field, "from_db_value"))


def _selected(alias: str, columns: Sequence[str]) -> str:
    return ", ".join(f"{alias}.{column}" for column in columns)


_OF_EXECUTION, _OF_SUBMISSION, _OF_PAYMENT = _columns(Execution), _columns(Submission), _columns(Payment)
_OF_EVENT = _columns(Event)

_NAMED = f"""
SELECT {_selected("e", _OF_EXECUTION)}, {_selected("s", _OF_SUBMISSION)}, {_selected("p", _OF_PAYMENT)}
FROM execution e JOIN submission s ON s.execution_id = e.id LEFT JOIN payment p ON p.execution_id = e.id
WHERE e.tenant_id = %(tenant)s AND (e.id = %(id)s OR e.run_id = %(id)s) LIMIT 1"""

_NEWEST_EVENTS = f"""
SELECT {_selected("v", _OF_EVENT)} FROM event v WHERE v.execution_id = %(execution)s
ORDER BY v.sequence DESC LIMIT %(count)s"""
