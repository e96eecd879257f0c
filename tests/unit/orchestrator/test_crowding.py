"""When a worker leaves an execution to others: of several at short steps all but one, and nobody else."""

from __future__ import annotations

from uuid import uuid4

import pytest

from orchestrator.crowding import AVOID_SECONDS, SHORT_SECONDS, Crowding, Mark

LEFT = Mark(seq=10, running=3)


@pytest.mark.parametrize(
    ("found", "crowded"),
    [
        (Mark(10, 3), False),
        (Mark(11, 3), True),
        (Mark(11, 4), True),
        (Mark(11, 2), False),
        (Mark(11, 1), False),
    ],
    ids=["nobody wrote", "another goes on", "another came", "one of the others went", "all others went"],
)
def test_who_finds_that_others_came_or_go_on_leaves_and_who_finds_that_one_went_stays(
    found: Mark, crowded: bool
) -> None:
    assert Crowding(last_seconds=SHORT_SECONDS / 2).is_crowded(found, LEFT) is crowded


def test_of_any_number_of_workers_at_short_steps_one_is_left_whoever_is_at_a_long_one_beside_them() -> None:
    """They take turns: each records, and claims the next unless it leaves. Nobody comes any more."""
    for long in (0, 1, 3):
        for short in range(2, 8):
            seq, running = 100, long + short
            there = [(Crowding(last_seconds=0.0), Mark(seq, running)) for _ in range(short)]
            for _ in range(short * short):
                crowding, left = there.pop(0)
                leaves = crowding.is_crowded(Mark(seq, running), left)
                seq, running = seq + 1, running - leaves
                if not leaves:
                    there.append((crowding, Mark(seq, running)))
            assert len(there) == 1


def test_at_long_steps_nobody_leaves() -> None:
    assert not Crowding(last_seconds=SHORT_SECONDS).is_crowded(Mark(11, 3), LEFT)


def test_a_worker_that_has_carried_out_nothing_yet_leaves_nothing() -> None:
    assert not Crowding().is_crowded(Mark(11, 3), LEFT)


def test_what_is_avoided_is_so_for_a_while() -> None:
    crowding, one, another = Crowding(), uuid4(), uuid4()
    crowding.avoid(one, 100.0)
    crowding.avoid(another, 100.0 + AVOID_SECONDS / 2)
    assert crowding.avoided(100.0 + AVOID_SECONDS / 2) == [one, another]
    assert crowding.avoided(100.0 + AVOID_SECONDS) == [another]
    assert crowding.avoided(200.0) == []
