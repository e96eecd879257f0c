"""Whether an execution has more workers than are of use: short steps are carried out soonest by one alone.

Two at one execution wait for each other's commits, and each reads anew what the other wrote. One alone goes on with
what it knows. Times are seconds of a clock that only goes forward.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple
from uuid import UUID

SHORT_SECONDS = 0.005
"""A step that takes less is over before another worker, called for the next, had begun that."""
AVOID_SECONDS = 0.05


class Mark(NamedTuple):
    """How often an execution had been written, and how many of its steps ran."""

    seq: int
    running: int


NOWHERE = Mark(0, 0)


@dataclass(slots=True)
class Crowding:
    """What one worker process has seen of it. `last_seconds`: how long the last step took to carry out."""

    last_seconds: float = inf
    _avoided: dict[UUID, float] = field(default_factory=dict)

    @property
    def is_short(self) -> bool:
        return self.last_seconds < SHORT_SECONDS

    def is_crowded(self, found: Mark, left: Mark) -> bool:
        """Whether others wrote to it while the last step was carried out, short as it was, and none of them went.

        `left` and `found`: the execution as this process left it, and as it stands now, this process's step running. Of
        several each leaves but the last, whoever is at a long step meanwhile.
        """
        return self.is_short and found.seq != left.seq and found.running >= max(2, left.running)

    def avoid(self, execution_id: UUID, now: float) -> None:
        """Take it no more, for a while."""
        self._avoided[execution_id] = now + AVOID_SECONDS

    def avoided(self, now: float) -> list[UUID]:
        """The executions to leave to others."""
        if self._avoided:
            self._avoided = {one: until for one, until in self._avoided.items() if until > now}
        return list(self._avoided)
