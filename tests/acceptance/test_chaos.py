"""A short run of `make chaos`: one fault of each main kind, four and a half seconds apart, and the whole audit."""

from __future__ import annotations

from itertools import islice

from tests.chaos.audit import CHECKS, RECOVERY_SECONDS
from tests.chaos.faults import KINDS
from tests.chaos.trial import Trial, carry_out

MAIN = tuple(islice(KINDS, 7))


def test_under_faults_nothing_is_lost_doubled_stuck_or_moved_illegally() -> None:
    verdict = carry_out(Trial(seconds=38, seed=1, gap=(4.3, 4.7), kinds=MAIN, traces=False), print)

    assert {name: found for name, found in verdict.wrong.items() if found} == {}
    assert set(verdict.wrong) == set(CHECKS)
    assert [found.fault.kind for found in verdict.recoveries][: len(MAIN)] == list(MAIN)
    assert verdict.recovery(0.99) < RECOVERY_SECONDS, max(verdict.recoveries, key=lambda found: found.seconds)
    assert verdict.counts["executions accepted"] > 100
