"""Has the contestants of a workload take turns, round after round, so that drift of the machine hits all alike.

After a turn of this product it is waited until what follows an end is done: it would fall into the next one's turn.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import psutil

from bench.contestants.peers import PeerFailed
from bench.contestants.traceway import NotDone
from bench.figures import Contestant, Kind, Measured
from bench.ground import Ground
from bench.results import Outcome, outcome_of
from bench.serving import DoesNotServe
from bench.wire import Refused
from bench.workload import Field, Workload

Say = Callable[[str], None]

FAILURES = (PeerFailed, NotDone, DoesNotServe, Refused, OSError, ValueError, TimeoutError)
"""What ends a contestant's part in a workload, and not the run."""
OURS = (Kind.PRODUCT, Kind.VARIANT)


def carry_out(workload: Workload, ground: Ground, say: Say) -> Outcome:
    """Every round of every contestant. One that fails is left out from then on, and a note says why."""
    rounds = workload.rounds or ground.sizes.rounds
    ground.settle()
    others = ground.used_by_others()
    began = time.monotonic()
    psutil.cpu_percent()
    with workload.enter(ground) as made:
        say(f"{workload.title}: {', '.join(one.name for one in made.contestants)}")
        turns = _Turns(ground, made, say)
        measured = _taken(workload, made, rounds, turns)
    outcome = outcome_of(workload, rounds, measured)
    outcome.sheets, outcome.notes, outcome.failed = made.sheets, [*made.notes, *turns.aside()], turns.failed
    outcome.load = {"used": round(psutil.cpu_percent() / 100, 3), "others": others}
    outcome.seconds = round(time.monotonic() - began, 1)
    return outcome


def _taken(workload: Workload, made: Field, rounds: int, turns: _Turns) -> list[Measured]:
    names = [figure.name for figure in workload.figures]
    found = {
        (name, one.name): Measured(name, one.name, one.kind, one.records) for one in made.contestants for name in names
    }
    standing = list(made.contestants)
    for number in range(-workload.warm_ups, rounds):
        for contestant in list(standing):
            values = turns.take(contestant)
            if values is None:
                standing.remove(contestant)
            elif number >= 0:
                for name, value in values.items():
                    found[name, contestant.name].samples.append(value)
    return [one for one in found.values() if one.samples]


@dataclass(slots=True)
class _Turns:
    """What is told of all turns: whether we or a floor failed in one, our callers' share of a processor, the waits."""

    ground: Ground
    made: Field
    say: Say
    failed: bool = False
    settling: float = 0.0
    callers: dict[str, tuple[float, float]] = field(default_factory=lambda: defaultdict(lambda: (0.0, 0.0)))
    """Seconds of a processor, and seconds."""

    def take(self, contestant: Contestant) -> Mapping[str, float] | None:
        """Its values; None where it failed."""
        ours = contestant.kind in OURS
        began, spent = time.monotonic(), time.process_time()
        try:
            values = contestant.turn()
        except FAILURES as error:
            note = f"{contestant.name} failed: {error}"
            self.made.notes.append(note if contestant.kind is not Kind.PEER else note[:300])
            self.say(note)
            self.failed |= contestant.kind is not Kind.PEER
            return None
        if ours:
            cpu, wall = self.callers[contestant.name]
            self.callers[contestant.name] = cpu + time.process_time() - spent, wall + time.monotonic() - began
            self.settling += self.ground.settle()
        return values

    def aside(self) -> list[str]:
        shares = [f"{cpu / wall:.0%} in the turns of {name}" for name, (cpu, wall) in self.callers.items() if wall > 1]
        said = [f"The callers' share of one processor: {', '.join(shares)}."] if shares else []
        if self.settling >= 1:
            said.append(f"Between turns it was waited {self.settling:.0f} s in all for receipts to be signed.")
        return said
