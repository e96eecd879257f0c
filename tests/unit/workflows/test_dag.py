"""Layers, cycles and ancestors of a graph."""

from __future__ import annotations

import graphlib

from hypothesis import given
from hypothesis import strategies as st

from workflows import dag

graphs = st.integers(1, 8).flatmap(
    lambda count: st.lists(
        st.lists(st.integers(0, count - 1), max_size=3, unique=True).map(sorted), min_size=count, max_size=count
    )
)


def test_a_diamond_has_three_layers() -> None:
    assert dag.waves([(), (0,), (0,), (1, 2)]) == [[0], [1, 2], [3]]


def test_a_cycle_is_told_in_the_direction_of_the_work_from_its_first_step() -> None:
    # 1 waits for 3, 2 for 1, 3 for 2: the work would go 1 -> 2 -> 3 -> 1.
    assert dag.cycles([(), (3, 0), (1,), (2,)]) == [[1, 2, 3]]


def test_every_knot_gives_a_cycle_and_what_only_waits_for_one_gives_none() -> None:
    assert dag.cycles([(1,), (0,), (1,), (4, 2), (3,), (4,), (6,)]) == [[0, 1], [3, 4], [6]]


@given(graph=graphs)
def test_there_is_an_order_or_a_cycle(graph: list[list[int]]) -> None:
    cycles = dag.cycles(graph)
    placed = [index for layer in dag.waves(graph) for index in layer]
    assert (len(placed) == len(graph)) == (not cycles)
    for cycle in cycles:
        assert all(before in graph[after] for before, after in zip(cycle, [*cycle[1:], cycle[0]], strict=True))


@given(graph=graphs)
def test_layers_agree_with_the_standard_library(graph: list[list[int]]) -> None:
    sorter = graphlib.TopologicalSorter(dict(enumerate(graph)))
    try:
        sorter.prepare()
    except graphlib.CycleError:
        assert dag.cycles(graph)
        return
    layers = []
    while sorter.is_active():
        layers.append(sorted(sorter.get_ready()))
        sorter.done(*layers[-1])
    assert dag.waves(graph) == layers


@given(graph=graphs)
def test_ancestors_are_all_that_can_be_reached_backwards(graph: list[list[int]]) -> None:
    for index, bits in enumerate(dag.ancestors(graph)):
        reached: set[int] = set()
        pending = list(graph[index])
        while pending:
            other = pending.pop()
            if other not in reached:
                reached.add(other)
                pending += graph[other]
        assert {other for other in range(len(graph)) if bits >> other & 1} == reached
