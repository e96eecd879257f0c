"""What an action is given and how it fails; no action knows the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from contract.json_values import JSON


@dataclass(frozen=True, slots=True)
class Attempted:
    """Which attempt an action carries out. `idempotency_key` is the same over retries; `seconds` the time-out.

    `repeatable` is False for an effect that may happen at most once: what may have had it must not be done again.
    """

    execution_id: str
    step: str
    number: int
    idempotency_key: str
    seconds: float
    output_bytes: int
    repeatable: bool


class ActionFailed(Exception):
    """The effect did not come about, or not as wanted.

    `kind` is the stable word that `retry.on` names; `retryable` False ends the step whatever its policy says;
    `retry_after` (seconds) is what the other side asked for.
    """

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        retryable: bool = True,
        retry_after: float | None = None,
        details: JSON = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retryable = retryable
        self.retry_after = retry_after
        self.details = details


Action = Callable[[dict[str, JSON], Attempted], JSON]
"""The resolved config and the attempt, to the step's output. Raises ActionFailed."""
