"""Executions of one step, as many as the callers can post."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from bench.contestants import floors
from bench.contestants.peers import CELERY, DBOS, PROCRASTINATE
from bench.contestants.two import two_processes
from bench.definitions import chain
from bench.figures import Figure, Goal, more
from bench.ground import Ground
from bench.workload import Field, Workload

COUNT = 600
COMMITS = 2
"""The creation, and the step's end with all that follows from it."""


@contextmanager
def _enter(ground: Ground) -> Iterator[Field]:
    node, count = ground.main, ground.sizes.of(COUNT, 50)
    workflow = node.publish(chain(ground.name("one-step"), 1))
    with closing(floors.Commits(node.database_url)) as commits:
        made = Field()
        made.product(lambda: {"rate": count / node.many(workflow, count)})
        made.commits(commits, "rate", count, rate=COMMITS)
        for kind in (CELERY, DBOS, PROCRASTINATE):
            made.peer(ground, kind, lambda program: {"rate": count / program.ask("one_step", executions=count)})
        two_processes(
            ground,
            made,
            figure="rate",
            asked=lambda half: ("one_step", {"executions": half}),
            count=count,
            things=count,
        )
        yield made


WORKLOAD = Workload(
    "one_step",
    "One-step executions",
    "From the first POST to the last end, eight callers. The others are called in their own process, without HTTP.",
    (Figure("rate", "executions a second, POST to terminal", "/s", more_is_better=True),),
    _enter,
    goals=(
        Goal("one-step executions/s against one DBOS process", more("rate", DBOS.name), 1.5, at_least=True),
        Goal("one-step executions/s against two DBOS processes", more("rate", "DBOS, 2 processes"), 1, at_least=True),
    ),
)
