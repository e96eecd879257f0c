"""The same figures on a database with a million stored executions, and on one with few: they may not differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from bench.contestants.traceway import Node, created
from bench.definitions import chain
from bench.figures import OURS, Figure, Goal, faster, more
from bench.fill import filled
from bench.ground import Ground
from bench.workload import Field, Runs, Workload, milliseconds

NAME = "Traceway, million stored"
COUNT = 500
MANY = 100
STEPS = 10
REQUESTS = 1_000


@contextmanager
def _enter(ground: Ground) -> Iterator[Field]:
    with ground.prepared("million") as (stack, url):
        told = filled(stack, ground.sizes.million)
        with closing(ground.caller_of(stack.start(), url)) as node:
            made = Field(notes=[told])
            made.product(_turn(ground.main, ground))
            made.variant(NAME, _turn(node, ground))
            yield made


def _turn(node: Node, ground: Ground) -> Callable[[], dict[str, float]]:
    forty = node.publish(chain(ground.name("chain40"), 40))
    one, ten = node.publish(chain(ground.name("one"), 1)), node.publish(chain(ground.name("ten"), STEPS))

    def turn() -> dict[str, float]:
        return {
            "chain": milliseconds([node.once(forty).seconds for _ in range(5)]),
            "executions": COUNT / node.many(one, COUNT),
            "steps": MANY * STEPS / node.many(ten, MANY),
            "requests": _posts(node, one),
        }

    return turn


def _posts(node: Node, workflow: str) -> float:
    """Creations a second, their executions being carried out meanwhile; returns when these have ended."""
    called = node.post_many(workflow, REQUESTS, 16)
    node.all_ended([created(body) for body in called.bodies])
    return called.rate


_FIGURES = (
    Figure("chain", "40 effectful steps, POST to terminal", "ms"),
    Figure("executions", "one-step executions", "/s", more_is_better=True),
    Figure("steps", "steps of many executions", "/s", more_is_better=True),
    Figure("requests", "POST /v1/executions, 16 connections, workers running", "/s", more_is_better=True),
)


def _goal(figure: Figure) -> Goal:
    slower = more(figure.name, NAME) if figure.more_is_better else faster(figure.name, OURS, NAME)
    value = slower if figure.more_is_better else (lambda found: 1 / slower(found))
    return Goal(f"{figure.title}: with a million stored against few", value, 1.2, at_least=False)


WORKLOAD = Workload(
    "million",
    "A million stored executions",
    "Two stacks on the same servers; one has a million executions in its database, with steps, attempts and events.",
    _FIGURES,
    _enter,
    goals=tuple(map(_goal, _FIGURES)),
    runs=Runs.FULL,
)
