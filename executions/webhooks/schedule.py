"""When a delivery is sent again, when an endpoint is left alone, and when it is given up. Pure; all in seconds."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Final

DEFAULT_RETRIES: Final = 10
MOST_RETRIES: Final = 20

TIMEOUT: Final = 10.0
"""For one attempt, from the look-up of the name to the last byte that is read of the answer."""
LEASE: Final = 30.0
"""After this an attempt that nobody told the end of counts as lost."""

FIRST_DELAY: Final = 5.0
LONGEST_DELAY: Final = 5 * 3600.0
GROWTH: Final = 4
LONGEST_REST: Final = 60.0
GIVEN_UP_AFTER: Final = timedelta(days=5)
GIVEN_UP_FAILURES: Final = 10
KEPT_FOR: Final = timedelta(days=30)
"""How long deliveries and their attempts can be read."""
OVERLAP: Final = timedelta(hours=24)
"""How long the secret before a new one signs as well."""


def retry_delay(failures: int, seed: str, asked: float | None = None) -> float:
    """Until what failed so many times is sent again: 5 s, 20 s, 80 s and so on to 5 h, and up to a fifth on top.

    Ten of them take 22 to 27 hours. `asked` is what the receiver asked for: a lower bound, to 5 h too.
    """
    # No exponent beyond what the bound cuts anyway.
    grown: float = min(FIRST_DELAY * GROWTH ** min(failures - 1, 16), LONGEST_DELAY)
    jitter = int.from_bytes(hashlib.sha256(f"{seed}:{failures}".encode()).digest()[:8]) / 2**64
    return max(grown * (1 + jitter / 5), min(asked or 0.0, LONGEST_DELAY))


def rest(failures: int, asked: float | None = None) -> float:
    """For how long an endpoint is sent nothing after so many failures in a row: 1 s, 2 s, 4 s and so on to a minute."""
    return max(min(2.0 ** min(failures - 1, 16), LONGEST_REST), min(asked or 0.0, LONGEST_REST))
