"""The audit: what the callers, the sink, the watch and the database know, held against each other. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from executions.states import TERMINAL, Status, StepStatus
from tests.chaos.faults import Fault
from tests.chaos.ledger import Record
from tests.chaos.load import Order
from tests.chaos.recovery import Owed, owed_by, quantile, recovery
from tests.chaos.replay import broken_histories, early_starts, illegal_moves, repeated_successes
from tests.chaos.shapes import AGAIN, ONCE, Shape
from tests.chaos.watch import OVERDUE_SECONDS

RECOVERY_SECONDS = 10.0
"""What the recovery of 99 in 100 faults stays under."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that was seen of a run. `shapes`: by workflow; `effects`: by path of the sink, each one's arrivals.

    `unverified`: what `manage.py verify_record` found.
    """

    shapes: Mapping[str, Shape]
    faults: Sequence[Fault]
    orders: Sequence[Order]
    records: Sequence[Record]
    effects: Mapping[str, Counter[str]]
    overdue: Collection[str]
    most_live: int
    held_back: int
    resolved: int
    unverified: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Recovered:
    """One fault, the seconds it took to recover from it, and what was owed longest."""

    fault: Fault
    seconds: float
    last: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`wrong`: what must not be, by name, each with everything found; `counts`: what is only told."""

    recoveries: Sequence[Recovered]
    statuses: Mapping[str, int]
    wrong: Mapping[str, list[str]]
    counts: Mapping[str, int]

    def recovery(self, share: float) -> float:
        """Seconds that the recovery from this share of the faults did not exceed; 0 without faults."""
        return quantile([found.seconds for found in self.recoveries], share) if self.recoveries else 0.0

    def passed(self) -> bool:
        return not any(self.wrong.values()) and self.recovery(0.99) < RECOVERY_SECONDS

    def as_json(self) -> dict[str, Any]:
        """For a file: everything, with the recovery times in seconds."""
        found = [{**asdict(r.fault), "seconds": round(r.seconds, 3), "last": r.last} for r in self.recoveries]
        quantiles = {name: round(self.recovery(share), 3) for name, share in QUANTILES.items()}
        told = {"passed": self.passed(), "recovery": quantiles, "statuses": self.statuses, "counts": self.counts}
        return told | {"wrong": self.wrong, "faults": found}


QUANTILES = {"p50": 0.5, "p99": 0.99, "max": 1.0}


def audit(evidence: Evidence) -> Verdict:
    """What came of a run."""
    owed = sorted(_owed(evidence), key=lambda one: one.since)
    nexts = [*(fault.at for fault in evidence.faults[1:]), math.inf]
    found = [
        Recovered(fault, *recovery(fault.at, owed, following))
        for fault, following in zip(evidence.faults, nexts, strict=True)
    ]
    wrong = {name: list(check(evidence)) for name, check in CHECKS.items()}
    wrong["stuck or overdue"] += [
        f"{o.what} took {o.until - o.since:.1f} s" for o in owed if OVERDUE_SECONDS < o.until - o.since < math.inf
    ]
    statuses = Counter(record.status for record in evidence.records)
    return Verdict(found, statuses, wrong, _counts(evidence))


def _counts(evidence: Evidence) -> dict[str, int]:
    steps = Counter(status for record in evidence.records for status in record.steps.values())
    attempts = Counter(attempt.status for record in evidence.records for attempt in record.attempts)
    return {
        "executions accepted": sum(order.execution_id is not None for order in evidence.orders),
        "posts repeated by callers without an answer": sum(order.repeats for order in evidence.orders),
        "of these already committed, answered again": sum(order.replayed for order in evidence.orders),
        "most executions live at once": evidence.most_live,
        "posts held back at the bound": evidence.held_back,
        "steps carried out": steps[StepStatus.SUCCEEDED],
        "events": sum(len(record.events) for record in evidence.records),
        "attempts lost with their worker": attempts["lost"],
        "late outcomes of lost attempts, refused": _late(evidence.records),
        "effects seen": sum(map(len, evidence.effects.values())),
        "idempotent effects repeated": len(_repeated(evidence, AGAIN)),
        "at-most-once effects of unknown outcome": attempts["outcome_unknown"],
        "of these resolved by the operator": evidence.resolved,
    }


