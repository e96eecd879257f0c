"""The events of an execution, replayed through the tables of moves. Knows no definition and no row but the events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from contract import json_values
from executions.models import Event
from executions.states import CREATED, MOVES, STEP_MOVES, AttemptStatus, Move, Status, StepStatus
from traceway.records import Finding

_OF_STEPS: Final = {move.event: move for move in STEP_MOVES.values()}
_OF_EXECUTION: Final = {move.event: move for move in MOVES.values()}
_CREATED: Final = {event: status for status, event in CREATED.items()}
_LOST: Final = frozenset({AttemptStatus.LOST.value, AttemptStatus.OUTCOME_UNKNOWN.value})


@dataclass(slots=True)
class StepReplayed:
    """One step, as its events say. `failures` and `losses` count since it last began anew.

    `parts` and `opened` are what was last told of its parts.
    """

    status: StepStatus = StepStatus.PENDING
    attempts: int = 0
    failures: int = 0
    losses: int = 0
    generation: int = 1
    parts: int = 0
    opened: int = 0


@dataclass(slots=True)
class Replay:
    """Where the events lead. `paused`: by the commands alone; `findings`: what no table allows."""

    status: Status | None = None
    paused: bool = False
    dropped_at: datetime | None = None
    steps: dict[str, StepReplayed] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def apply(self, event: Event) -> None:
        """Work the next event in; one whose body cannot be read is left to who verifies the chain."""
        data = _data(event)
        if event.step is not None:
            self._of_step(event, event.step, data)
        elif event.type == "execution.payloads_dropped":
            self.dropped_at = event.created_at
        elif event.type == "execution.paused":
            self.paused = True
        elif event.type == "execution.resumed" and "by" in data:
            self.paused = False
        elif self.status is None and event.type in _CREATED:
            self.status = _CREATED[event.type]
        elif event.type in _OF_EXECUTION:
            self._move(event)

    def step(self, name: str) -> StepReplayed:
        """The step of this name, pending where no event tells of it."""
        return self.steps.get(name) or StepReplayed()

    def _move(self, event: Event) -> None:
        move = _OF_EXECUTION[event.type]
        if self.status not in move.sources:
            self._refuse(event, "the execution", move, self.status)
        self.status = move.target
        if event.type == MOVES["redrive"].event:
            self.paused = False

    def _of_step(self, event: Event, name: str, data: Mapping[str, Any]) -> None:
        move, step = _OF_STEPS.get(event.type), self.steps.setdefault(name, StepReplayed())
        if move is None:
            return
        if step.status not in move.sources:
            self._refuse(event, name, move, step.status)
        step.status = move.target
        if move == STEP_MOVES["reset"]:
            step.failures = step.losses = 0
        if move in (STEP_MOVES["reset"], STEP_MOVES["retry"]):
            step.parts = 0
        self._count(step, data)

    def _count(self, step: StepReplayed, data: Mapping[str, Any]) -> None:
        status, generation, parts = (data.get(name) for name in ("attempt_status", "generation", "parts"))
        if "process" in data:
            step.attempts = data["attempt"]
        step.failures += status == AttemptStatus.FAILED.value
        step.losses += status in _LOST
        step.generation = generation if isinstance(generation, int) else step.generation
        step.parts = parts if isinstance(parts, int) else step.parts
        step.opened = data.get("opened", step.opened)

    def _refuse(self, event: Event, what: str, move: Move[Any], status: Any) -> None:
        expected = " or ".join(sorted(source.value for source in move.sources))
        found = "nowhere" if status is None else status.value
        message = f"is no move of {what} from where the events before lead"
        self.findings.append(Finding(f"event {event.sequence} {event.type}", message, expected, found))


def replay(events: Iterable[Event]) -> Replay:
    """All of them, in their order."""
    found = Replay()
    for event in events:
        found.apply(event)
    return found


def _data(event: Event) -> Mapping[str, Any]:
    try:
        data = json_values.load(event.body)["data"]
    except (ValueError, KeyError, TypeError):
        return {}
    return data if isinstance(data, dict) else {}
