"""Steps that have parts: a map opens its items a window at a time, a loop its rounds one after another."""

from __future__ import annotations

from contract import json_values
from contract.json_values import JSON
from executions.change import NewStep, StepRow
from executions.events import Detail, digest
from executions.plan import Began, Opened, StepState, Waits, latched
from executions.retry import Failure
from executions.states import AttemptStatus, StepStatus
from orchestrator import attempts, cancelling, waits
from orchestrator.look import Look
from orchestrator.outcomes import Failed, Limits, encode
from workflows.expressions import Scope
from workflows.failures import StepFailed
from workflows.spec import LoopProgram, MapProgram, StepSpec


def begin_map(look: Look, step: StepSpec, program: MapProgram, scope: Scope) -> None:
    """Give every item a row, and open as many as may be worked on at once."""
    items = program.resolve(scope)
    recorded = {"over": items, "max_parallel": program.max_parallel, "tolerate": program.tolerated(len(items))}
    texts = [json_values.stored(item) for item in items]
    _begin(look, step, recorded, parts=len(items), items=digest(json_values.stored([digest(text) for text in texts])))
    made = look.row(step.index).parts_made
    if made:
        _count(look, step, made=made, opened=0, left=_pending(look, step, 0, made))
    else:
        numbers = range(len(items))
        news = [NewStep(f"{step.name}[{number}]", texts[number]) for number in numbers]
        _make(look, step, numbers, news)
        _count(look, step, made=len(items), opened=0, left=len(items))
    go_on(look, step.index)


