"""The same work with 1, 2 and 4 worker processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from bench.contestants.traceway import Node
from bench.definitions import chain
from bench.figures import Figure
from bench.ground import Ground
from bench.workload import Field, Runs, Workload

PROCESSES = (1, 2, 4)
EXECUTIONS = 120
STEPS = 10


@contextmanager
def _enter(ground: Ground) -> Iterator[Field]:
    count = ground.sizes.of(EXECUTIONS, 20)
    with ExitStack() as ending:
        made = Field()
        for number in PROCESSES:
            node = ending.enter_context(ground.node(f"workers_{number}", WORKERS=str(number)))
            made.variant(f"Traceway, {number} worker process{'es' if number > 1 else ''}", _turn(node, count))
        yield made


def _turn(node: Node, count: int) -> Callable[[], dict[str, float]]:
    many, one = node.publish(chain("many", STEPS)), node.publish(chain("one", 1))
    return lambda: {
        "steps": count * STEPS / node.many(many, count),
        "executions": count * 2 / node.many(one, count * 2),
    }


WORKLOAD = Workload(
    "scaling",
    "More worker processes",
    "Stacks of their own on the same servers, idle while another has its turn.",
    (
        Figure("steps", "steps a second, many executions of ten", "/s", more_is_better=True),
        Figure("executions", "one-step executions a second", "/s", more_is_better=True),
    ),
    _enter,
    runs=Runs.NORMAL,
)
