"""Whether a failed attempt is followed by another, and after how long. Pure: the jitter comes from the attempt itself.

Attempts that were lost with their worker are bounded on their own, so that a step which
kills workers cannot do so for ever.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from contract.json_values import JSON
from workflows.spec import RetryPolicy

MAX_LOST = 5
"""Lost attempts of one step before it fails for good."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed. `kind` is the stable word (`timeout`, ...); `retryable` False ends the step.

    `retry_after` (seconds) is what the other side asked for, a lower bound on the delay. `ambiguous`: the effect may
    have come about all the same. `on_request`: another attempt follows only where the policy says after which errors.
    """

    kind: str
    message: str
    retryable: bool = True
    retry_after: float | None = None
    ambiguous: bool = False
    on_request: bool = False


def delay(policy: RetryPolicy, failures: int, failure: Failure, details: JSON, seed: str) -> float | None:
    """Seconds until the next attempt after `failures` failed ones, None when this was the last.

    Exponential: initial * 2^(failures-1), at most `max_seconds`. Jitter takes it to between a half and
    the whole ("equal jitter", AWS Architecture Blog, 2015), derived from `seed` so that a replay decides alike.
    """
    if failures >= policy.max_attempts or not failure.retryable or not _covers(policy, failure, details):
        return None
    growth = 2 ** min(failures - 1, 62) if policy.backoff == "exponential" else 1
    seconds = min(policy.initial_seconds * growth, policy.max_seconds)
    if policy.jitter:
        seconds *= 0.5 + 0.5 * _fraction(f"{seed}:{failures}")
    return max(seconds, failure.retry_after or 0.0)


def lost_delay(lost: int) -> float | None:
    """Seconds until a step whose worker died is tried again after `lost` such deaths; None when enough is enough."""
    return None if lost >= MAX_LOST else float(2 ** (lost - 1) - 1)


def _covers(policy: RetryPolicy, failure: Failure, details: JSON) -> bool:
    if policy.on is None:
        return not failure.on_request
    error = {"kind": failure.kind, "message": failure.message, "details": details}
    return policy.on.covers(error)


def _fraction(seed: str) -> float:
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]) / 2**64
