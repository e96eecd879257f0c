"""Has the contestants of a workload take turns, round after round, so that drift of the machine hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

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


def carry_out(workload: Workload, ground: Ground, say: Say) -> Outcome:
    """Every round of every contestant. One that fails is left out from then on, and a note says why."""
    rounds = workload.rounds or ground.sizes.rounds
    began = time.monotonic()
    psutil.cpu_percent()
    with workload.enter(ground) as made:
        say(f"{workload.title}: {', '.join(one.name for one in made.contestants)}")
        measured = _taken(workload, made, rounds, say)
    outcome = outcome_of(workload, rounds, measured)
    outcome.sheets, outcome.notes = made.sheets, made.notes
    outcome.load = {"used": round(psutil.cpu_percent() / 100, 3)}
    outcome.seconds = round(time.monotonic() - began, 1)
    return outcome


def _taken(workload: Workload, made: Field, rounds: int, say: Say) -> list[Measured]:
    names = [figure.name for figure in workload.figures]
    found = {
        (name, one.name): Measured(name, one.name, one.kind, one.records) for one in made.contestants for name in names
    }
    standing = list(made.contestants)
    for number in range(-workload.warm_ups, rounds):
        for contestant in list(standing):
            values = _turn(contestant, made, say)
            if values is None:
                standing.remove(contestant)
            elif number >= 0:
                for name, value in values.items():
                    found[name, contestant.name].samples.append(value)
    return [one for one in found.values() if one.samples]


def _turn(contestant: Contestant, made: Field, say: Say) -> Mapping[str, float] | None:
    try:
        return contestant.turn()
    except FAILURES as error:
        note = f"{contestant.name} failed: {error}"
        made.notes.append(note if contestant.kind is not Kind.PEER else note[:300])
        say(note)
        return None