def _late(records: Sequence[Record]) -> int:
    return sum(event.type == "step.late_outcome" for record in records for event in record.events)


def _repeated(evidence: Evidence, path: str) -> list[str]:
    return [f"{effect} {times} times" for effect, times in evidence.effects[path].items() if times > 1]


def _owed(evidence: Evidence) -> Iterator[Owed]:
    for record in evidence.records:
        yield from owed_by(record, evidence.shapes[record.workflow_id].needs())
    for order in evidence.orders:
        yield Owed(order.posted_at, order.answered_at or math.inf, f"the answer to the post of {order.key}")


def _unanswered(evidence: Evidence) -> Iterator[str]:
    return (f"{order.key}: {order.refused}" for order in evidence.orders if order.refused is not None)


def _lost(evidence: Evidence) -> Iterator[str]:
    known = {record.id for record in evidence.records}
    return (f"{o.execution_id}" for o in evidence.orders if o.execution_id is not None and o.execution_id not in known)


def _doubled(evidence: Evidence) -> Iterator[str]:
    """Keys with two executions, or with another one than the caller was told of."""
    created: dict[str | None, set[str]] = {}
    for record in evidence.records:
        created.setdefault(record.key, set()).add(record.id)
    for order in evidence.orders:
        found = created.get(order.key, set())
        if len(found) > 1 or (order.execution_id is not None and found and found != {order.execution_id}):
            yield f"{order.key}: {', '.join(sorted(found))}, answered {order.execution_id}"


def _stuck(evidence: Evidence) -> Iterator[str]:
    yield from (f"{r.id} is {r.status}" for r in evidence.records if r.status not in TERMINAL)
    yield from (f"{execution_id} was overdue by more than {OVERDUE_SECONDS:g} s" for execution_id in evidence.overdue)


def _ended_otherwise(evidence: Evidence) -> Iterator[str]:
    """Executions that nobody cancelled and that came to another end than their shape's, or not by all its steps.

    A child is cancelled with its parent.
    """
    may_be_cancelled = {order.key for order in evidence.orders if order.cancel_after is not None} | {None}
    for record in evidence.records:
        end = evidence.shapes[record.workflow_id].end
        unfinished = sorted(name for name, status in record.steps.items() if status != StepStatus.SUCCEEDED)
        if record.status == end == Status.SUCCEEDED and unfinished:
            yield f"{record.id} succeeded without {', '.join(unfinished)}"
        cancelled = record.status == Status.CANCELLED and record.key in may_be_cancelled
        if record.status in TERMINAL and record.status != end and not cancelled:
            yield f"{record.id} is {record.status}"


def _missing_effects(evidence: Evidence) -> Iterator[str]:
    """Executions that ended as they should, without the effect that belongs to it."""
    for record in evidence.records:
        shape = evidence.shapes[record.workflow_id]
        if shape.effect is None or record.status != shape.end:
            continue
        path, step = shape.effect
        if f"{record.id}:{step}" not in evidence.effects[path]:
            yield f"{record.id}: {step}"


def _every(check: Callable[[Record], Iterator[str]]) -> Callable[[Evidence], Iterator[str]]:
    return lambda evidence: (f"{r.id}: {said}" for r in evidence.records for said in check(r))


def _early(evidence: Evidence) -> Iterator[str]:
    needs = {workflow_id: shape.needs() for workflow_id, shape in evidence.shapes.items()}
    return (f"{r.id}: {said}" for r in evidence.records for said in early_starts(r, needs[r.workflow_id]))


CHECKS: Mapping[str, Callable[[Evidence], Iterator[str]]] = {
    "posts not answered": _unanswered,
    "accepted executions lost": _lost,
    "keys with two executions": _doubled,
    "stuck or overdue": _stuck,
    "ended otherwise than they should": _ended_otherwise,
    "illegal moves": _every(illegal_moves),
    "broken histories": _every(broken_histories),
    "steps started before their needs": _early,
    "steps that succeeded twice": _every(repeated_successes),
    "at-most-once effects repeated": lambda evidence: iter(_repeated(evidence, ONCE)),
    "effects that never came about": _missing_effects,
    "records that do not verify": lambda evidence: iter(evidence.unverified),
}
"""Each must find nothing."""
