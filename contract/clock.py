"""The database's clock, gone on from by our own for as long as the two cannot drift apart."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Final, NamedTuple

KNOWN_SECONDS: Final = 1.0
"""How long it is gone on from: over so short a time no two clocks drift apart."""


class Reading(NamedTuple):
    """What the database's clock said when our own was at `read_at` (monotonic seconds), or a little before."""

    moment: datetime
    read_at: float

    @classmethod
    def now(cls, moment: datetime) -> Reading:
        """What it has just said."""
        return cls(moment, time.monotonic())

    def gone_on(self) -> datetime | None:
        """What it says now, or a little before; None where it has to be asked."""
        seconds = time.monotonic() - self.read_at
        return None if seconds > KNOWN_SECONDS else self.moment + timedelta(seconds=seconds)
