"""Graphs of steps by index: layers, cycles, ancestors. Edges are given as the tuple of a step's predecessors."""

from __future__ import annotations

from collections.abc import Sequence

Edges = Sequence[Sequence[int]]


def successors(predecessors: Edges) -> list[list[int]]:
    """The edges turned round, in ascending order."""
    found: list[list[int]] = [[] for _ in predecessors]
    for index, before in enumerate(predecessors):
        for other in before:
            found[other].append(index)
    return found


def waves(predecessors: Edges) -> list[list[int]]:
    """Layers: each step stands after the last of its predecessors. What is on a cycle, or after one, is left out."""
    after = successors(predecessors)
    left = [len(before) for before in predecessors]
    layer = [index for index, count in enumerate(left) if count == 0]
    found = []
    while layer:
        found.append(layer)
        following = []
        for index in layer:
            for other in after[index]:
                left[other] -= 1
                if left[other] == 0:
                    following.append(other)
        layer = sorted(following)
    return found


def cycles(predecessors: Edges) -> list[list[int]]:
    """One cycle of each knot of steps that wait for each other, as a path in the direction of the work.

    [a, b] means a -> b -> a. Empty if there is none.
    """
    return [_cycle_within(set(knot), predecessors) for knot in _knots(predecessors)]


def ancestors(predecessors: Edges) -> list[int]:
    """For each step, the set of steps before it, as the bits of a number; those of a knot are all before each other."""
    knots = _knots(predecessors)
    joined = _joined(predecessors, knots)
    within = {knot[0]: sum(1 << index for index in knot) for knot in knots}
    found = [0] * len(predecessors)
    for layer in waves(joined):
        for index in layer:
            bits = within.get(index, 0)
            for other in joined[index]:
                bits |= found[other] | 1 << other
            found[index] = bits
    for knot in knots:
        for index in knot:
            found[index] = found[knot[0]]
    return found


def _joined(predecessors: Edges, knots: Sequence[Sequence[int]]) -> Edges:
    """The graph with each knot drawn together into its first step; its other steps are left without any."""
    if not knots:
        return predecessors
    first = list(range(len(predecessors)))
    for knot in knots:
        for index in knot:
            first[index] = knot[0]
    found: list[set[int]] = [set() for _ in predecessors]
    for index, before in enumerate(predecessors):
        found[first[index]].update(first[other] for other in before if first[other] != first[index])
    return [sorted(before) for before in found]


def _knots(predecessors: Edges) -> list[list[int]]:
    """The strongly connected components that hold a cycle (Kosaraju), without recursion."""
    placed = {index for layer in waves(predecessors) for index in layer}
    after, seen, finished = successors(predecessors), set(placed), []
    for start in range(len(predecessors)):
        finished += _finishing_order(start, after, seen)
    seen = set(placed)
    knots = [_finishing_order(start, predecessors, seen) for start in reversed(finished)]
    return sorted(sorted(knot) for knot in knots if len(knot) > 1 or (knot and knot[0] in predecessors[knot[0]]))


def _finishing_order(start: int, edges: Edges, seen: set[int]) -> list[int]:
    """What a depth-first walk from `start` reaches and had not seen, each after all that it leads to."""
    if start in seen:
        return []
    seen.add(start)
    order: list[int] = []
    stack = [(start, iter(edges[start]))]
    while stack:
        index, rest = stack[-1]
        following = next((other for other in rest if other not in seen), None)
        if following is None:
            order.append(index)
            stack.pop()
        else:
            seen.add(following)
            stack.append((following, iter(edges[following])))
    return order


def _cycle_within(knot: set[int], predecessors: Edges) -> list[int]:
    path: list[int] = []
    at: dict[int, int] = {}
    current = min(knot)
    while current not in at:
        at[current] = len(path)
        path.append(current)
        current = next(other for other in predecessors[current] if other in knot)
    cycle = path[at[current] :][::-1]
    start = cycle.index(min(cycle))
    return cycle[start:] + cycle[:start]
