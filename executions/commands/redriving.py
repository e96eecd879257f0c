"""Start an execution again that failed or was cancelled, its results kept; or say what that would do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from contract import json_values
from contract.identifiers import new_id, run_name
from contract.json_values import JSON
from contract.problems import Conflict, FieldProblem, InvalidContent
from executions.announce import announce
from executions.change import AttemptEnd, DueRow, Standing, StepRow
from executions.events import Detail, Happening, digest
from executions.models import ArrivalKind, Attempt, EarlierRun, Execution
from executions.patching import moved_to_input, with_patch
from executions.payloads.contents import Unavailable
from executions.payloads.reading import contents, place_of, text_of
from executions.plan import StepState, initial
from executions.reading import payment_of, payment_status
from executions.redrive import Recorded, Redrive
from executions.redrive import redrive as planned_redrive
from executions.rows import Rows, database_now, lock, standing_of, write
from executions.states import (
    MOVES,
    NOT_REQUIRED,
    STEP_MOVES,
    AttemptStatus,
    IllegalMove,
    Intent,
    PaymentStatus,
    Status,
    StepStatus,
    target,
)
from executions.steps import spec_of
from workflows import catalog
from workflows.patches import ParametersInvalid
from workflows.spec import Spec

_ENDED_WITH_IT = json_values.stored({"kind": "cancelled", "message": "its execution ended", "details": None})


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a redrive would do: `spec` and `parameters` (JSON text) are those of the next run."""

    spec: Spec
    parameters: str
    from_step: str | None
    plan: Redrive


def preview_redrive(execution_id: UUID, from_step: str | None, given: dict[str, JSON] | None) -> Prepared:
    """What a redrive would do. Raises as redrive does, and writes nothing."""
    with transaction.atomic():
        return _prepare(lock(execution_id), from_step, given)


def redrive(execution_id: UUID, from_step: str | None, given: dict[str, JSON] | None, actor: str) -> None:
    """Queue it again under a new run id: from what failed, or from the step `from_step` and all that comes after it.

    `given` is merged into that step's config for the new run. Raises Conflict where the execution has not ended so
    (not_redrivable) or is not paid for (payment_required); InvalidContent where there is no such step, or the config
    does not allow what is given.
    """
    with transaction.atomic():
        execution = lock(execution_id)
        prepared = _prepare(execution, from_step, given)
        now, run_id = database_now(), new_id()
        _remember(execution)
        _pass_over(execution, now)
        happenings = [_redriven(execution, prepared, run_id, actor), *_of_steps(prepared, actor)]
        standing = _standing(standing_of(execution), prepared, run_id, now)
        parameters = contents().column(place_of(execution.id), prepared.parameters)
        if parameters != execution.submission.parameters:
            execution.submission.parameters = parameters
            execution.submission.save(update_fields=["parameters"])
        write(execution, standing, ["redrive"], happenings, now, rows=_rows(execution, prepared.plan, now))
        if payment_of(execution) is not None:
            Execution.objects.filter(id=execution.id).update(unsettled=True)
        transaction.on_commit(announce)


def _prepare(execution: Execution, from_step: str | None, given: dict[str, JSON] | None) -> Prepared:
    _check_redrivable(execution)
    spec = spec_of(execution)
    index = None if from_step is None else _named(spec, from_step)
    parameters = _text(execution, execution.submission.parameters)
    if index is not None and given:
        parameters = _patched(execution, spec, index, given)
    recorded = _recorded(execution) if execution.steps_made else _never_made(spec)
    runs = catalog.runnable_of(execution.version_id, parameters).spec
    plan = planned_redrive(runs, recorded, index)
    if index is not None and index not in plan.resets:
        raise _wrong_start("not_reachable", f"no step before `{from_step}` lets it run")
    return Prepared(runs, parameters, from_step, plan)


def _check_redrivable(execution: Execution) -> None:
    if execution.payloads_dropped_at is not None:
        raise Conflict("what the execution was given and came to is kept no more", reason="payloads_dropped")
    try:
        target("redrive", Status(execution.status))
    except IllegalMove as illegal:
        message = f"the execution is {execution.status}: only one that failed or was cancelled is redriven"
        raise Conflict(message, reason="not_redrivable") from illegal
    paid = payment_status(execution) in {NOT_REQUIRED, PaymentStatus.PAID} and not _is_being_returned(execution)
    if not paid or execution.run_id is None:
        raise Conflict("the execution is not paid for", reason="payment_required")


def _is_being_returned(execution: Execution) -> bool:
    payment = payment_of(execution)
    return payment is not None and payment.charges.filter(main=True, reserved_amount__gt=0).exists()


def _named(spec: Spec, name: str) -> int:
    index = spec.by_name.get(name)
    if index is None:
        raise _wrong_start("unknown_step", f"the definition has no step `{name[:100]}`")
    return index


def _wrong_start(word: str, message: str) -> InvalidContent:
    return InvalidContent(message, fields=[FieldProblem("/fromStep", word, message)])


