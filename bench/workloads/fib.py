"""The published workload of six engines: 40 sequential steps of fib(10), and 10 of fib(33)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from bench.contestants import floors
from bench.contestants.peers import CELERY, DBOS, PREFECT, PROCRASTINATE, PeerKind
from bench.definitions import chain
from bench.figures import Figure
from bench.ground import Ground
from bench.workload import Field, Runs, Workload


def _entering(steps: int, n: int, kinds: tuple[PeerKind, ...]) -> Callable[[Ground], AbstractContextManager[Field]]:
    @contextmanager
    def enter(ground: Ground) -> Iterator[Field]:
        node = ground.main
        workflow = node.publish(chain(ground.name(f"fib{n}"), steps, n))
        made = Field()
        made.product(lambda: {"chain": node.once(workflow).seconds * 1000})
        made.floor(floors.PYTHON, floors.PYTHON_RECORDS, lambda: {"chain": floors.recursion_seconds(steps, n) * 1000})
        for kind in kinds:
            made.peer(ground, kind, lambda program: {"chain": program.ask("chain", steps=steps, n=n) * 1000})
        yield made

    return enter


LIGHT = Workload(
    "fib10",
    "40 sequential steps of fib(10)",
    "A published comparison has it as its light workload; on 4 virtual processors it gives Windmill 393 ms (dedicated "
    "worker), Temporal 760 ms (tuned), Hatchet 1,237 ms, Airflow 9 to 40 s. Those were not measured here.",
    (Figure("chain", "POST to terminal", "ms"),),
    _entering(40, 10, (CELERY, DBOS, PROCRASTINATE, PREFECT)),
    runs=Runs.NORMAL,
)
HEAVY = Workload(
    "fib33",
    "10 sequential steps of fib(33)",
    "Nearly all of it is the function itself: what an engine adds should not show.",
    (Figure("chain", "POST to terminal", "ms"),),
    _entering(10, 33, (CELERY, DBOS)),
    runs=Runs.NORMAL,
    warm_ups=0,
)
