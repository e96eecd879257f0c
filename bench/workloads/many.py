"""Many executions of ten steps at once: steps a second when there is always something to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from bench.contestants import floors
from bench.contestants.peers import CELERY, DBOS, PROCRASTINATE
from bench.contestants.two import NAME, two_processes
from bench.definitions import chain
from bench.figures import Figure, Goal, more
from bench.ground import Ground
from bench.workload import Field, Workload

EXECUTIONS = 120
STEPS = 10


@contextmanager
def _enter(ground: Ground) -> Iterator[Field]:
    node, count = ground.main, ground.sizes.of(EXECUTIONS, 20)
    workflow, steps = node.publish(chain(ground.name("many"), STEPS)), count * STEPS
    with closing(floors.Commits(node.database_url)) as commits:
        made = Field()
        made.product(lambda: {"rate": steps / node.many(workflow, count)})
        made.commits(commits, "rate", steps, rate=1)
        for kind in (CELERY, DBOS, PROCRASTINATE):
            made.peer(
                ground, kind, lambda program: {"rate": steps / program.ask("many", executions=count, steps=STEPS)}
            )
        two_processes(
            ground,
            made,
            figure="rate",
            asked=lambda half: ("many", {"executions": half, "steps": STEPS}),
            count=count,
            things=steps,
        )
        yield made


WORKLOAD = Workload(
    "many",
    "Many executions of ten steps at once",
    "From the first POST to the last end, eight callers.",
    (Figure("rate", "steps a second", "/s", more_is_better=True),),
    _enter,
    goals=(Goal("steps/s of many executions against two DBOS processes", more("rate", NAME), 2, at_least=True),),
)
