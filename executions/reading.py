"""Executions, read: always by tenant; and their steps, whether they have a row yet or not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid5

from django.db.models import Q, QuerySet

from contract import json_values
from contract.identifiers import RUN, parse_id
from contract.json_values import JSON
from contract.problems import NotFound
from executions.models import Application, Attempt, Event, Execution, Payment
from executions.states import NOT_REQUIRED, TERMINAL, Status, StepStatus
from tenants.models import Tenant
from workflows import catalog
from workflows.spec import Spec, StepSpec


def executions_of(tenant: Tenant) -> QuerySet[Execution]:
    """Every execution of the tenant, with what was asked for and what it costs."""
    # The submission's tenant too: its indexes begin with it, and filters on its columns are to use them.
    rows = Execution.objects.filter(tenant=tenant, submission__tenant=tenant)
    return rows.select_related("submission", "payment")


def execution_of(tenant: Tenant, execution_id: str) -> Execution:
    """The execution that this names: by its own id, or by its run's in either spelling. Raises NotFound."""
    identifier = parse_id(execution_id, RUN)
    found = None
    if identifier is not None:
        rows = executions_of(tenant).filter(Q(id=identifier) | Q(run_id=identifier)).order_by()
        found = next(iter(rows[:1]), None)
    if found is None:
        raise NotFound("there is no such execution")
    return found


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
class SteppedOn:
    """One step of one execution. `status` is the word on the wire; `attempts` are by number."""

    id: UUID
    spec: StepSpec
    status: str
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def last(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None

    @property
    def started_at(self) -> datetime | None:
        return self.attempts[0].started_at if self.attempts else None

    @property
    def finished_at(self) -> datetime | None:
        ended = self.status in {StepStatus.SUCCEEDED, StepStatus.FAILED}
        return self.last.finished_at if ended and self.last else None

    @property
    def output(self) -> JSON:
        return None if self.last is None or self.last.output is None else json_values.load(self.last.output)


def spec_of(execution: Execution) -> Spec:
    """What the execution runs: its version with this run's patches."""
    return catalog.runnable_of(execution.version_id, execution.submission.parameters).spec


def steps_of(execution: Execution, first: int = 0, count: int | None = None) -> list[SteppedOn]:
    """`count` steps from index `first`, in the definition's order, with their attempts: two queries."""
    specs = spec_of(execution).steps[first : None if count is None else first + count]
    statuses = _statuses(execution, first, first + len(specs))
    attempts: dict[int, list[Attempt]] = {}
    for attempt in _attempts(execution, first, first + len(specs)):
        attempts.setdefault(attempt.step_index, []).append(attempt)
    return [
        SteppedOn(
            step_id(execution.id, spec.name),
            spec,
            _status(execution, statuses.get(spec.index, StepStatus.PENDING.value)),
            attempts.get(spec.index, []),
        )
        for spec in specs
    ]


def step_id(execution_id: UUID, name: str) -> UUID:
    """A step's id: derived (UUIDv5) from its execution's id and its name, so that it is known before it has a row."""
    return uuid5(execution_id, name)


def _statuses(execution: Execution, first: int, end: int) -> dict[int, str]:
    rows = execution.steps.filter(index__gte=first, index__lt=end)
    return dict(rows.values_list("index", "status"))


def _attempts(execution: Execution, first: int, end: int) -> Iterable[Attempt]:
    rows = Attempt.objects.filter(execution=execution, step_index__gte=first, step_index__lt=end)
    return rows.order_by("step_index", "number")


def _status(execution: Execution, recorded: str) -> str:
    """A step that never began stays `pending` in its row; once the execution has ended it is told as cancelled."""
    never_began = recorded in {StepStatus.PENDING, StepStatus.RETRYING}
    return StepStatus.CANCELLED.value if never_began and Status(execution.status) in TERMINAL else recorded