def begin_loop(look: Look, step: StepSpec) -> None:
    """Open the first round or, where a redrive kept the ones before, the round that it goes on with."""
    _begin(look, step, {}, parts=look.row(step.index).parts_made or len(step.body))
    made, size = look.row(step.index).parts_made, len(step.body)
    if made:
        _count(look, step, made=made, opened=made, left=_pending(look, step, made - size, size))
        _open_round(look, step, made // size - 1)
    else:
        _make_round(look, step, 0)


def go_on(look: Look, owner: int) -> None:
    """A part ended, or the first are to begin: open the next ones, or end the step that has no more."""
    row, step = look.row(owner), look.spec.steps[owner]
    if row.state.status is not StepStatus.WAITING:
        return
    try:
        if isinstance(step.program, MapProgram):
            _go_on_map(look, step, step.program, row)
        elif isinstance(step.program, LoopProgram):
            _go_on_loop(look, step, step.program, row)
    except StepFailed as failed:
        _fail(look, step, Failure(failed.kind, failed.message, retryable=False), failed.details)


def _go_on_map(look: Look, step: StepSpec, program: MapProgram, row: StepRow) -> None:
    tolerated = program.tolerated(row.parts_made)
    if row.state.parts_failed > tolerated:
        _give_up(look, step)
        if look.row(step.index).state.parts_open == 0:
            failed = look.row(step.index).state.parts_failed
            message = f"{failed:,} of {row.parts_made:,} items failed, and {tolerated:,} may"
            _fail(look, step, Failure("items_failed", message), {"failed": failed, "items": row.parts_made})
    elif row.state.parts_left == 0:
        output = f'{{"failed":{row.state.parts_failed},"items":{_joined(look, step, row)}}}'
        _succeed(look, step, output)
    else:
        _open_next(look, step, row, program.max_parallel - row.state.parts_open)


def _give_up(look: Look, step: StepSpec) -> None:
    """Too many items failed: what holds no worker is not wanted any more, what runs may end."""
    row = look.row(step.index)
    if row.parts_opened < row.parts_made:
        look.draft.make({step.index: row._replace(parts_opened=row.parts_made)}, {})
    for index in cancelling.open_parts(look, step):
        if look.draft.rows[index].state.status is not StepStatus.RUNNING:
            cancelling.cancel(look, index, "too many other items failed")


def _open_next(look: Look, step: StepSpec, row: StepRow, free: int) -> None:
    if free <= 0 or row.parts_opened >= row.parts_made:
        return
    first = look.spec.part(step.index, 0)
    start, end = first + row.parts_opened, first + row.parts_made
    rows = look.draft.rows
    # What this very look made stands in no table yet; what it ended stands there as it was before.
    ended = sum(1 for index in rows if start <= index < end and rows[index].state.status is not StepStatus.PENDING)
    found = look.session.unopened(look.loaded.row.id, start, end, free + ended)
    look.draft.add_steps(found)
    known = sorted({*found, *(index for index in look.draft.new_steps if start <= index < end)})
    indexes = [index for index in known if rows[index].state.status is StepStatus.PENDING][:free]
    opened = indexes[-1] + 1 - first if len(indexes) == free else row.parts_made
    look.draft.make({step.index: row._replace(parts_opened=opened)}, {})
    look.settle(*(Opened(index) for index in indexes))


def _joined(look: Look, step: StepSpec, row: StepRow) -> str:
    """The items' outputs in order, null for one without, as the JSON text of a list."""
    first = look.spec.part(step.index, 0)
    end, most = first + row.parts_made, look.limits.joined_bytes
    own = look.draft.outputs(first, end)
    if first in look.draft.new_steps or not row.parts_made:
        text: str | None = "[" + ",".join(own.get(index, "null") for index in range(first, end)) + "]"
    else:
        text = look.session.joined(look.loaded.row.id, first, end, own, most)
    if text is None or len(text) > most:
        raise StepFailed("output_too_large", f"the items' outputs have more than the {most:,} bytes allowed")
    return text


def _go_on_loop(look: Look, step: StepSpec, program: LoopProgram, row: StepRow) -> None:
    finished = row.parts_made // len(step.body) - 1
    if row.state.parts_failed:
        cancelling.cancel_parts(look, step, "another step of the round failed")
        # What is left has an outcome that nobody knows: it is waited for.
        if look.row(step.index).state.parts_left == 0:
            _fail(look, step, Failure("round_failed", f"a step of round {finished} failed"), {"round": finished})
    elif row.state.parts_left:
        return
    elif program.until.holds(look.values.of_round(step, program.until.references, finished)):
        _succeed(look, step, encode(look.values.round_outputs(step, finished), look.limits, "output"))
    elif finished + 1 >= program.max_iterations:
        message = f"after {finished + 1:,} rounds this does not hold: `{program.until.text[:200]}`"
        _fail(look, step, Failure("too_many_rounds", message, retryable=False), {"rounds": finished + 1})
    else:
        _make_round(look, step, finished + 1)


def _succeed(look: Look, step: StepSpec, output: str) -> None:
    look.draft.unschedule(step.index)
    look.settle(attempts.succeed(look, step.index, look.row(step.index).attempts, output))


def _fail(look: Look, step: StepSpec, failure: Failure, details: JSON) -> None:
    look.draft.unschedule(step.index)
    look.settle(attempts.fail(look, step.index, look.row(step.index).attempts, Failed(failure, details)))


def _begin(look: Look, step: StepSpec, recorded: dict[str, JSON], **told: Detail) -> None:
    text = encode(recorded, Limits(look.limits.joined_bytes), "input")
    attempt = look.draft.begin(step.index, text, AttemptStatus.WAITING)
    look.draft.note(step.index, attempt=attempt.number)
    look.draft.note(step.index, attempt=attempt.number, **told)
    look.settle(Began(step.index), Waits(step.index))
    waits.bound(look, step)


def _make_round(look: Look, step: StepSpec, repetition: int) -> None:
    size = len(step.body)
    numbers = range(repetition * size, (repetition + 1) * size)
    _make(look, step, numbers, [NewStep(look.spec.step(look.spec.part(step.index, n)).name) for n in numbers])
    _count(look, step, made=numbers.stop, opened=numbers.stop, left=size)
    _open_round(look, step, repetition)


def _open_round(look: Look, step: StepSpec, repetition: int) -> None:
    first = look.spec.part(step.index, repetition * len(step.body))
    look.settle(*(Opened(first + place) for place, part in enumerate(step.body) if latched(part)))


def _make(look: Look, step: StepSpec, numbers: range, news: list[NewStep]) -> None:
    """Rows for parts that begin anew; one that was there before goes on counting its attempts."""
    indexes = [look.spec.part(step.index, number) for number in numbers]
    earlier = look.session.steps(look.loaded.row.id, indexes) if look.row(step.index).attempts > 1 else {}
    rows = {}
    for index in indexes:
        part, before = look.spec.step(index), earlier.get(index)
        state = StepState(StepStatus.PENDING, len(part.parents) + len(part.handles) + latched(part))
        rows[index] = StepRow(state) if before is None else _anew(before, state)
        if before is not None and before.state.status is not StepStatus.PENDING:
            reason = "the step that it is a part of begins anew"
            look.draft.tell("step.reset", part.name, reason=reason, generation=rows[index].generation)
    look.draft.make(rows, dict(zip(indexes, news, strict=True)))


def _anew(before: StepRow, state: StepState) -> StepRow:
    began = before.state.status is not StepStatus.PENDING
    return StepRow(state, attempts=before.attempts, generation=before.generation + began)


def _pending(look: Look, step: StepSpec, start: int, count: int) -> int:
    """How many of these parts have yet to begin."""
    first = look.spec.part(step.index, start)
    found = look.session.unopened(look.loaded.row.id, first, first + count, count)
    look.draft.add_steps(found)
    return len(found)


def _count(look: Look, step: StepSpec, *, made: int, opened: int, left: int) -> None:
    row = look.row(step.index)
    state = row.state._replace(parts_left=left, parts_open=0, parts_failed=0)
    look.draft.make({step.index: row._replace(state=state, parts_made=made, parts_opened=opened)}, {})