def _patched(execution: Execution, spec: Spec, index: int, given: dict[str, JSON]) -> str:
    """The parameters of the next run, as JSON text. Raises ParametersInvalid, pointing into `input`."""
    attempts = Attempt.objects.filter(execution=execution, step_index=index).order_by("-number")
    text = attempts.values_list("input", flat=True).first()
    before = json_values.load(_text(execution, execution.submission.parameters))
    recorded = json_values.load(_text(execution, text or "null"))
    parameters = json_values.stored(with_patch(spec, index, before, given, recorded))
    try:
        catalog.runnable_of(execution.version_id, parameters)
    except ParametersInvalid as refusal:
        raise moved_to_input(refusal, spec.steps[index].name) from refusal
    return parameters


def _text(execution: Execution, column: str) -> str:
    """Raises Conflict where it was dropped, or its object is missing or was altered."""
    try:
        return text_of(column, execution.id)
    except Unavailable as unavailable:
        gone = "dropped" if unavailable.how == "dropped" else "unavailable"
        raise Conflict(str(unavailable), reason=f"payloads_{gone}") from unavailable


def _never_made(spec: Spec) -> dict[int, Recorded]:
    return {index: Recorded(StepRow(state)) for index, state in initial(spec).steps.items()}


def _recorded(execution: Execution) -> dict[int, Recorded]:
    """Every step of the execution as it stands: two queries, whose cost grows with it."""
    newest = Attempt.objects.filter(execution=execution).order_by("step_index", "-number").distinct("step_index")
    last = {index: (status, error) for index, status, error in newest.values_list("step_index", "status", "error")}
    found: dict[int, Recorded] = {}
    for row in execution.steps.defer("item").iterator():
        state = StepState(
            StepStatus(row.status),
            row.parents_left,
            row.parents_live,
            parts_left=row.parts_left,
            parts_open=row.parts_open,
            parts_failed=row.parts_failed,
        )
        counted = {name: getattr(row, name) for name in _COUNTED}
        status, error = last.get(row.index, (None, None))
        kind = json_values.load(error)["kind"] if error else None
        found[row.index] = Recorded(StepRow(state, **counted), AttemptStatus(status) if status else None, kind)
    return found


_COUNTED = ("attempts", "failures", "losses", "generation", "parts_made", "parts_opened")


def _remember(execution: Execution) -> None:
    assert execution.run_id is not None, "it was queued"
    assert execution.queued_at is not None, "it was queued"
    assert execution.finished_at is not None, "it ended"
    EarlierRun.objects.create(
        run_id=execution.run_id,
        execution=execution,
        status=execution.status,
        status_reason=execution.status_reason,
        parameters=execution.submission.parameters,
        queued_at=execution.queued_at,
        started_at=execution.started_at,
        finished_at=execution.finished_at,
    )


def _pass_over(execution: Execution, now: datetime) -> None:
    """What arrived for the run that ended concerns that run alone; but a signal may be what the next one waits for."""
    open_ = execution.inbox.filter(consumed_at__isnull=True, kept_at__isnull=True)
    open_.exclude(kind=ArrivalKind.SIGNAL.value).update(consumed_at=now)


def _redriven(execution: Execution, prepared: Prepared, run_id: UUID, actor: str) -> Happening:
    data: dict[str, Detail] = {
        "run_id": run_name(run_id),
        "earlier_run": run_name(execution.run_id) if execution.run_id else None,
        "from_step": prepared.from_step,
        "parameters": digest(prepared.parameters),
        "by": actor,
    }
    return Happening(MOVES["redrive"].event, data)


def _of_steps(prepared: Prepared, actor: str) -> Iterator[Happening]:
    for index, move in prepared.plan.moves:
        data: dict[str, Detail] = {"by": actor}
        if move == "reset":
            row = prepared.plan.steps[index]
            data |= {"generation": row.generation} | ({"parts": row.parts_made} if row.parts_made else {})
        yield Happening(STEP_MOVES[move].event, data, prepared.spec.step(index).name, index)


def _standing(before: Standing, prepared: Prepared, run_id: UUID, now: datetime) -> Standing:
    return Standing(
        status=target("redrive", before.status),
        intent=Intent.RUN,
        counters=prepared.plan.counters,
        steps_made=before.steps_made,
        due_at=now,
        run_id=run_id,
        outcome=before.outcome,
        queued_at=now,
    )


def _rows(execution: Execution, plan: Redrive, now: datetime) -> Rows:
    """What is written of the steps; of those that were never made, nothing: the first advance makes them."""
    if not execution.steps_made:
        return Rows()
    due: Sequence[DueRow] = [DueRow(index, now) for index in plan.due]
    ends = [AttemptEnd(i, number, AttemptStatus.CANCELLED, error=_ENDED_WITH_IT) for i, number in plan.open_attempts]
    return Rows(steps=plan.steps, ends=ends, due_new=due)
