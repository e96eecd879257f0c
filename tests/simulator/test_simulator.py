"""The simulator over many seeds: whatever dies, is lost, doubled or late, the invariants hold and everything ends."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.simulator.history import Violation
from tests.simulator.world import World

EXECUTIONS = int(os.environ.get("SIMULATED", "20000"))
"""How many executions are carried out; more with the environment variable."""
WORLD = 20
CHUNK = 50
WORLDS = -(-EXECUTIONS // WORLD)


@pytest.mark.parametrize("first", range(0, WORLDS, CHUNK))
def test_whatever_dies_or_is_lost_every_invariant_holds_and_everything_ends(first: int) -> None:
    for seed in range(first, min(first + CHUNK, WORLDS)):
        failed = violation(World(seed, WORLD))
        assert failed is None, f"{failed}\nreplay: .venv/bin/python -m tests.simulator --seed {seed} --trace"


def test_a_seed_gives_the_same_world_again() -> None:
    traces = [traced(7), traced(7)]
    assert traces[0] == traces[1]
    assert traced(8) != traces[0]


def traced(seed: int) -> list[str]:
    world = World(seed, WORLD, traced=True)
    violation(world)
    return world.lines


def violation(world: World) -> Violation | None:
    """What does not hold in this world, None if everything does."""
    try:
        world.run()
    except Violation as found:
        return found
    return None


def violations(seeds: range, names: tuple[str, ...]) -> Iterator[Violation]:
    """What does not hold in worlds of these definitions, world by world."""
    found = (violation(World(seed, WORLD, names=names)) for seed in seeds)
    return (each for each in found if each is not None)
