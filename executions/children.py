"""Executions that a step of another one starts: which workflow, for whom, how deep, and only one a turn."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from contract.away import at_hand
from contract.json_values import JSON
from contract.problems import Conflict
from executions.agents import check_agents
from executions.creation import Origin, Parent, Request, create_execution
from executions.models import Execution, Submission
from executions.steps import step_id
from tenants import registry
from workflows import catalog

MAX_DEPTH = 10
MAX_DESCENDANTS = 10_000


@dataclass(frozen=True, slots=True)
class Turn:
    """One carrying out of a step that starts an execution; however often it is tried, it starts one."""

    parent_id: UUID
    step: int
    step_name: str
    number: str


def start_child(turn: Turn, workflow: str, version: str | None, given: dict[str, JSON]) -> UUID:
    """The id of the execution that this turn started, now or before.

    Raises the refusals of contract/problems.py: there is no such workflow, it may not be run, its schema does not take
    the input, it would be too deep or one too many.
    """
    started = _started(turn)
    if started is not None:
        return started
    parent = Execution.objects.select_related("tenant", "submission__agent").get(id=turn.parent_id)
    request = _request(parent, turn, workflow, version, given)
    try:
        return at_hand(lambda: _start(parent, turn, request))
    except IntegrityError:
        # Somebody who was taken for dead has started it meanwhile.
        started = _started(turn)
        if started is None:
            raise
        return started


def _start(parent: Execution, turn: Turn, request: Request) -> UUID:
    with transaction.atomic():
        _hold_open(turn)
        return create_execution(parent.tenant, request).id


def _hold_open(turn: Turn) -> None:
    """Keep the parent from ending until the child is committed. Raises Conflict where its step runs no more."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.intent IN ('run', 'pause') AND s.status = 'running' FROM execution e"
            " JOIN step s ON s.execution_id = e.id AND s.index = %s WHERE e.id = %s FOR SHARE OF e",
            [turn.step, turn.parent_id],
        )
        row = cursor.fetchone()
    if row is None or not row[0]:
        raise Conflict("the step that starts it runs no more", reason="parent_ended")


def _started(turn: Turn) -> UUID | None:
    found = Submission.objects.filter(parent_id=turn.parent_id, parent_step=turn.step, parent_turn=turn.number)
    return found.values_list("execution_id", flat=True).first()


def _request(parent: Execution, turn: Turn, workflow: str, version: str | None, given: dict[str, JSON]) -> Request:
    asked, tenant = parent.submission, parent.tenant
    root = asked.root or parent.id
    if asked.depth >= MAX_DEPTH:
        raise Conflict(f"executions start each other at most {MAX_DEPTH} deep", reason="too_deep")
    if Submission.objects.filter(root=root)[:MAX_DESCENDANTS].count() >= MAX_DESCENDANTS:
        raise Conflict(f"an execution has at most {MAX_DESCENDANTS:,} descendants", reason="too_many_descendants")
    chosen = catalog.named_version(tenant, workflow, version)
    agent = asked.agent or registry.default_agent_of(tenant)
    check_agents(tenant, agent, catalog.spec_of(chosen.id))
    origin = Origin(
        source_system="execution",
        source_entity_type="step",
        source_entity_id=str(step_id(parent.id, turn.step_name)),
        initiated_by_type="execution",
        initiated_by_id=str(parent.id),
        request_id=asked.request_id,
    )
    return Request(
        version=chosen,
        origin=origin,
        input=given,
        input_at="/input",
        agent=agent,
        parent=Parent(parent.id, turn.step, turn.number, root, asked.depth + 1),
    )
