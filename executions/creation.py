"""Create an execution: the one service behind all front doors. One transaction, no network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction

from contract import json_values
from contract.away import at_hand, brought_so_far
from contract.identifiers import id_at, new_id, run_name
from contract.json_values import JSON
from contract.prepared import one_row, prepared
from contract.problems import FieldProblem, InvalidContent
from executions import transitions
from executions.announce import announce
from executions.change import Standing
from executions.events import GENESIS, Detail, Happening, chain, digest
from executions.models import Application, Execution, Payment, Submission
from executions.payloads.contents import Place, Unstored
from executions.payloads.reading import contents
from executions.payments.opening import open_order, place, told
from executions.plan import initial
from executions.provenance.submission import submission_digest
from executions.rows import database_now
from executions.states import CREATED, Intent, Status
from executions.transitions import ALWAYS, Condition
from tenants.models import Agent, Tenant
from workflows import catalog
from workflows.live import STILL, Live, Outdated
from workflows.models import Template, WorkflowVersion
from workflows.spec import Spec, StepFailed


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an execution comes from: the caller's own names for it, who started it, in which request."""

    source_system: str
    source_entity_type: str
    initiated_by_type: str
    initiated_by_id: str
    request_id: str
    source_entity_id: str | None = None
    external_ref: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Orchestrated:
    """What a data orchestration adds: the template and the application as they are now."""

    template: Template
    application: Application


@dataclass(frozen=True, slots=True)
class Parent:
    """The step that starts an execution: whose it is, and in which turn, for one turn starts one child.

    `root` is the execution at the top, `depth` how many stand between it and the child, the child counted.
    """

    execution_id: UUID
    step: int
    turn: str
    root: UUID
    depth: int


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be run. `input_at` is the JSON Pointer of the member that problems with the input are told of.

    `live` is where version and agent were read, if they are to be live still when the execution is inserted.
    """

    version: WorkflowVersion
    origin: Origin
    input: dict[str, JSON]
    input_at: str
    agent: Agent
    parameters: dict[str, JSON] = field(default_factory=dict)
    timeout_seconds: float | None = None
    client_safe_metadata: dict[str, JSON] = field(default_factory=dict)
    orchestrated: Orchestrated | None = None
    parent: Parent | None = None
    live: Live | None = None


def checked_spec(request: Request, unkept: Spec | None = None) -> Spec:
    """What will run: the version's spec with this run's patches. Raises InvalidContent for every problem at once.

    `unkept` is the spec of a version that is not stored.
    """
    if unkept is None:
        spec = catalog.runnable_of(request.version.id, json_values.stored(request.parameters)).spec
    else:
        spec = catalog.with_parameters(unkept, request.parameters).spec
    problems: list[FieldProblem] = []
    if spec.input_schema is not None:
        problems = spec.input_schema.violations(request.input, request.input_at)
    if problems:
        raise InvalidContent("the input does not fit the workflow's input schema", fields=problems)
    return spec


def create_execution(tenant: Tenant, request: Request) -> Execution:
    """The execution, created and, unless it has to be paid for, queued; workers are told once it is committed.

    A child is never charged for, and runs within the place that who started it has under its concurrency key. Raises
    InvalidContent, with nothing written, for an input or parameters that the version does not allow.
    """
    return at_hand(lambda: _create(tenant, request))


def _create(tenant: Tenant, request: Request) -> Execution:
    spec = checked_spec(request)
    price = spec.price if request.parent is None else None
    key = _concurrency_key(request, spec)
    if key is not None and request.parent is not None and _is_held_above(request.parent, key):
        key = None
    if price is None:
        # One statement, and so whole without a transaction around it.
        execution = _insert(tenant, request, spec, key, None)
        Execution._meta.get_field("payment").set_cached_value(execution, None)
        transaction.on_commit(announce)
        return execution
    with transaction.atomic(savepoint=False):
        order = open_order(tenant, price)
        execution = _insert(tenant, request, spec, key, order)
        execution.payment = place(order, execution)
    return execution


def _concurrency_key(request: Request, spec: Spec) -> str | None:
    """Executions with the same text run only so many at once: the value of the key within its scope.

    Raises InvalidContent where the key has no value for this input.
    """
    concurrency = spec.concurrency
    if concurrency is None:
        return None
    free = {name: value for name, value in request.parameters.items() if name not in spec.by_name}
    bound = request.input if spec.input_schema is None else spec.input_schema.bind_numbers(request.input)
    try:
        value = json_values.dump(concurrency.key.evaluate({"input": bound, "parameters": free}))
    except StepFailed as failed:
        problem = FieldProblem(request.input_at, "no_concurrency_key", failed.message)
        raise InvalidContent("the concurrency key has no value for this input", fields=[problem]) from failed
    within = f"workflow:{request.version.workflow_id}" if concurrency.scope == "workflow" else "tenant"
    return f"{request.agent.tenant_id}:{within}:{value if len(value) <= 100 else digest(value)}"


def _is_held_above(parent: Parent, key: str) -> bool:
    """Whether who started it, or who started that one, has a place under this key, and keeps it until the child ends.

    A child that waited for a place of its own would wait for ever where there is none but that.
    """
    return one_row(_HELD_ABOVE, {"parent": parent.execution_id, "key": key}) is not None


_HELD_ABOVE = """
WITH RECURSIVE above AS (
  SELECT execution_id, parent_id FROM submission WHERE execution_id = %(parent)s
  UNION ALL SELECT s.execution_id, s.parent_id FROM submission s JOIN above ON s.execution_id = above.parent_id)
