"""Forty effectful steps, one after the other: what a step costs where nothing can be done at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from bench.contestants import floors
from bench.contestants.peers import CELERY, DBOS, PREFECT, PROCRASTINATE
from bench.definitions import chain
from bench.figures import Figure, Goal, faster
from bench.ground import Ground
from bench.workload import Field, Workload, milliseconds

STEPS = 40
COMMITS = STEPS + 2
"""What a chain needs at least: its creation, its start, each step."""


@contextmanager
def _enter(ground: Ground) -> Iterator[Field]:
    node, times = ground.main, ground.sizes.of(5, 2)
    workflow = node.publish(chain(ground.name("chain40"), STEPS))
    with closing(floors.Commits(node.database_url)) as commits:
        made = Field()
        made.product(
            lambda: {
                "chain": milliseconds([node.once(workflow).seconds for _ in range(times)]),
                "waited": milliseconds([node.waited_for(workflow) for _ in range(times)]),
            }
        )
        made.commits(commits, "chain", COMMITS)
        for kind in (CELERY, DBOS, PROCRASTINATE):
            made.peer(
                ground,
                kind,
                lambda program: {"chain": milliseconds([program.ask("chain", steps=STEPS) for _ in range(times)])},
            )
        made.peer(ground, PREFECT, lambda program: {"chain": milliseconds([program.ask("chain", steps=STEPS)])})
        yield made


WORKLOAD = Workload(
    "chain40",
    "40 effectful no-op steps in sequence",
    "From the POST to the commit of the end, which the harness looks for every millisecond. "
    "The other engines are called in their own process, without HTTP.",
    (
        Figure("chain", "POST to terminal", "ms"),
        Figure("waited", "the same with `Prefer: wait=30`, POST to answer", "ms"),
    ),
    _enter,
    goals=(
        Goal("40 steps in sequence against Celery's bare chain", faster("chain", CELERY.name), 2, at_least=True),
        Goal("40 steps in sequence against DBOS", faster("chain", DBOS.name), 3, at_least=True),
    ),
)
