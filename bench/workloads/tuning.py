"""The peers under other settings than those that they are compared with: whether any of them was held back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from bench.contestants.peers import CELERY, DBOS, PROCRASTINATE, PeerFailed, PeerKind, Program
from bench.figures import Contestant, Figure, Kind
from bench.ground import Ground
from bench.workload import Field, Runs, Workload

EXECUTIONS = 160
MANY = 30
STEPS = 10
USED = "as compared"
SETTINGS: tuple[tuple[PeerKind, str, dict[str, str]], ...] = (
    (DBOS, f"4 threads, {USED}", {}),
    (DBOS, "2 threads", {"BENCH_THREADS": "2"}),
    (DBOS, "8 threads", {"BENCH_THREADS": "8"}),
    (DBOS, "32 threads", {"BENCH_THREADS": "32"}),
    (DBOS, "a queue, 32 threads", {"BENCH_THREADS": "32"}),
    (CELERY, f"prefetch 64, two children, {USED}", {}),
    (CELERY, "prefetch 4, its default", {"BENCH_PREFETCH": "4"}),
    (CELERY, "four children", {"BENCH_CHILDREN": "4"}),
    (PROCRASTINATE, f"20 jobs at a time, {USED}", {}),
    (PROCRASTINATE, "10 jobs at a time", {"BENCH_JOBS": "10"}),
    (PROCRASTINATE, "40 jobs at a time", {"BENCH_JOBS": "40"}),
)


@contextmanager
def _enter(ground: Ground) -> Iterator[Field]:
    made = Field()
    with ExitStack() as ending:
        for kind, told, settings in SETTINGS:
            try:
                program = ending.enter_context(ground.tuned(kind, **settings))
            except PeerFailed as error:
                made.notes.append(f"{kind.name}, {told}, was left out: {error}"[:300])
                continue
            turn = _turn(program, ground, queued=told.startswith("a queue"))
            made.contestants.append(Contestant(f"{kind.name}, {told}", Kind.PEER, kind.records, turn))
        yield made


def _turn(program: Program, ground: Ground, *, queued: bool) -> Callable[[], dict[str, float]]:
    single, many = ground.sizes.of(EXECUTIONS, 20), ground.sizes.of(MANY, 10)

    def seconds(executions: int, steps: int) -> Any:
        return program.ask("queued" if queued else "many", executions=executions, steps=steps)

    return lambda: {
        "executions": single / seconds(single, 1),
        "steps": many * STEPS / seconds(many, STEPS),
    }


WORKLOAD = Workload(
    "tuning",
    "The peers under other settings",
    "Each in a process of its own, stopped while it is not its turn. What the other tables show of a peer is what it "
    "does under the settings that are marked here.",
    (
        Figure("executions", "one-step executions a second", "/s", more_is_better=True),
        Figure("steps", "steps a second, many executions of ten", "/s", more_is_better=True),
    ),
    _enter,
    runs=Runs.FULL,
)
