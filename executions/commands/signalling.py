"""Send an execution a signal that one of its steps waits for, or will."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction

from contract.json_values import JSON
from contract.problems import FieldProblem, InvalidContent, NotFound
from executions.commands.inbox import arrive, check_live, check_size
from executions.models import ArrivalKind
from executions.rows import lock
from executions.steps import spec_of
from workflows.schemas import Schema
from workflows.spec import Spec, WaitProgram

AROUND_A_PAYLOAD = 512
"""Bytes that the output of a wait has around the payload of its signal, at most."""


def signal(execution_id: UUID, name: str, payload: JSON, actor: str) -> None:
    """Hand the payload to the wait that has been open longest for it; one that comes early is kept.

    Raises NotFound where no step waits for this name; Conflict where the execution has ended; InvalidContent where
    the payload fits none of the steps that wait for it.
    """
    with transaction.atomic():
        execution = lock(execution_id)
        schemas = _schemas(spec_of(execution), name)
        check_live(execution)
        _check_payload(schemas, payload)
        check_size(payload, "/payload", AROUND_A_PAYLOAD)
        arrive(execution, ArrivalKind.SIGNAL, {"payload": payload}, actor, name)


def _schemas(spec: Spec, name: str) -> list[Schema | None]:
    """What each step that waits for the signal wants of it, None for anything."""
    programs = (step.program for step in spec.all_steps())
    found = [program.schema for program in programs if isinstance(program, WaitProgram) and program.signal == name]
    if not found:
        raise NotFound("no step of the execution waits for a signal of this name")
    return found


def _check_payload(schemas: Sequence[Schema | None], payload: JSON) -> None:
    problems: list[FieldProblem] = []
    for schema in schemas:
        found = [] if schema is None else schema.violations(payload, "/payload")
        if not found:
            return
        problems += found
    message = "the payload does not fit what the signal's step wants"
    raise InvalidContent(message, fields=list(dict.fromkeys(problems)))
