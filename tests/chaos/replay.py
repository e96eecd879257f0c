"""One execution's events against the table of moves: could all this have happened, and does it give what stands there?

Each check yields what is wrong, one line each. Pure.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum

from contract import json_values
from executions.events import GENESIS
from executions.states import CREATED, MOVES, STEP_MOVES, STEP_TERMINAL, Move, S, Status, StepStatus
from tests.chaos.ledger import Record
from tests.chaos.shapes import Needs

STEP_EVENTS: Mapping[str, frozenset[StepStatus]] = {
    move.event: frozenset(other.target for other in STEP_MOVES.values() if other.event == move.event)
    for move in STEP_MOVES.values()
}
"""Where a step may stand after an event of this type."""
ENDS = frozenset(event for event, targets in STEP_EVENTS.items() if targets <= STEP_TERMINAL)
"""The events by which a step ends."""


def broken_histories(record: Record) -> Iterator[str]:
    """Sequences without a gap, each event the one before it in its hash, the columns as the hashed body has them."""
    head = GENESIS
    for place, event in enumerate(record.events, start=1):
        body = json_values.parse(event.body)
        if event.sequence != place:
            yield f"event {event.sequence} stands where {place} should"
        if body["previous"] != head.hex() or hashlib.sha256(event.body.encode()).digest() != event.hash:
            yield f"the chain breaks at event {event.sequence}"
        if (body["sequence"], body["type"], body["step"]) != (event.sequence, event.type, event.step):
            yield f"event {event.sequence} is not what was hashed"
        head = event.hash
    if (record.chain_head, record.last_sequence) != (head, len(record.events)):
        yield "the execution's head is not its last event"


def illegal_moves(record: Record) -> Iterator[str]:
    """Every event a move of the table from where the ones before it lead, and the rows where all of them lead.

    An event may tell several moves: all places where the history may have led are followed.
    """
    created = {status for status, event in CREATED.items() for told in record.events if told.type == event}
    standing: Collection[Status] = ()
    steps: dict[str, Collection[StepStatus]] = {name: {StepStatus.PENDING} for name in record.steps}
    for event in record.events:
        if event.step is not None and event.type in STEP_EVENTS:
            before = steps.get(event.step, ())
            steps[event.step] = _moved(STEP_MOVES, event.type, before)
            if not steps[event.step]:
                yield f"{event.type} of {event.step} from {_names(before)}"
        elif event.step is None and not standing and event.type in CREATED.values():
            standing = {status for status in created if CREATED[status] == event.type}
        elif event.step is None and any(move.event == event.type for move in MOVES.values()):
            standing, before_it = _moved(MOVES, event.type, standing), standing
            if not standing:
                yield f"{event.type} from {_names(before_it)}"
    if record.status not in {status.value for status in standing}:
        yield f"the execution is {record.status}, its events say {_names(standing)}"
    for name, status in record.steps.items():
        if status not in {word.value for word in steps[name]}:
            yield f"the step {name} is {status}, its events say {_names(steps[name])}"


def early_starts(record: Record, needs: Needs) -> Iterator[str]:
    """Steps that started before what they need had ended: all steps they depend on, or as many as they join."""
    ended: set[str] = set()
    for event in record.events:
        if event.step is None:
            continue
        if event.type in ENDS:
            ended.add(event.step)
        need = needs.get(event.step)
        if event.type == STEP_MOVES["begin"].event and need and len(need.parents & ended) < need.enough:
            yield f"{event.step} started when only {sorted(need.parents & ended)} had ended"


def repeated_successes(record: Record) -> Iterator[str]:
    """Steps with more than one succeeded attempt, or succeeded without any."""
    succeeded = Counter(attempt.step for attempt in record.attempts if attempt.status == "succeeded")
    yield from (f"{step} succeeded {times} times" for step, times in succeeded.items() if times > 1)
    for name, status in record.steps.items():
        if status == StepStatus.SUCCEEDED.value and not succeeded[name]:
            yield f"{name} succeeded without an attempt that did"


def _moved(moves: Mapping[str, Move[S]], event: str, before: Collection[S]) -> set[S]:
    return {move.target for move in moves.values() if move.event == event and not move.sources.isdisjoint(before)}


def _names(statuses: Collection[StrEnum]) -> str:
    return " or ".join(sorted(status.value for status in statuses)) or "nowhere"
