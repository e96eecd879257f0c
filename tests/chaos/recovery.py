"""How long a fault kept anything waiting: computed from the history afterwards, not from what was seen meanwhile. Pure.

Something is *owed* from the moment when the next move was possible until it was made: the start of what was queued,
the start of a step whose parents have ended, the end of an attempt that runs, the next attempt after one that failed or
was lost (its delay included), the working in of what arrived, the answer to a post. A stack has recovered from a fault
(a pause: counted from its beginning) when everything that was owed at the fault's moment has been done, and everything
that came to be owed later and was *late*, done more than a second after it could have been. It is over once nothing
late has begun for two seconds; what was not late yet when the next fault came is that fault's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from executions.states import CREATED, MOVES, STEP_TERMINAL, TERMINAL, StepStatus
from tests.chaos.ledger import Event, Record
from tests.chaos.replay import ENDS, STEP_EVENTS
from tests.chaos.shapes import Needs

LATE_SECONDS = 1.0
QUIET_SECONDS = 2.0

_QUEUED = {*CREATED.values(), MOVES["enqueue"].event}
_ENDED = {move.event for move in MOVES.values() if move.target in TERMINAL}
_AT_REST = {*STEP_TERMINAL, StepStatus.WAITING, StepStatus.OUTCOME_UNKNOWN}
_RESTING = {event for event, targets in STEP_EVENTS.items() if targets <= _AT_REST}
"""Events after which the engine owes the step nothing."""
_OWED_ARRIVALS = {"cancel", "attempt_lost", "child_ended"}
"""What is worked in as soon as it comes, unless the execution has ended; a signal may come long before its wait."""


@dataclass(frozen=True, slots=True)
class Owed:
    """Something the stack had to do, from and until when (Unix seconds; infinity: never done), and what it was."""

    since: float
    until: float
    what: str


def recovery(fault_at: float, owed: Sequence[Owed], next_at: float = math.inf) -> tuple[float, str]:
    """Seconds until the stack had recovered from the fault, and what was done last; `owed` is in order of `since`.

    `next_at` is the moment of the fault after it.
    """
    until, what = fault_at, "nothing was owed"
    for one in owed:
        if one.since > max(until, fault_at) + QUIET_SECONDS:
            break
        late = one.until - one.since > LATE_SECONDS and one.since + LATE_SECONDS < next_at
        concerned = one.since <= fault_at or late
        if concerned and one.until > until:
            until, what = one.until, one.what
    return until - fault_at, what


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least this share of them does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def owed_by(record: Record, needs: Needs) -> Iterator[Owed]:
    """All that was ever owed to one execution."""
    account = _Account(needs)
    for event in record.events:
        account.take(event)
    account.close(math.inf)
    yield from (Owed(o.since, o.until, f"{o.what} of {record.id}") for o in account.done)
    for arrival in (one for one in record.arrivals if one.kind in _OWED_ARRIVALS):
        until = min(math.inf if arrival.consumed_at is None else arrival.consumed_at, account.ended_at)
        if until > arrival.created_at:
            yield Owed(arrival.created_at, until, f"{arrival.kind} of {record.id}")


class _Account:
    """What is open while the events are gone through, by step; None stands for the execution itself."""

    def __init__(self, needs: Needs) -> None:
        self.done: list[Owed] = []
        self.ended_at = math.inf
        self._needs = needs
        self._missing = {step: need.enough for step, need in needs.items()}
        self._open: dict[str | None, tuple[float, str]] = {}

    def take(self, event: Event) -> None:
        if event.type in _QUEUED:
            self._open.setdefault(None, (event.at, "the start"))
        elif event.type == MOVES["start"].event:
            self._end(None, event.at)
            self._ready([step for step, missing in self._missing.items() if not missing], event.at)
        elif event.type in _ENDED:
            self.ended_at = event.at
            self.close(event.at)
        elif event.step is not None and event.type in STEP_EVENTS:
            self._end(event.step, event.at)
            if event.type not in _RESTING:
                self._open[event.step] = (event.at, f"{event.step} after {event.type}")
            if event.type in ENDS:
                self._give(event.step, event.at)

    def close(self, at: float) -> None:
        """The execution ended, or its events do."""
        for key in list(self._open):
            self._end(key, at)

    def _give(self, ended: str, at: float) -> None:
        """The steps for which the one that ended was the last that they waited for are ready."""
        waiting = [step for step, need in self._needs.items() if ended in need.parents]
        for step in waiting:
            self._missing[step] -= 1
        self._ready([step for step in waiting if self._missing[step] == 0], at)

    def _ready(self, steps: Iterable[str], at: float) -> None:
        for step in steps:
            self._open[step] = (at, f"{step}, which was ready,")

    def _end(self, key: str | None, at: float) -> None:
        since, what = self._open.pop(key, (at, ""))
        if what:
            self.done.append(Owed(since, at, what))
