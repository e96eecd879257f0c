"""DBOS in two processes on one database, each with half of the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.contestants.peers import DBOS, PeerFailed
from bench.figures import Contestant, Kind
from bench.ground import Ground
from bench.workload import Field

NAME = "DBOS, 2 processes"


def two_processes(
    ground: Ground,
    made: Field,
    *,
    figure: str,
    asked: Callable[[int], tuple[str, dict[str, Any]]],
    count: int,
    things: int,
) -> None:
    """A contestant whose figure is `things` a second; `asked` says what one process does with half the `count`."""
    try:
        programs = [ground.peer(DBOS, number) for number in (1, 2)]
    except PeerFailed as error:
        made.notes.append(f"{NAME} was left out: {error}")
        return
    operation, arguments = asked(count // 2)

    def turn() -> dict[str, float]:
        for program in programs:
            program.begin(operation, **arguments)
        return {figure: things / max(program.answer() for program in programs)}

    made.contestants.append(Contestant(NAME, Kind.PEER, DBOS.records, turn))
