"""A map over ten thousand items, each a pure step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bench.definitions import map_of
from bench.figures import Figure
from bench.ground import Ground
from bench.workload import Field, Runs, Workload

ITEMS = 10_000


@contextmanager
def _enter(ground: Ground) -> Iterator[Field]:
    node, items = ground.main, ground.sizes.of(ITEMS, 100)
    workflow, payload = node.publish(map_of(ground.name("map"))), {"numbers": list(range(items))}

    def turn() -> dict[str, float]:
        seconds = node.once(workflow, payload).seconds
        return {"map": seconds, "item": seconds / items * 1000}

    made = Field(notes=[f"{items:,} items."])
    made.product(turn)
    yield made


WORKLOAD = Workload(
    "map10000",
    "A map over 10,000 items",
    "Each item is an attempt of its own, its input and output recorded.",
    (Figure("map", "POST to terminal", "s"), Figure("item", "an item", "ms")),
    _enter,
    runs=Runs.NORMAL,
)
