"""What passes between deciding and carrying out: a claim one way, its outcome the other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from contract import json_values
from contract.json_values import JSON, InvalidJson
from executions.retry import Failure
from workflows.failures import StepFailed
from workflows.spec import Runnable, StepSpec


@dataclass(frozen=True, slots=True)
class Limits:
    """How large JSON texts may be: a step's input or output; what is joined, of a map's items or of all steps."""

    output_bytes: int
    joined_bytes: int = 8 * 1024 * 1024


@dataclass(frozen=True)
class Claim:
    """An attempt that this process has to carry out; `config` is resolved, but for the tenant's secrets.

    `failures`: how many attempts at this generation failed before.
    """

    execution_id: UUID
    runnable: Runnable
    step: StepSpec
    number: int
    config: dict[str, JSON]
    generation: int = 1
    failures: int = 0

    @cached_property
    def fence(self) -> str:
        return f"{self.execution_id}:{self.step.index}:{self.number}"


@dataclass(frozen=True, slots=True)
class Succeeded:
    """`output` is checked JSON text."""

    output: str


@dataclass(frozen=True, slots=True)
class Failed:
    """`details` is checked JSON; `output` JSON text where the step yields something although it failed."""

    failure: Failure
    details: JSON = None
    output: str | None = None


@dataclass(frozen=True, slots=True)
class Handed:
    """A child was started for the step: its end is waited for."""

    child: UUID


@dataclass(frozen=True, slots=True)
class NotBegun:
    """The attempt was claimed but nothing of it was carried out, so it may be given to anybody."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt came out; `index` and `number` are its fence."""

    execution_id: UUID
    index: int
    number: int
    result: Succeeded | Failed | Handed | NotBegun


def encode(value: JSON, limits: Limits, what: str) -> str:
    """The JSON text of an input or output. Raises StepFailed for what cannot be stored."""
    try:
        json_values.check(value)
    except InvalidJson as error:
        where = f" at {error.pointer}" if error.pointer else ""
        raise StepFailed(f"invalid_{what}", f"the {what} is not JSON{where}: {error}") from error
    content = json_values.canonical(value)
    if len(content) > limits.output_bytes:
        message = f"the {what} has {len(content):,} bytes, more than the {limits.output_bytes:,} allowed"
        raise StepFailed(f"{what}_too_large", message)
    return content.decode()
