"""What events commit to of the attempts that a change writes, and of the request that it comes from. Pure.

The event that begins an attempt names its input and who carries it out; the newest event that names an attempt says
how it stands since, its output, its error and its child.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from executions.change import AttemptEnd, AttemptRow, Carrier
from executions.events import Detail, Happening, digest
from executions.states import AttemptStatus


class Unrecorded(AssertionError):
    """A change writes an attempt of which none of its events tells."""


def commit_begun(
    happenings: Iterable[Happening], begun: Iterable[AttemptRow], carrier: Carrier, action_of: Callable[[int], str]
) -> None:
    """Have the happenings of these steps tell of the attempts that begin, or begin and end, in this change."""
    of_steps = _by_step(happenings)
    for row in begun:
        told = _telling(of_steps, row.index, row.number)
        told[0].data.update(
            attempt=row.number,
            action=action_of(row.index),
            code=carrier.code_version,
            process=str(carrier.boot_id),
            worker=carrier.name,
        )
        if row.input is not None:
            told[0].data["input"] = digest(row.input)
        if row.status is not AttemptStatus.RUNNING:
            told[-1].data.update(_standing(row))


def commit_ends(happenings: Iterable[Happening], ends: Iterable[AttemptEnd]) -> None:
    """Have the happenings of these steps tell how open attempts ended, or that they wait from now on.

    One that was cancelled because another, which the happening tells of, took its place is told as `closed`.
    """
    of_steps = _by_step(happenings)
    for end in ends:
        told = _telling(of_steps, end.index, end.number)[-1]
        if told.data.get("attempt", end.number) != end.number:
            _close(told, end)
            continue
        told.data.update(_standing(end))
        if end.child is not None:
            told.data["child"] = str(end.child)


def _close(told: Happening, end: AttemptEnd) -> None:
    if end.status is not AttemptStatus.CANCELLED or end.output is not None or end.error is not None:
        raise Unrecorded(f"{told.type} tells of another attempt than {end.number} at the step {end.index}")
    told.data["closed"] = end.number


def name_request(happenings: Iterable[Happening], request_id: str | None) -> None:
    """Have what happens because of a request name it; where nothing does, an event is of the request that created."""
    if request_id is not None:
        for happening in happenings:
            happening.data.setdefault("request_id", request_id)


def _by_step(happenings: Iterable[Happening]) -> Mapping[int, list[Happening]]:
    of_steps: dict[int, list[Happening]] = {}
    for happening in happenings:
        if happening.index is not None:
            of_steps.setdefault(happening.index, []).append(happening)
    return of_steps


def _telling(of_steps: Mapping[int, list[Happening]], index: int, number: int) -> Sequence[Happening]:
    """The happenings that name this attempt; where none does, the last one of its step."""
    of_step = of_steps.get(index, [])
    told = [happening for happening in of_step if happening.data.get("attempt") == number] or of_step[-1:]
    if not told:
        raise Unrecorded(f"no event tells of attempt {number} at the step {index}")
    return told


def _standing(row: AttemptRow | AttemptEnd) -> dict[str, Detail]:
    told: dict[str, Detail] = {"attempt": row.number, "attempt_status": row.status.value}
    if row.output is not None:
        told["output"] = digest(row.output)
    if row.error is not None:
        told["error"] = digest(row.error)
    return told
