"""An execution with everything that stands on record of it, read at once: what is sealed, exported and verified."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from executions.models import Attempt, EarlierRun, Event, Execution, Step

_Row = TypeVar("_Row", Event, Step, Attempt, EarlierRun)


@dataclass(frozen=True, slots=True)
class Record:
    """`execution` comes with its submission, its payment, its workflow and its version.

    `events` by sequence; `steps` by index; `attempts` by step and number; `runs` are the earlier ones, oldest first.
    """

    execution: Execution
    events: tuple[Event, ...]
    steps: tuple[Step, ...]
    attempts: tuple[Attempt, ...]
    runs: tuple[EarlierRun, ...]


def records_of(ids: Collection[UUID]) -> list[Record]:
    """The records of these executions, by id: five queries, however many they are. Call it inside one snapshot."""
    executions = Execution.objects.filter(id__in=ids).order_by("id")
    joined = executions.select_related("submission", "payment", "workflow", "version")
    events = _by_execution(Event.objects.filter(execution_id__in=ids).order_by("execution_id", "sequence"))
    steps = _by_execution(Step.objects.filter(execution_id__in=ids).order_by("execution_id", "index"))
    rows = Attempt.objects.filter(execution_id__in=ids).order_by("execution_id", "step_index", "number")
    attempts = _by_execution(rows)
    runs = _by_execution(EarlierRun.objects.filter(execution_id__in=ids).order_by("execution_id", "queued_at"))
    return [
        Record(one, tuple(events[one.id]), tuple(steps[one.id]), tuple(attempts[one.id]), tuple(runs[one.id]))
        for one in joined
    ]


def _by_execution(rows: Iterable[_Row]) -> dict[UUID, list[_Row]]:
    found: dict[UUID, list[_Row]] = defaultdict(list)
    for row in rows:
        found[row.execution_id].append(row)
    return found
