"""How soon a step begins when nothing else is going on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from bench.contestants import floors
from bench.contestants.peers import CELERY, DBOS, PROCRASTINATE
from bench.definitions import chain
from bench.figures import Figure
from bench.ground import Ground
from bench.workload import Field, Workload, milliseconds

TIMES = 20


@contextmanager
def _enter(ground: Ground) -> Iterator[Field]:
    node, times = ground.main, ground.sizes.of(TIMES, 5)
    workflow = node.publish(chain(ground.name("start"), 1))

    def latencies() -> dict[str, float]:
        found = []
        for _ in range(times):
            found.append(node.once(workflow))
            time.sleep(0.005)
        return {
            "start": milliseconds([one.started_at - one.posted_at for one in found]),
            "queued": milliseconds([one.started_at - one.queued_at for one in found]),
        }

    with closing(floors.RoundTrips(node.stack.data.redis_url())) as trips:
        made = Field()
        made.product(latencies)
        made.floor(floors.VALKEY, floors.VALKEY_RECORDS, lambda: {"start": trips.seconds(1_000)})
        for kind in (CELERY, DBOS, PROCRASTINATE):
            made.peer(ground, kind, lambda program: {"start": milliseconds(program.ask("start", times=times))})
        yield made


WORKLOAD = Workload(
    "start",
    "Start latency",
    "One execution at a time, from the POST (for the others: the call) to the beginning of its first step.",
    (
        Figure("start", "POST to the first step's start", "ms"),
        Figure("queued", "queued to the first step's start", "ms"),
    ),
    _enter,
)
