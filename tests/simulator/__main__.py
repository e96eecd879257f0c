"""Replay a world from its seed: `python -m tests.simulator --seed N [--trace]`."""

from __future__ import annotations

import argparse
import sys

from tests.simulator.history import Violation
from tests.simulator.world import World


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.simulator", description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--executions", type=int, default=20)
    parser.add_argument("--trace", action="store_true", help="print every event")
    given = parser.parse_args()
    world = World(given.seed, given.executions, traced=given.trace)
    try:
        world.run()
    except Violation as violation:
        told = f"after {world.turn} turns: {violation}"
    else:
        told = f"{len(world.memory.executions)} executions ended after {world.turn} turns"
    sys.stdout.write("\n".join([*world.lines, told]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
