"""What the record costs a step: the same engine with it and without, by turns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bench.contestants.peers import ALONE
from bench.figures import Figure
from bench.ground import Ground
from bench.workload import Field, Workload

STEPS: Final = 40
UNRECORDED: Final = "without its record"


@contextmanager
def _enter(ground: Ground) -> Iterator[Field]:
    times = ground.sizes.of(5, 2)
    with ground.alone() as alone:
        made = Field()
        for name, recorded, records in (
            (ALONE.name, True, ALONE.records),
            (UNRECORDED, False, "where steps stand: no events, no hashes, no inputs and outputs"),
        ):

            def turn(recorded: bool = recorded) -> dict[str, float]:
                found: dict[str, float] = alone.ask("recording", steps=STEPS, times=times, recorded=recorded)
                return found

            made.variant(name, turn, records)
        yield made


WORKLOAD = Workload(
    "recording",
    "What the record costs",
    "A step of a chain of 40 effectful no-ops inside the engine, with and without events, hashes, inputs and outputs.",
    (
        Figure("us", "a step", "us"),
        Figure("bytes", "bytes of WAL a step", ""),
        Figure("statements", "statements a step", ""),
        Figure("commits", "commits a step", ""),
    ),
    _enter,
)
