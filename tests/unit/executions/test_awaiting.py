"""Who waits for the same is told in turn, and no more of them than there is something for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from queue import Empty, SimpleQueue
from uuid import UUID, uuid4

import pytest

from executions.awaiting import Lookout


def test_as_many_are_told_as_there_is_something_for_and_who_waited_longest_first() -> None:
    wanted, other = uuid4(), uuid4()
    come: SimpleQueue[int] = SimpleQueue()
    told: SimpleQueue[int] = SimpleQueue()

    def look(watched: Collection[UUID]) -> Mapping[UUID, int]:
        assert set(watched) <= {wanted, other}
        return {} if come.empty() else {wanted: come.get()}

    lookout = Lookout("tried", look, shortest_pause=0.001)
    ends = [lookout.watch(wanted, lambda number=number: told.put(number)) for number in range(5)]  # type: ignore[misc]
    ends.append(lookout.watch(other, lambda: told.put(-1)))
    ends.pop(1)()
    come.put(2)
    assert [told.get(timeout=5) for _ in range(2)] == [0, 2], "1 waits no more"
    with pytest.raises(Empty):
        told.get(timeout=0.05)
    come.put(9)
    assert [told.get(timeout=5) for _ in range(2)] == [3, 4]
    for end in ends:
        end()
