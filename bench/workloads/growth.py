"""What a step costs in a small execution, in 1 -> 1,000 -> 1 and in one of 10,000 steps: it may not grow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bench.contestants.peers import CELERY
from bench.contestants.traceway import Node
from bench.definitions import Definition, fan, layers
from bench.figures import OURS, Figure, Goal, Medians
from bench.ground import Ground
from bench.workload import Field, Runs, Workload

TIMES = 20
LEAVES = 1_000
WIDTH = 100


def _ms_a_step(node: Node, workflow: str, steps: int, times: int) -> float:
    """Milliseconds a step, from the start to the end as the record has them, one execution after the other."""
    ended = [node.once(workflow) for _ in range(times)]
    return sum(one.finished_at - one.started_at for one in ended) / times / steps * 1000


@contextmanager
def _enter(ground: Ground) -> Iterator[Field]:
    node = ground.main
    leaves, count = ground.sizes.of(LEAVES, 50), ground.sizes.of(WIDTH, 10)

    def published(definition: Definition) -> tuple[str, int]:
        return node.publish(definition), len(definition["steps"])

    small, fanned = published(fan(ground.name("fan10"), 8)), published(fan(ground.name("fan"), leaves))
    small_layers = published(layers(ground.name("layers10"), 5, 2))
    large_layers = published(layers(ground.name("layers"), count, WIDTH))
    made = Field(notes=[f"The large fan has {leaves:,} leaves, the large DAG {count * WIDTH:,} steps."])
    made.product(
        lambda: {
            "fan10": _ms_a_step(node, *small, TIMES),
            "fan": _ms_a_step(node, *fanned, 1),
            "dag10": _ms_a_step(node, *small_layers, TIMES),
            "dag": _ms_a_step(node, *large_layers, 1),
        }
    )
    made.peer(
        ground,
        CELERY,
        lambda program: {
            "fan10": program.ask("fan", width=8) * 1000 / 10,
            "fan": program.ask("fan", width=leaves) * 1000 / (leaves + 2),
        },
    )
    yield made


def _grown(large: str, small: str) -> Goal:
    titles = {"fan": f"1 -> {LEAVES:,} -> 1", "dag": f"a {100 * WIDTH:,}-step DAG"}

    def value(found: Medians) -> float:
        return found[large, OURS] / found[small, OURS]

    return Goal(f"cost of a step in {titles[large]} against one of 10 steps", value, 1.5, at_least=False)


WORKLOAD = Workload(
    "growth",
    "Large executions",
    "Milliseconds a step between the start and the end that stand in the record. Small and large ones have the same "
    "shape: 1 -> n -> 1, and layers in which each step follows two of the layer before. Celery: a chord, call to end.",
    (
        Figure("fan10", "1 -> 8 -> 1, a step", "ms"),
        Figure("fan", f"1 -> {LEAVES:,} -> 1, a step", "ms"),
        Figure("dag10", "layers, 10 steps, a step", "ms"),
        Figure("dag", f"layers, {100 * WIDTH:,} steps, a step", "ms"),
    ),
    _enter,
    goals=(_grown("fan", "fan10"), _grown("dag", "dag10")),
    runs=Runs.NORMAL,
)
