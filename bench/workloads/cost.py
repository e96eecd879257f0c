"""What a step costs in statements, round trips and commits: counted, not timed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.contestants.peers import ALONE
from bench.figures import Figure, Sheet
from bench.ground import Ground
from bench.workload import Field, Workload

COUNTED = ("statements", "round trips", "commits")


@contextmanager
def _enter(ground: Ground) -> Iterator[Field]:
    with ground.alone() as alone:
        sheet = Sheet("What goes to the database", ["workload", "per", *COUNTED])

        def counted(title: str, per: str, over: int, **asked: Any) -> list[float]:
            cost = alone.ask("cost", **asked)
            found = [cost[name] / over for name in COUNTED]
            sheet.rows.append([title, per, *(f"{one:.2f}" for one in found)])
            return found

        def turn() -> dict[str, float]:
            sheet.rows.clear()
            chain = counted("chain of 40 effectful steps", "step", 40, kind="chain", steps=40, executions=1)
            counted("100 one-step executions", "execution", 100, kind="chain", steps=1, executions=100)
            counted("1 -> 100 -> 1", "step", 102, kind="fan", steps=100, executions=1)
            counted("40 pure steps", "execution", 1, kind="pure", steps=40, executions=1)
            return dict(zip(COUNTED, chain, strict=True))

        made = Field(sheets=[sheet])
        made.variant(ALONE.name, turn, ALONE.records)
        yield made


WORKLOAD = Workload(
    "cost",
    "Statements, round trips and commits",
    "Counted at the driver, in one process; creations are not in it.",
    tuple(Figure(name, f"{name}, a step of a chain of 40", "") for name in COUNTED),
    _enter,
    rounds=1,
    warm_ups=0,
)
