"""Forty pure steps: computed one after the other, committed together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from bench.contestants import floors
from bench.contestants.peers import ALONE
from bench.definitions import pure_chain
from bench.figures import Figure, Goal, only
from bench.ground import Ground
from bench.workload import Field, Workload, milliseconds

STEPS = 40


@contextmanager
def _enter(ground: Ground) -> Iterator[Field]:
    node, times = ground.main, ground.sizes.of(5, 2)
    workflow = node.publish(pure_chain(ground.name("pure40"), STEPS))
    with ground.alone() as alone, closing(floors.Commits(node.database_url)) as commits:
        made = Field()
        made.product(lambda: {"posted": milliseconds([node.once(workflow).seconds for _ in range(times)])})

        def inside() -> dict[str, float]:
            cost = alone.ask("cost", kind="pure", steps=STEPS, executions=1)
            return {
                "inside": milliseconds(alone.ask("pure", steps=STEPS, times=times)),
                "commits": float(cost["commits"]),
            }

        made.variant(ALONE.name, inside, ALONE.records)
        made.commits(commits, "inside", 1)
        yield made


WORKLOAD = Workload(
    "pure40",
    "40 pure steps in sequence",
    "Inside the engine: from its first look at what is due to its last, with nothing else to do.",
    (
        Figure("inside", "worker's start to its commit", "ms"),
        Figure("commits", "commits", ""),
        Figure("posted", "POST to terminal", "ms"),
    ),
    _enter,
    goals=(
        Goal("40 pure steps, worker's start to commit", only("inside", ALONE.name), 10, at_least=False, unit="ms"),
        Goal("40 pure steps: commits", only("commits", ALONE.name), 1, at_least=False, unit="commits"),
    ),
)
