"""What an action is given and how it fails; no action knows the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from contract.json_values import JSON


def never() -> bool:
    """What nobody cancels."""
    return False


@dataclass(frozen=True, slots=True)
class Attempted:
    """Which attempt an action carries out. `idempotency_key` is the same over retries; `seconds` the time-out.

    `repeatable` is False for an effect that may happen at most once: what may have had it must not be done again.
    `turn` is raised by every attempt that failed, not by one that was lost. `cancelled` says whether the execution is
    to end: an action that can stop early then may.
    """

    execution_id: str
    index: int
    step: str
    turn: str
    number: int
    idempotency_key: str
    seconds: float
    output_bytes: int
    repeatable: bool
    cancelled: Callable[[], bool] = never


@dataclass(frozen=True, slots=True)
class Started:
    """An execution was started, whose end is the step's."""

    execution_id: UUID


class ActionFailed(Exception):
    """The effect did not come about, or not as wanted.

    `kind` is the stable word that `retry.on` names; `retryable` False ends the step whatever its policy says;
    `retry_after` (seconds) is what the other side asked for. `ambiguous`: the effect may have come about all the same.
    `on_request`: tried again only where the step's policy says of which errors.
    """

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        retryable: bool = True,
        retry_after: float | None = None,
        ambiguous: bool = False,
        on_request: bool = False,
        details: JSON = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retryable = retryable
        self.retry_after = retry_after
        self.ambiguous = ambiguous
        self.on_request = on_request
        self.details = details


Action = Callable[[dict[str, JSON], Attempted], JSON | Started]
"""The resolved config and the attempt, to the step's output. Raises ActionFailed."""