SELECT e.id FROM above JOIN execution e ON e.id = above.execution_id WHERE e.concurrency_key = %(key)s LIMIT 1"""


def _insert(
    tenant: Tenant, request: Request, spec: Spec, concurrency_key: str | None, order: Payment | None
) -> Execution:
    live, queued = request.live, order is None
    now = database_now() if live is None else live.now
    execution_id = _stored_under(tenant, request) or id_at(now)
    standing = Standing(
        status=Status.QUEUED if queued else Status.AWAITING_PAYMENT,
        intent=Intent.RUN,
        counters=initial(spec).counters,
        due_at=now if queued else None,
        run_id=new_id() if queued else None,
        queued_at=now if queued else None,
    )
    keys: dict[str, Any] = {
        "id": execution_id,
        "tenant_id": tenant.id,
        "workflow_id": request.version.workflow_id,
        "version_id": request.version.id,
        "priority": spec.priority,
        "concurrency_key": concurrency_key,
    }
    execution = Execution(
        **keys,
        status=standing.status.value,
        steps_left=standing.counters.left,
        steps_ready=standing.counters.ready,
        due_at=standing.due_at,
        run_id=standing.run_id,
        queued_at=standing.queued_at,
        created_at=now,
        updated_at=now,
    )
    submission = _submission(execution, tenant, request)
    happenings = [
        Happening("execution.created", _told(request, execution, submission)),
        Happening(CREATED[standing.status], {"run_id": run_name(standing.run_id) if standing.run_id else None}),
        *([] if order is None else [Happening("payment.opened", told(order))]),
    ]
    events, execution.chain_head = chain(str(execution_id), 0, GENESIS, happenings, now)
    execution.event_sequence = events[-1].sequence
    _refer(submission)
    asked = {name: getattr(submission, name) for name in transitions.ASKED}
    condition = ALWAYS if live is None else Condition(STILL, live.expected)
    with prepared() as cursor:
        if not transitions.insert(cursor, keys | asked, standing, events, condition) and live is not None:
            raise Outdated(live.key)
    return execution


def _stored_under(tenant: Tenant, request: Request) -> UUID | None:
    """The id that was chosen when large texts of this request were to be stored, before everything began again."""
    stored = [away for away in brought_so_far() or () if isinstance(away, Unstored) and away.place.tenant == tenant.id]
    if not stored:
        return None
    data = request.orchestrated.application.data if request.orchestrated else None
    texts = {json_values.stored(request.input), json_values.stored(request.parameters), data}
    return next((away.place.execution for away in stored if away.texts <= texts), None)


def _refer(submission: Submission) -> None:
    """Have the submission's columns refer to its large texts. Raises Unstored, with all of them."""
    large = {name: text for name in _LARGE if contents().is_large(text := getattr(submission, name) or "")}
    if large:
        place = Place(submission.tenant_id, submission.execution_id)
        columns = contents().columns(place, set(large.values()))
        for name, text in large.items():
            setattr(submission, name, columns[text])


_LARGE = ("input", "parameters", "application_data")
"""What of a submission may stand elsewhere."""


def _told(request: Request, execution: Execution, submission: Submission) -> dict[str, Detail]:
    origin, application = request.origin, submission.application_data
    return {
        "application": None if application is None else digest(application),
        "definition": request.version.digest,
        "initiated_by": f"{origin.initiated_by_type}:{origin.initiated_by_id}",
        "input": digest(submission.input),
        "metadata": digest(submission.client_safe_metadata),
        "parameters": digest(submission.parameters),
        "request_id": origin.request_id,
        "submission": submission_digest(execution, submission),
        "version": request.version.version,
        "workflow": str(request.version.workflow_id),
    }


def _submission(execution: Execution, tenant: Tenant, request: Request) -> Submission:
    """What was asked for, not written yet."""
    origin, orchestrated, parent = request.origin, request.orchestrated, request.parent
    return Submission(
        execution=execution,
        tenant=tenant,
        source_system=origin.source_system,
        source_entity_type=origin.source_entity_type,
        source_entity_id=origin.source_entity_id,
        external_ref=origin.external_ref,
        idempotency_key=origin.idempotency_key,
        initiated_by_type=origin.initiated_by_type,
        initiated_by_id=origin.initiated_by_id,
        request_id=origin.request_id,
        input=json_values.stored(request.input),
        parameters=json_values.stored(request.parameters),
        client_safe_metadata=json_values.stored(request.client_safe_metadata),
        agent=request.agent,
        timeout_seconds=request.timeout_seconds,
        application=orchestrated.application if orchestrated else None,
        template=orchestrated.template if orchestrated else None,
        application_data=orchestrated.application.data if orchestrated else None,
        outcome_expression=orchestrated.template.outcome if orchestrated else None,
        parent_id=parent.execution_id if parent else None,
        parent_step=parent.step if parent else None,
        parent_turn=parent.turn if parent else None,
        root=parent.root if parent else None,
        depth=parent.depth if parent else 0,
    )
