"""The figures of the other workloads on a database with a million stored executions, and on an empty one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.contestants.traceway import Node, created
from bench.definitions import chain, fan, layers, pure_chain
from bench.figures import OURS, Figure, Goal, Medians
from bench.ground import Ground, Sizes
from bench.workload import Field, Runs, Workload, milliseconds

NAME = "Traceway, million stored"
TIMES = 5
COUNT = 400
MANY = 100
STEPS = 10
REQUESTS = 500


@contextmanager
def _enter(ground: Ground) -> Iterator[Field]:
    with ground.node("empty") as empty, ground.filled_node("million", ground.sizes.million) as (full, told):
        made = Field(notes=[told])
        made.product(_turn(empty, ground.sizes))
        made.variant(NAME, _turn(full, ground.sizes))
        yield made


def _turn(node: Node, sizes: Sizes) -> Callable[[], dict[str, float]]:
    forty, pure = node.publish(chain("chain40", 40)), node.publish(pure_chain("pure40", 40))
    one, ten = node.publish(chain("one", 1)), node.publish(chain("ten", STEPS))
    wide, high = sizes.of(1_000, 20), sizes.of(100, 5)
    fanned, layered = node.publish(fan("fan", wide)), node.publish(layers("layers", high, 100))
    count, many = sizes.of(COUNT, 20), sizes.of(MANY, 10)

    def turn() -> dict[str, float]:
        return {
            "chain": milliseconds([node.once(forty).seconds for _ in range(TIMES)]),
            "pure": milliseconds([node.once(pure).seconds for _ in range(TIMES)]),
            "executions": count / node.many(one, count),
            "steps": many * STEPS / node.many(ten, many),
            "requests": _posts(node, one, sizes.of(REQUESTS, 32)),
            "fan": node.once(fanned).seconds / (wide + 2) * 1000,
            "dag": node.once(layered).seconds / (high * 100) * 1000,
        }

    return turn


def _posts(node: Node, workflow: str, count: int) -> float:
    """Creations a second, their executions being carried out meanwhile; returns when these have ended."""
    called = node.post_many(workflow, count, 16)
    node.all_ended([created(body) for body in called.bodies])
    return called.rate


_FIGURES = (
    Figure("chain", "40 effectful steps, POST to terminal", "ms"),
    Figure("pure", "40 pure steps, POST to terminal", "ms"),
    Figure("executions", "one-step executions", "/s", more_is_better=True),
    Figure("steps", "steps of many executions", "/s", more_is_better=True),
    Figure("requests", "POST /v1/executions, 16 connections, workers running", "/s", more_is_better=True),
    Figure("fan", "1 -> 1,000 -> 1, a step", "ms"),
    Figure("dag", "layers, 10,000 steps, a step", "ms"),
)


def _goal(figure: Figure) -> Goal:
    def times_as_slow(found: Medians) -> float:
        full, empty = found[figure.name, NAME], found[figure.name, OURS]
        return empty / full if figure.more_is_better else full / empty

    return Goal(f"{figure.title}: with a million stored against none", times_as_slow, 1.2, at_least=False)


WORKLOAD = Workload(
    "million",
    "A million stored executions",
    "Two stacks on the same servers; one has a million executions in its database, with all that is recorded of them.",
    _FIGURES,
    _enter,
    goals=tuple(map(_goal, _FIGURES)),
    runs=Runs.FULL,
)
