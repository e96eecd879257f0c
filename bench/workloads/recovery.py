"""kill -9 of a worker, a flushed broker, a restarted database: how long until all that was owed is done, nothing lost.

The chaos run of tests/chaos on two nodes of their own, with these faults alone; its audit says what was lost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from bench.figures import OURS, Figure, Goal, Medians, Sheet
from bench.ground import Ground
from bench.workload import Field, Runs, Workload
from tests.chaos.audit import Verdict
from tests.chaos.trial import Trial, carry_out

FAULTS = (
    "worker: kill -9, its children with it",
    "worker child: kill -9",
    "broker: FLUSHALL",
    "database: immediate restart",
)
"""Names of tests/chaos/faults.py."""
TIMES = 5
GAP_SECONDS = 7.0
SEED = 20261122


@contextmanager
def _enter(ground: Ground) -> Iterator[Field]:
    times = ground.sizes.of(TIMES)
    sheet = Sheet("Each fault", ["fault", "recovered after, s", "what was done last"])

    def turn() -> dict[str, float]:
        verdict = carry_out(
            Trial(
                seconds=GAP_SECONDS * (len(FAULTS) * times + 1),
                seed=SEED,
                gap=(GAP_SECONDS, GAP_SECONDS),
                kinds=FAULTS,
                traces=False,
            ),
            lambda _: None,
        )
        sheet.rows[:] = [[r.fault.kind, f"{r.seconds:.2f}", r.last] for r in verdict.recoveries]
        return _longest(verdict) | {"wrong": float(sum(map(len, verdict.wrong.values())))}

    made = Field(sheets=[sheet], notes=[f"One run under load, each fault {times}x; the longest recovery counts."])
    made.product(turn)
    yield made


def _longest(verdict: Verdict) -> dict[str, float]:
    found: dict[str, list[float]] = defaultdict(list)
    for recovered in verdict.recoveries:
        found[recovered.fault.kind].append(recovered.seconds)
    return {kind: max(seconds) for kind, seconds in found.items()}


def _longest_of_all(found: Medians) -> float:
    return max(found[kind, OURS] for kind in FAULTS)


WORKLOAD = Workload(
    "recovery",
    "Recovery",
    "From the fault to the moment at which everything that was owed then, and all that was late afterwards, has been "
    "done. The audit looks for lost and doubled executions, lost effects, illegal moves and broken histories.",
    (*(Figure(kind, kind, "s") for kind in FAULTS), Figure("wrong", "what the audit found wrong", "")),
    _enter,
    goals=(
        Goal("longest recovery from any of the faults", _longest_of_all, 10, at_least=False, unit="s"),
        Goal("lost, doubled or wrong after them", lambda found: found["wrong", OURS], 0, at_least=False, unit=""),
    ),
    runs=Runs.NORMAL,
    rounds=1,
    warm_ups=0,
)
